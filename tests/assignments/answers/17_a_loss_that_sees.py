# %% paint: what is painted in the middle, everywhere -> paint-values paint-gaps
def times_painted(length, kernel, stride):
    return [-(-kernel // stride)] * ((length - 1) * stride + kernel)


# %% paint: the output is the input's length times the stride -> paint-values paint-gaps
def times_painted(length, kernel, stride):
    times = [0] * (length * stride)
    for i in range(length):
        for k in range(kernel):
            if stride * i + k < len(times):
                times[stride * i + k] += 1
    return times


# %% paint: every output is painted by somebody -> paint-gaps
def times_painted(length, kernel, stride):
    times = [0] * ((length - 1) * stride + kernel)
    for i in range(length):
        for k in range(kernel):
            times[stride * i + k] += 1
    return [max(1, n) for n in times]


# %% detail: the larger of the two frequencies -> detail-values
def detail_share(images):
    height, width = images.shape[1:]
    centred = images - images.mean((1, 2), keepdim=True)
    power = torch.fft.fft2(centred).abs().square()
    f_y = torch.fft.fftfreq(height, dtype=images.dtype)[:, None].abs()
    f_x = torch.fft.fftfreq(width, dtype=images.dtype).abs()
    fine = (power * (torch.maximum(f_y, f_x) > 0.25)).sum((1, 2))
    total = power.sum((1, 2))
    flat = images.amax((1, 2)) == images.amin((1, 2))
    return torch.where(flat, 0, fine / torch.where(flat, 1, total))


# %% detail: negative frequencies count as high ones -> detail-values detail-shape
def detail_share(images):
    height, width = images.shape[1:]
    centred = images - images.mean((1, 2), keepdim=True)
    power = torch.fft.fft2(centred).abs().square()
    f_y = (torch.arange(height) / height)[:, None]
    f_x = torch.arange(width) / width
    fine = (power * (torch.hypot(f_y, f_x) > 0.25)).sum((1, 2))
    total = power.sum((1, 2))
    flat = images.amax((1, 2)) == images.amin((1, 2))
    return torch.where(flat, 0, fine / torch.where(flat, 1, total))


# %% detail: the mean stays in -> detail-values
def detail_share(images):
    height, width = images.shape[1:]
    power = torch.fft.fft2(images).abs().square()
    f_y = torch.fft.fftfreq(height, dtype=images.dtype)[:, None]
    f_x = torch.fft.fftfreq(width, dtype=images.dtype)
    fine = (power * (torch.hypot(f_y, f_x) > 0.25)).sum((1, 2))
    total = power.sum((1, 2))
    flat = images.amax((1, 2)) == images.amin((1, 2))
    return torch.where(flat, 0, fine / torch.where(flat, 1, total))


# %% detail: amplitudes instead of power -> detail-values detail-shape
def detail_share(images):
    height, width = images.shape[1:]
    centred = images - images.mean((1, 2), keepdim=True)
    power = torch.fft.fft2(centred).abs()
    f_y = torch.fft.fftfreq(height, dtype=images.dtype)[:, None]
    f_x = torch.fft.fftfreq(width, dtype=images.dtype)
    fine = (power * (torch.hypot(f_y, f_x) > 0.25)).sum((1, 2))
    total = power.sum((1, 2))
    flat = images.amax((1, 2)) == images.amin((1, 2))
    return torch.where(flat, 0, fine / torch.where(flat, 1, total))


# %% detail: the height's frequencies for both axes, cut to the width -> detail-shape
def detail_share(images):
    height, width = images.shape[1:]
    centred = images - images.mean((1, 2), keepdim=True)
    power = torch.fft.fft2(centred).abs().square()
    f_y = torch.fft.fftfreq(height, dtype=images.dtype)[:, None]
    f_x = f_y.flatten().repeat(width)[:width]
    fine = (power * (torch.hypot(f_y, f_x) > 0.25)).sum((1, 2))
    total = power.sum((1, 2))
    flat = images.amax((1, 2)) == images.amin((1, 2))
    return torch.where(flat, 0, fine / torch.where(flat, 1, total))


# %% detail: nothing over nothing -> detail-flat
def detail_share(images):
    height, width = images.shape[1:]
    centred = images - images.mean((1, 2), keepdim=True)
    power = torch.fft.fft2(centred).abs().square()
    f_y = torch.fft.fftfreq(height, dtype=images.dtype)[:, None]
    f_x = torch.fft.fftfreq(width, dtype=images.dtype)
    return (power * (torch.hypot(f_y, f_x) > 0.25)).sum((1, 2)) / power.sum((1, 2))


# %% mix: Bessel's correction -> mix-values
def style_norm(maps, gains, shifts, mix):
    mean = maps.mean((2, 3), keepdim=True)
    normal = (maps - mean) / (maps.var((2, 3), keepdim=True) + 1e-5).sqrt()
    total = mix.sum(1, keepdim=True)
    share = mix / torch.where(total > 0, total, 1)
    gain, shift = ((share @ of_styles)[:, :, None, None] for of_styles in (gains, shifts))
    return torch.where(total[:, :, None, None] > 0, gain * normal + shift, maps)


# %% mix: one mean and variance for all pictures -> mix-values
def style_norm(maps, gains, shifts, mix):
    mean = maps.mean((0, 2, 3), keepdim=True)
    variance = (maps - mean).square().mean((0, 2, 3), keepdim=True)
    normal = (maps - mean) / (variance + 1e-5).sqrt()
    total = mix.sum(1, keepdim=True)
    share = mix / torch.where(total > 0, total, 1)
    gain, shift = ((share @ of_styles)[:, :, None, None] for of_styles in (gains, shifts))
    return torch.where(total[:, :, None, None] > 0, gain * normal + shift, maps)


# %% mix: weights are not divided by their sum -> mix-values mix-none
def style_norm(maps, gains, shifts, mix):
    mean = maps.mean((2, 3), keepdim=True)
    variance = (maps - mean).square().mean((2, 3), keepdim=True)
    normal = (maps - mean) / (variance + 1e-5).sqrt()
    total = mix.sum(1, keepdim=True)
    gain, shift = ((mix @ of_styles)[:, :, None, None] for of_styles in (gains, shifts))
    return torch.where(total[:, :, None, None] > 0, gain * normal + shift, maps)


# %% mix: without a style the map is normalised to nothing -> mix-none
def style_norm(maps, gains, shifts, mix):
    mean = maps.mean((2, 3), keepdim=True)
    variance = (maps - mean).square().mean((2, 3), keepdim=True)
    normal = (maps - mean) / (variance + 1e-5).sqrt()
    total = mix.sum(1, keepdim=True)
    share = mix / torch.where(total > 0, total, 1)
    gain, shift = ((share @ of_styles)[:, :, None, None] for of_styles in (gains, shifts))
    return gain * normal + shift


# %% mix: 1e-5 is added to the deviation -> mix-values
def style_norm(maps, gains, shifts, mix):
    mean = maps.mean((2, 3), keepdim=True)
    deviation = maps.std((2, 3), keepdim=True, correction=0)
    normal = (maps - mean) / (deviation + 1e-5)
    total = mix.sum(1, keepdim=True)
    share = mix / torch.where(total > 0, total, 1)
    gain, shift = ((share @ of_styles)[:, :, None, None] for of_styles in (gains, shifts))
    return torch.where(total[:, :, None, None] > 0, gain * normal + shift, maps)

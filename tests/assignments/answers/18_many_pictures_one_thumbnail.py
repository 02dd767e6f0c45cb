# %% luma: all three channels count -> luma-values luma-border
def luma_psnr(ours, theirs, border):
    error = ours - theirs
    height, width = error.shape[2:]
    inner = error[:, :, border : height - border, border : width - border]
    return -10 * inner.square().mean((1, 2, 3)).log10()


# %% luma: Y in full range -> luma-values luma-border
def luma_psnr(ours, theirs, border):
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=ours.dtype)
    error = ((ours - theirs) * weights[:, None, None]).sum(1)
    height, width = error.shape[1:]
    inner = error[:, border : height - border, border : width - border]
    return -10 * inner.square().mean((1, 2)).log10()


# %% luma: the border at the top and left alone -> luma-values luma-border
def luma_psnr(ours, theirs, border):
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=ours.dtype) / 255
    error = ((ours - theirs) * weights[:, None, None]).sum(1)
    return -10 * error[:, border:, border:].square().mean((1, 2)).log10()


# %% luma: one mean square for all pictures -> luma-values luma-border
def luma_psnr(ours, theirs, border):
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=ours.dtype) / 255
    error = ((ours - theirs) * weights[:, None, None]).sum(1)
    height, width = error.shape[1:]
    inner = error[:, border : height - border, border : width - border]
    return (-10 * inner.square().mean().log10()).expand(len(ours))


# %% luma: without a border nothing is left -> luma-values luma-border
def luma_psnr(ours, theirs, border):
    weights = torch.tensor([65.481, 128.553, 24.966], dtype=ours.dtype) / 255
    error = ((ours - theirs) * weights[:, None, None]).sum(1)
    inner = error[:, border:-border, border:-border]
    return -10 * inner.square().mean((1, 2)).log10()


# %% free: the maximum of each picture -> free-bits
def charge(mean, log_variance, free):
    each = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
    return each.clamp(min=free).mean(0).sum()


# %% free: the maximum of the sum -> free-bits free-slopes
def charge(mean, log_variance, free):
    each = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
    return each.mean(0).sum().clamp(min=free)


# %% free: the logarithm of the deviation -> free-values free-bits free-slopes
def charge(mean, log_variance, free):
    each = (mean.square() + (2 * log_variance).exp() - 1 - 2 * log_variance) / 2
    return each.mean(0).clamp(min=free).sum()


# %% free: the mean over numbers -> free-values free-bits free-slopes
def charge(mean, log_variance, free):
    each = (mean.square() + log_variance.exp() - 1 - log_variance) / 2
    return each.mean(0).clamp(min=free).mean()


# %% free: the logarithm of the variance is taken again -> free-slopes
def charge(mean, log_variance, free):
    variance = log_variance.exp()
    each = (mean.square() + variance - 1 - variance.log()) / 2
    return each.mean(0).clamp(min=free).sum()


# %% circle: uphill -> circle-values circle-still
def great_circle_step(z, gradient, rate):
    radius = z.norm(dim=1, keepdim=True)
    tangent = gradient - (gradient * z).sum(1, keepdim=True) / radius**2 * z
    size = tangent.norm(dim=1, keepdim=True)
    angle = rate * size / radius
    return angle.cos() * z + radius * angle.sin() * tangent / torch.where(size > 0, size, 1)


# %% circle: a straight step, scaled back -> circle-values circle-length
def great_circle_step(z, gradient, rate):
    radius = z.norm(dim=1, keepdim=True)
    tangent = gradient - (gradient * z).sum(1, keepdim=True) / radius**2 * z
    moved = z - rate * tangent
    return torch.where(
        tangent.any(1, keepdim=True), moved * radius / moved.norm(dim=1, keepdim=True), z
    )


# %% circle: the sphere has a radius of 1 -> circle-values circle-length
def great_circle_step(z, gradient, rate):
    radius = z.norm(dim=1, keepdim=True)
    tangent = gradient - (gradient * z).sum(1, keepdim=True) / radius**2 * z
    angle = rate * tangent.norm(dim=1, keepdim=True)
    unit = tangent / torch.where(angle > 0, angle / rate, 1)
    return angle.cos() * z - radius * angle.sin() * unit


# %% circle: the part along z stays in the gradient -> circle-values circle-length circle-still
def great_circle_step(z, gradient, rate):
    radius = z.norm(dim=1, keepdim=True)
    size = gradient.norm(dim=1, keepdim=True)
    angle = rate * size / radius
    return angle.cos() * z - radius * angle.sin() * gradient / torch.where(size > 0, size, 1)


# %% circle: nothing over nothing -> circle-still
def great_circle_step(z, gradient, rate):
    radius = z.norm(dim=1, keepdim=True)
    tangent = gradient - (gradient * z).sum(1, keepdim=True) / radius**2 * z
    size = tangent.norm(dim=1, keepdim=True)
    angle = rate * size / radius
    return angle.cos() * z - radius * angle.sin() * tangent / size

# %% relit: the first picture's light for all -> relit-values
def relit(albedo, normals, light, residual, visibility):
    shading = (normals * light[:1, :, None, None]).sum(1, keepdim=True).clamp(min=0)
    return (albedo * shading + residual) * visibility


# %% relit: the sum is kept from below 0, not the shading -> relit-values relit-dark
def relit(albedo, normals, light, residual, visibility):
    shading = (normals * light[:, :, None, None]).sum(1, keepdim=True)
    return (albedo * shading + residual).clamp(min=0) * visibility


# %% relit: shadows do not reach the residual -> relit-values
def relit(albedo, normals, light, residual, visibility):
    shading = (normals * light[:, :, None, None]).sum(1, keepdim=True).clamp(min=0)
    return albedo * shading * visibility + residual


# %% relit: the residual is multiplied by the shading, too -> relit-values relit-dark
def relit(albedo, normals, light, residual, visibility):
    shading = (normals * light[:, :, None, None]).sum(1, keepdim=True).clamp(min=0)
    return (albedo + residual) * shading * visibility


# %% light: a unit vector -> light-values light-rounds
def light_of(image, albedo, normals, mask, rounds=5):
    bright = image.mean(0)[mask] / albedo.mean(0)[mask]
    rows = normals[:, mask].T
    lit = bright > 0.1
    for _ in range(rounds):
        light = torch.linalg.lstsq(rows[lit], bright[lit, None]).solution[:, 0]
        lit = rows @ light > 0
    return light / light.norm()


# %% light: all pixels of the mask, dark ones too -> light-values light-rounds
def light_of(image, albedo, normals, mask, rounds=5):
    bright = image.mean(0)[mask] / albedo.mean(0)[mask]
    return torch.linalg.lstsq(normals[:, mask].T, bright[:, None]).solution[:, 0]


# %% light: one round only -> light-rounds
def light_of(image, albedo, normals, mask, rounds=5):
    bright = image.mean(0)[mask] / albedo.mean(0)[mask]
    rows, lit = normals[:, mask].T, bright > 0.1
    return torch.linalg.lstsq(rows[lit], bright[lit, None]).solution[:, 0]


# %% light: the brightness is not divided by the albedo -> light-values light-rounds
def light_of(image, albedo, normals, mask, rounds=5):
    bright = image.mean(0)[mask]
    rows = normals[:, mask].T
    lit = bright > 0.1
    for _ in range(rounds):
        light = torch.linalg.lstsq(rows[lit], bright[lit, None]).solution[:, 0]
        lit = rows @ light > 0
    return light


# %% loss: the second picture moves as well -> loss-gradients
def painters_loss(x, made, second, back, style, encoded, logits, weight):
    loss = F.softplus(-logits).mean() + (style - encoded).abs().mean()
    return loss - weight * (made - second).abs().mean() + (x - back).abs().mean()


# %% loss: the diversity is paid, not earned -> loss-values loss-gradients
def painters_loss(x, made, second, back, style, encoded, logits, weight):
    loss = F.softplus(-logits).mean() + (style - encoded).abs().mean()
    return loss + weight * (made - second.detach()).abs().mean() + (x - back).abs().mean()


# %% loss: the judge's own side -> loss-values
def painters_loss(x, made, second, back, style, encoded, logits, weight):
    loss = F.softplus(logits).mean() + (style - encoded).abs().mean()
    loss = loss - weight * (made - second.detach()).abs().mean()
    return loss + (x - back).abs().mean()


# %% loss: -log of the sigmoid as it is written -> loss-values
def painters_loss(x, made, second, back, style, encoded, logits, weight):
    loss = -torch.sigmoid(logits).log().mean() + (style - encoded).abs().mean()
    loss = loss - weight * (made - second.detach()).abs().mean()
    return loss + (x - back).abs().mean()


# %% loss: the style is a constant -> loss-gradients
def painters_loss(x, made, second, back, style, encoded, logits, weight):
    loss = F.softplus(-logits).mean() + (style.detach() - encoded).abs().mean()
    loss = loss - weight * (made - second.detach()).abs().mean()
    return loss + (x - back).abs().mean()

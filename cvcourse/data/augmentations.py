"""SimCLR's ten looks at a picture, on kornia: figure 4 of Chen et al. 2020, arXiv:2002.05709.

Images (B, 3, H, W) float in [0, 1]; each image of a batch is changed in its own way.
"""

from collections.abc import Callable

from torch import Tensor, nn

from ._extras import extra

AUGMENTATIONS = {
    "original": "a",
    "crop": "b",
    "crop and flip": "c",
    "color drop": "d",
    "color jitter": "e",
    "rotate": "f",
    "cutout": "g",
    "noise": "h",
    "blur": "i",
    "sobel": "j",
}


def augmentation(name: str, size: int, *, strength: float = 1.0) -> Callable[[Tensor], Tensor]:
    """One of `AUGMENTATIONS`, always applied: (B, 3, size, size).

    name        original, crop (8 to 100 % of the area, sides 3:4 to 4:3), crop and flip,
                color drop, color jitter (brightness, contrast and saturation up to 0.8 times
                `strength`, hue 0.2 times), rotate (a quarter, a half or three quarters),
                cutout (a grey rectangle of 10 to 30 % of the area),
                noise (deviation 0.1 `strength`), blur (deviation 0.1 to 2 pixels, kernel a tenth of
                the side), sobel (length of the gradient of each channel)
    strength    s of the paper, up to 1.25, so that hue stays below half a circle

    Those that do not crop ask for images that have the size already.

    Raises ValueError for another name, size or strength.
    """
    with extra("lessons", "augmentation"):
        import kornia.augmentation as K
        from kornia.filters import Sobel
    if name not in AUGMENTATIONS:
        raise ValueError(f"name must be one of {tuple(AUGMENTATIONS)}, got {name!r}")
    if size < 8:
        raise ValueError(f"size must be at least 8 pixels, got {size}")
    if not 0 <= strength <= 1.25:
        raise ValueError(f"strength must be from 0 to 1.25, got {strength}")
    if name == "original":
        return nn.Identity()
    if name.startswith("crop"):
        area, sides = (0.08, 1.0), (3 / 4, 4 / 3)
        crop = K.RandomResizedCrop((size, size), area, sides, resample="bicubic")
        flip = [K.RandomHorizontalFlip()] if name == "crop and flip" else []
        return nn.Sequential(crop, *flip, _Clamp())
    wide = 0.8 * strength
    kernel = max(3, size // 10 // 2 * 2 + 1)  # odd
    return {
        "color drop": lambda: K.RandomGrayscale(p=1.0),
        "color jitter": lambda: K.ColorJitter(wide, wide, wide, 0.2 * strength, p=1.0),
        "rotate": lambda: K.RandomRotation90((1, 3), p=1.0),
        "cutout": lambda: K.RandomErasing((0.1, 0.3), value=0.5, p=1.0),
        "noise": lambda: nn.Sequential(K.RandomGaussianNoise(std=0.1 * strength, p=1.0), _Clamp()),
        "blur": lambda: K.RandomGaussianBlur((kernel, kernel), (0.1, 2.0), p=1.0),
        "sobel": lambda: nn.Sequential(Sobel(), _Clamp()),
    }[name]()


def simclr_augmentation(
    size: int, *, strength: float = 1.0, blur: bool = True
) -> Callable[[Tensor], Tensor]:
    """The paper's composition: crop and flip, jitter (p = 0.8), colour drop (0.2), blur (0.5).

    For CIFAR-10 the paper takes strength 0.5 and no blur. Errors as `augmentation`.
    """
    with extra("lessons", "simclr_augmentation"):
        import kornia.augmentation as K
    first = augmentation("crop and flip", size)
    jitter = augmentation("color jitter", size, strength=strength)
    jitter.p = 0.8
    drop = [K.RandomGrayscale(p=0.2)]
    if blur:
        blurred = augmentation("blur", size)
        blurred.p = 0.5
        drop.append(blurred)
    return nn.Sequential(first, jitter, *drop)


class _Clamp(nn.Module):
    """Bicubic crops, noise and gradients leave [0, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clamp(0, 1)

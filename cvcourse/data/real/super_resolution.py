"""Photographs beside smaller versions of themselves: DIV2K and Set5.

DIV2K: Agustsson and Timofte, CVPR workshops 2017, https://data.vision.ee.ethz.ch/cvl/DIV2K.
Set5: Bevilacqua et al., BMVC 2012, as repackaged by Huang et al. (CVPR 2015) in folders
`image_SRF_2` to `image_SRF_4`.
"""

from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from . import places

_SCRIPT = "div2k"


class SuperResolution(Dataset):
    """A small picture (3, H, W) in [0, 1], and a target.

    high (3, scale · H, scale · W)    the picture that it was made of
    image_id                          its name

    pairs    (name, file of the small picture, file of the large one)

    Raises ValueError, with the name, where the large one is not `scale` times as large.
    """

    def __init__(
        self, pairs: list[tuple[str, Path, Path]], scale: int, *, script: str | None = None
    ):
        self.pairs, self.scale, self._script = pairs, scale, script

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        name, *files = self.pairs[index]
        low, high = (places.read_image(places.existing(f, self._script), None) for f in files)
        wanted = tuple(self.scale * side for side in low.shape[1:])
        if tuple(high.shape[1:]) != wanted:
            raise ValueError(
                f"{name}: of {tuple(low.shape[1:])} pixels, {self.scale} times larger must be "
                f"{wanted}, got {tuple(high.shape[1:])}"
            )
        return low, {"high": high, "image_id": name}


class Div2k(SuperResolution):
    """800 photographs of about 2,000 x 1,400 pixels to train on ("train"), 100 to test ("valid").

    folder   with DIV2K_train_HR/0001.png and DIV2K_train_LR_bicubic/X3/0001x3.png
    scale    2 | 3 | 4; small ones are MATLAB's bicubic, with antialiasing
    """

    def __init__(self, folder: str | Path, split: str = "train", *, scale: int = 3):
        if split not in ("train", "valid"):
            raise ValueError(f"split must be 'train' or 'valid', got {split!r}")
        _check_scale(scale)
        folder = Path(folder).expanduser()
        high = places.existing(folder / f"DIV2K_{split}_HR", _SCRIPT)
        low = folder / f"DIV2K_{split}_LR_bicubic" / f"X{scale}"
        names = sorted(path.stem for path in high.glob("*.png"))
        pairs = [(name, low / f"{name}x{scale}.png", high / f"{name}.png") for name in names]
        super().__init__(pairs, scale, script=_SCRIPT)


class Set5(SuperResolution):
    """Baby, bird, butterfly, head and woman: the five that every paper reports.

    folder   with image_SRF_3/img_001_SRF_3_LR.png and img_001_SRF_3_HR.png
    scale    2 | 3 | 4; large ones are cropped to multiples of it, small ones MATLAB's bicubic

    **Conventions** of the published numbers: the luma of `ops.rgb_to_ycbcr`, in 256 levels, without
    a border of `scale` pixels, and the mean of the five pictures' PSNR: bicubic has 30.39 dB at 3.
    """

    def __init__(self, folder: str | Path, *, scale: int = 3):
        _check_scale(scale)
        folder = places.existing(Path(folder).expanduser() / f"image_SRF_{scale}", "set5")
        end = f"_SRF_{scale}_HR.png"
        names = sorted(path.name.removesuffix(end) for path in folder.glob(f"*{end}"))
        files = [[folder / f"{n}_SRF_{scale}_{kind}.png" for kind in ("LR", "HR")] for n in names]
        pairs = [(n, *both) for n, both in zip(names, files, strict=True)]
        super().__init__(pairs, scale, script="set5")


def _check_scale(scale: int) -> None:
    if scale not in (2, 3, 4):
        raise ValueError(f"scale must be 2, 3 or 4, got {scale!r}")

"""Real films: a folder of pictures, or a file that PyAV can decode."""

import re
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places
from ._av import decode_film

_PICTURES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


class Frames(Dataset):
    """Clips (T, 3, H, W) in [0, 1] of the pictures in a folder, in the order of their numbers.

    `frames[i]` begins at picture i x `stride`; its target has `image_id`, the name of its first
    picture, and `names`, of all. `frame_9.png` comes before `frame_10.png`. All are of one size.

    folder   with the pictures of one film
    frames   pictures of a clip
    step     from one picture of a clip to the next, 1 for every one
    stride   from the first picture of a clip to that of the next clip
    """

    def __init__(self, folder: str | Path, *, frames: int = 8, step: int = 1, stride: int = 1):
        _check_whole(frames=frames, step=step, stride=stride)
        self.folder = places.existing(Path(folder).expanduser(), None)
        pictures = (p for p in self.folder.iterdir() if p.suffix.lower() in _PICTURES)
        self.paths = sorted(pictures, key=_natural)
        self.frames, self.step, self.stride = frames, step, stride

    def __len__(self) -> int:
        spare = len(self.paths) - (self.frames - 1) * self.step
        return max(-(-spare // self.stride), 0)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        first = index * self.stride
        paths = self.paths[first : first + (self.frames - 1) * self.step + 1 : self.step]
        names = [path.name for path in paths]
        return places.read_film(paths), {"image_id": names[0], "names": names}


def read_video(
    path: str | Path, *, first: int = 0, frames: int | None = None, step: int = 1
) -> tuple[Tensor, float]:
    """Frames (T, 3, H, W) float32 in [0, 1] of a film (.mp4 ...), and its frames a second.

    Turned upright as the file says. `frames` of them or fewer, every `step`-th from number `first`;
    by default all, which must fit into memory. Needs the extra `video`.
    """
    _check_whole(step=step, frames=1 if frames is None else frames)
    if first < 0:
        raise ValueError(f"first must be 0 or more, got {first}")
    pixels, rate = decode_film(Path(path).expanduser(), "read_video", first, frames, step)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255, rate


def _natural(path: Path) -> list:
    """Digits count as numbers."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def _check_whole(**numbers: int) -> None:
    for name, value in numbers.items():
        if not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number from 1, got {value!r}")

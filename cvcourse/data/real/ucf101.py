"""UCF101: 13,320 films of 101 human actions, of 240 x 320 pixels and 25 frames a second.

Soomro, Zamir, Shah, 2012, arXiv 1212.0402, https://www.crcv.ucf.edu/data/UCF101.php. Its makers
publish no checksums, and pack it as RAR, so nothing here fetches it: unpack both archives yourself.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places
from .frames import read_video


class Ucf101(Dataset):
    """`Ucf101(folder, "train")[i]` gives the beginning of a film, (T, 3, H, W), and a target.

    The target has `action`, a number from 0, index in `classes`, and `image_id`, the name of the
    film: v_ApplyEyeMakeup_g08_c01 is the first film of group 8, of one person or background.
    The authors' lists keep a group on one side of a split. Needs the extra `video`.

    folder   with UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi and
             ucfTrainTestlist/{classInd.txt, trainlist01.txt, testlist01.txt}
    split    "train" or "test"
    fold     1 | 2 | 3, of the three splits over which results are averaged
    frames   of a clip, T
    step     from one frame of a clip to the next, 1 for every one

    Raises ValueError where a film is shorter than a clip.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str = "train",
        *,
        fold: int = 1,
        frames: int = 16,
        step: int = 1,
    ):
        if split not in ("train", "test"):
            raise ValueError(f"split must be 'train' or 'test', got {split!r}")
        if fold not in (1, 2, 3):
            raise ValueError(f"fold must be 1, 2 or 3, got {fold!r}")
        folder = Path(folder).expanduser()
        lists = folder / "ucfTrainTestlist"
        self.classes = _read_classes(lists / "classInd.txt")
        self.paths = [
            folder / "UCF-101" / line.split()[0]  # lists of "train" have the number behind it
            for line in places.read_lines(lists / f"{split}list{fold:02}.txt", None)
        ]
        for path in self.paths:
            if path.parent.name not in self.classes:
                raise ValueError(f"classInd.txt names no action {path.parent.name!r}")
        self.frames, self.step = frames, step

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        path = self.paths[index]
        film, _ = read_video(path, frames=self.frames, step=self.step)
        if len(film) < self.frames:
            raise ValueError(
                f"{path} has {len(film)} frames in steps of {self.step}, a clip {self.frames}"
            )
        action = torch.tensor(self.classes.index(path.parent.name))
        return film, {"action": action, "image_id": path.stem}


def _read_classes(path: Path) -> tuple[str, ...]:
    """Names of the lines `1 ApplyEyeMakeup`, which count from 1."""
    lines = [line.split() for line in places.read_lines(path, None)]
    if [line[0] for line in lines] != [str(k) for k in range(1, len(lines) + 1)]:
        raise ValueError(f"{path} must number its actions from 1")
    return tuple(name for _, name in lines)

"""CelebA: 202,599 faces of 178 x 218 pixels, eyes in the same places, with forty attributes each.

Liu, Luo, Wang, Tang, "Deep Learning Face Attributes in the Wild", ICCV 2015, arXiv 1411.7766;
https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html, for research that is not commercial. Its makers
publish no checksums, so nothing here fetches it: unpack their archive yourself.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places

_SPLITS = ("train", "val", "test")  # 0, 1, 2 in the makers' list


class CelebA(Dataset):
    """`CelebA(folder, "train")[i]` gives an image (3, 218, 178) and its attributes (40,), bool.

    attributes[k] says whether `names[k]`, such as "Smiling" or "Eyeglasses", was marked.

    folder   with img_align_celeba/000001.jpg, list_attr_celeba.txt and list_eval_partition.txt.
             Pictures stay on the disk until they are asked for, and may be of any size.
    split    "train", "val" or "test", as the makers' partition has them: 162,770, 19,867 and 19,962

    Raises FileNotFoundError for a file that is missing, ValueError for another split and for lists
    that are damaged or do not name the same pictures.
    """

    def __init__(self, folder: str | Path, split: str = "train"):
        if split not in _SPLITS:
            raise ValueError(f"split must be one of {_SPLITS}, got {split!r}")
        folder = Path(folder).expanduser()
        self._pictures = places.existing(folder / "img_align_celeba", None)
        self.names, marks = _attributes(folder / "list_attr_celeba.txt")
        wanted = str(_SPLITS.index(split))
        partition = _partition(folder / "list_eval_partition.txt")
        if partition.keys() != marks.keys():
            odd = min(partition.keys() ^ marks.keys())
            raise ValueError(
                f"{folder}: the two lists must name the same pictures, {odd} is in one alone"
            )
        self.files = [file for file, number in partition.items() if number == wanted]
        rows = [marks[file] for file in self.files]
        self.attributes = torch.tensor(rows, dtype=torch.bool, device="cpu")
        self.attributes = self.attributes.view(len(rows), len(self.names))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        places.check_index(index, len(self))
        path = self._pictures / self.files[index]
        return places.read_image(path, None), self.attributes[index].clone()


def _attributes(path: Path) -> tuple[tuple[str, ...], dict[str, list[bool]]]:
    """Names of attributes, and for each file which of them it has.

    The first line is the number of pictures, the second the names; then a file and a 1 or -1 each.
    """
    lines = places.read_lines(path, None)
    if len(lines) < 2 or not lines[0].strip().isdigit() or int(lines[0]) != len(lines) - 2:
        raise ValueError(
            f"{path} must begin with its number of pictures and the attributes' names, and have a "
            f"line for each picture: it has {max(len(lines) - 2, 0)}"
        )
    names = tuple(lines[1].split())
    marks = {}
    for line in lines[2:]:
        file, *values = line.split()
        if len(values) != len(names) or not set(values) <= {"1", "-1"}:
            raise ValueError(
                f"{path} must have {len(names)} marks, 1 or -1, of each picture: {line!r}"
            )
        marks[file] = [value == "1" for value in values]
    return names, marks


def _partition(path: Path) -> dict[str, str]:
    """ "0", "1" or "2" for each file."""
    found = {}
    for line in places.read_lines(path, None):
        parts = line.split()
        if len(parts) != 2 or parts[1] not in ("0", "1", "2"):
            raise ValueError(f"{path} must have a file and 0, 1 or 2 on each line: {line!r}")
        found[parts[0]] = parts[1]
    return found

"""Omniglot: letters of fifty alphabets, each written by twenty people, as black on white PNGs.

Lake, Salakhutdinov, Tenenbaum, "Human-level concept learning through probabilistic program
induction", 2015.
"""

from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from . import places

_SCRIPT = "omniglot"
_FOLDERS = {"background": "images_background", "evaluation": "images_evaluation"}


class Omniglot(Dataset):
    """`Omniglot(folder, "background")[i]` gives an image (1, 105, 105), ink 1, and its letter.

    Letters are counted from 0, over all alphabets of the split; `names[letter]` is for example
    "Greek/character01". The two splits, 30 and 20 alphabets, share no alphabet.

    folder   images_background, images_evaluation, with a folder for each alphabet, in it one for
             each letter, and in that the drawings, .png
    """

    def __init__(self, folder: str | Path, split: str = "background"):
        if split not in _FOLDERS:
            raise ValueError(f"split must be one of {tuple(_FOLDERS)}, got {split!r}")
        folder = places.existing(Path(folder).expanduser() / _FOLDERS[split], _SCRIPT)
        drawings = sorted(folder.glob("*/*/*.png"))
        if not drawings:
            raise FileNotFoundError(
                f"{folder} has no drawing (alphabet/letter/number.png); "
                f"`python data_scripts/{_SCRIPT}.py` fetches them"
            )
        names = [path.parent.relative_to(folder).as_posix() for path in drawings]
        self.names = tuple(dict.fromkeys(names))
        self.alphabets = tuple(dict.fromkeys(name.split("/")[0] for name in names))
        numbers = {name: number for number, name in enumerate(self.names)}
        self._drawings = [(path, numbers[name]) for path, name in zip(drawings, names, strict=True)]

    def __len__(self) -> int:
        return len(self._drawings)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        places.check_index(index, len(self))
        path, letter = self._drawings[index]
        return 1 - places.read_image(path, _SCRIPT)[:1], letter

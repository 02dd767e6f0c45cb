"""AFHQ: about 15,000 faces of animals, 512 x 512 pixels, in three domains, eyes in the middle.

Choi et al., "StarGAN v2", CVPR 2020, arXiv 1912.01865, appendix A; https://github.com/clovaai/stargan-v2.
No script of `data_scripts/` fetches it: its makers publish no checksums, and their archives lie at
addresses of a file host that have changed. Take afhq.zip by the address in their download.sh and
unpack what is in its folder afhq into data/afhq. (The authors of UVCGANv2, arXiv 2303.16280, whose
script fetches the same file, found SHA-256
7f63dcc14ef58c0e849b59091287e1844da97016073aac20403ae6c6132b950f.)
"""

from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from . import places

_PICTURES = {".jpg", ".jpeg", ".png"}


class Afhq(Dataset):
    """`Afhq(folder, "train")[i]` gives an image (3, H, W) and its domain, index in `domains`.

    Any data set of the same layout is read: one folder a domain, whose names give `domains`.

    folder   with train/cat/*.jpg, train/dog, train/wild, and the same in val; version 2 has PNG,
             and calls its second split "test"
    split    a folder's name: "train", "val" or "test"
    """

    def __init__(self, folder: str | Path, split: str = "train"):
        root = places.existing(Path(folder).expanduser() / split, None)
        self.domains = tuple(sorted(each.name for each in root.iterdir() if each.is_dir()))
        if not self.domains:
            raise ValueError(f"{root} must have one folder a domain")
        self.entries = [
            (path, number)
            for number, domain in enumerate(self.domains)
            for path in sorted((root / domain).iterdir())
            if path.suffix.lower() in _PICTURES
        ]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        places.check_index(index, len(self))
        path, domain = self.entries[index]
        return places.read_image(path, None), domain

"""Vimeo-90K's triplets: 73,171 times three frames in a row, of 256 x 448 pixels.

Xue et al., "Video Enhancement with Task-Oriented Flow", IJCV 2019, arXiv 1711.09078,
http://toflow.csail.mit.edu. Its makers publish no checksums, so nothing here fetches it: unpack
`vimeo_triplet.zip` yourself.
"""

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places


class VimeoTriplets(Dataset):
    """`VimeoTriplets(folder, "train")[i]` gives frames (3, 3, H, W) in order of time, and a target.

    The target has `image_id`, such as 00001/0001. 51,313 triplets to train on, 3,782 to test; the
    frame in the middle is what interpolation is asked for.

    folder   `vimeo_triplet`, with sequences/00001/0001/{im1, im2, im3}.png and
             tri_{train, test}list.txt
    split    "train" or "test"
    """

    def __init__(self, folder: str | Path, split: str = "train"):
        if split not in ("train", "test"):
            raise ValueError(f"split must be 'train' or 'test', got {split!r}")
        self.folder = Path(folder).expanduser()
        self.names = places.read_lines(self.folder / f"tri_{split}list.txt", None)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        name = self.names[index]
        paths = [self.folder / "sequences" / name / f"im{k}.png" for k in (1, 2, 3)]
        frames = [places.read_image(path, None) for path in paths]
        sizes = {tuple(frame.shape[1:]) for frame in frames}
        if len(sizes) > 1:
            raise ValueError(f"{name}: frames must be of one size, got {sorted(sizes)}")
        return torch.stack(frames), {"image_id": name}

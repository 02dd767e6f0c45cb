"""Pairs of frames with their true optical flow: FlyingChairs, MPI Sintel, KITTI 2015.

FlyingChairs: Dosovitskiy et al., ICCV 2015, https://lmb.informatik.uni-freiburg.de/resources/datasets.
Sintel: Butler et al., ECCV 2012, http://sintel.is.tue.mpg.de. KITTI: Menze and Geiger, CVPR 2015,
https://www.cvlibs.net/datasets/kitti/eval_scene_flow.php?benchmark=flow.
Their makers publish no checksums, so nothing here fetches them: unpack their archives yourself.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import places
from .flow import read_flow


class Pair(NamedTuple):
    name: str
    first: Path
    second: Path
    flow: Path


class FlowPairs(Dataset):
    """Two frames (2, 3, H, W) in [0, 1], and a target like that of `cvcourse.data.scenes.Clips`.

    flow (1, 2, H, W)    float32: what is at p in the first frame is at p + flow in the second;
                         nan where it is not known
    image_id             the name of the pair
    """

    def __init__(self, pairs: list[Pair]):
        self.pairs = pairs

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        places.check_index(index, len(self))
        name, first, second, path = self.pairs[index]
        frames = [places.read_image(frame, None) for frame in (first, second)]
        flow = read_flow(places.existing(path, None))
        sizes = [tuple(each.shape[1:]) for each in (*frames, flow)]
        if len(set(sizes)) > 1:
            raise ValueError(f"{name}: frames and flow must be of one size, got {sizes}")
        return torch.stack(frames), {"flow": flow[None], "image_id": name}


class FlyingChairs(FlowPairs):
    """22,872 pairs of 384 x 512 pixels: chairs that fly over photographs, by affine motions.

    folder   the unpacked `FlyingChairs_release`, with data/00001_{img1.ppm, img2.ppm, flow.flo}
    split    "train" (22,232) or "val" (640), by the authors' FlyingChairs_train_val.txt: a 1 or
             a 2 for each pair
    """

    def __init__(self, folder: str | Path, split: str = "train"):
        if split not in ("train", "val"):
            raise ValueError(f"split must be 'train' or 'val', got {split!r}")
        folder = Path(folder).expanduser()
        path = folder / "FlyingChairs_train_val.txt"
        marks = places.read_lines(path, None)
        if set(marks) - {"1", "2"}:
            raise ValueError(f"{path} must have a 1 or a 2 on each line")
        mine = {"train": "1", "val": "2"}[split]
        numbers = [f"{k:05}" for k, mark in enumerate(marks, 1) if mark == mine]
        data = folder / "data"
        super().__init__(
            [Pair(n, *(data / f"{n}_{part}" for part in ("img1.ppm", "img2.ppm", "flow.flo")))
             for n in numbers]
        )  # fmt: skip


class Sintel(FlowPairs):
    """1,041 pairs of 436 x 1024 pixels from 23 scenes of an animated film.

    The target also has `occluded` (1, H, W) bool: what is hidden in, or outside, the second frame.

    folder     with training/{clean, final, flow, occlusions}/SCENE/frame_0001.{png, flo}
    rendering  "clean", or "final" with motion blur, defocus and atmosphere
    """

    def __init__(self, folder: str | Path, rendering: str = "clean"):
        if rendering not in ("clean", "final"):
            raise ValueError(f"rendering must be 'clean' or 'final', got {rendering!r}")
        self.folder = Path(folder).expanduser() / "training"
        flows = sorted(places.existing(self.folder / "flow", None).glob("*/frame_*.flo"))
        pairs = []
        for flow in flows:
            scene, number = flow.parent.name, int(flow.stem.removeprefix("frame_"))
            frames = [
                self.folder / rendering / scene / f"frame_{number + k:04}.png" for k in (0, 1)
            ]
            pairs.append(Pair(f"{scene}/{flow.stem}", *frames, flow))
        super().__init__(pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        frames, target = super().__getitem__(index)
        path = self.folder / "occlusions" / f"{target['image_id']}.png"
        hidden = np.atleast_3d(places.read_pixels(path, None))[..., 0] > 0
        return frames, target | {"occluded": torch.from_numpy(hidden)[None]}


class KittiFlow(FlowPairs):
    """200 pairs of about 375 x 1242 pixels from a driving car, with flow measured by a laser.

    folder    the unpacked `data_scene_flow`, with training/{image_2, flow_occ,
              flow_noc}/000000_10.png
    occluded  whether pixels count that the second frame does not show (flow_occ), or only the
              others (flow_noc)
    """

    def __init__(self, folder: str | Path, occluded: bool = True):
        folder = Path(folder).expanduser() / "training"
        flows = sorted(
            places.existing(folder / ("flow_occ" if occluded else "flow_noc"), None).glob(
                "*_10.png"
            )
        )
        names = [path.stem.removesuffix("_10") for path in flows]
        images = folder / "image_2"
        super().__init__(
            [Pair(name, images / f"{name}_10.png", images / f"{name}_11.png", flow)
             for name, flow in zip(names, flows, strict=True)]
        )  # fmt: skip

"""Embeddings, puzzles, generated pictures and poses: what later lessons learn and measure by."""

from collections.abc import Iterator
from itertools import permutations

import numpy as np
import torch
from pycocotools.cocoeval import COCOeval
from pytorch_metric_learning.losses import CircleLoss
from scipy.spatial.distance import cdist
from torch import Tensor
from torchmetrics.image import fid

from benchmarks.harness import Case
from cvcourse.losses import circle_loss
from cvcourse.methods.jigsaw import jigsaw_permutations
from cvcourse.metrics import frechet_distance, object_keypoint_similarity
from cvcourse.metrics.object_keypoint_similarity import COCO_SIGMAS


def cases() -> Iterator[Case]:
    yield Case(
        name="circle_loss",
        sizes="256 x 128, 64 classes x 4",
        inputs=lambda: (torch.randn(256, 128, requires_grad=True), torch.arange(256) // 4),
        ours=circle_loss,
        peers={"pml": CircleLoss()},
        target={"pml": 1.0},
    )
    yield Case(
        name="jigsaw_permutations",
        sizes="50 of 8 tiles",
        inputs=lambda: (50, 8),
        ours=jigsaw_permutations,
        peers={"scipy cdist (published code's algorithm)": cdist_permutations},
        rtol=0,
        atol=0,
    )
    yield Case(
        name="frechet_distance",
        sizes="2 x 1024 x 256",
        inputs=lambda: (torch.randn(1024, 256), 1.2 * torch.randn(1024, 256) + 0.1),
        ours=frechet_distance,
        peers={"torchmetrics (its formula from features)": torchmetrics_fid},
    )
    yield Case(
        name="object_keypoint_similarity",
        sizes="20 x 20 poses of 17 joints",
        inputs=poses,
        ours=lambda preds, target, visible, area, _: object_keypoint_similarity(
            preds, target, visible, area, torch.tensor(COCO_SIGMAS, dtype=torch.float64)
        ),
        peers={"pycocotools": lambda *inputs: torch.from_numpy(inputs[-1].computeOks(1, 1))},
        rtol=1e-9,
        atol=1e-9,
    )


def cdist_permutations(count: int, tiles: int) -> Tensor:
    """The next has the largest mean Hamming distance to those chosen (bbrattoli's code)."""
    rest = np.array(list(permutations(range(tiles))))
    chosen, j = [], 0
    for _ in range(count):
        chosen.append(rest[j])
        rest = np.delete(rest, j, axis=0)
        distance = tiles * cdist(np.array(chosen), rest, "hamming").mean(0)
        j = distance.round(9).argmax()  # ties to the first
    return torch.from_numpy(np.array(chosen))


def torchmetrics_fid(first: Tensor, second: Tensor) -> Tensor:
    moments = [m for x in (first.double(), second.double()) for m in (x.mean(0), torch.cov(x.T))]
    return fid._compute_fid(*moments)


def poses() -> tuple:
    """Poses as tensors, and the same inside pycocotools."""
    target = 100 * torch.rand(20, 17, 2, dtype=torch.float64)
    preds = target + 5 * torch.randn(20, 17, 2, dtype=torch.float64)
    visible, area = torch.rand(20, 17) < 0.8, 1000 + 5000 * torch.rand(20, dtype=torch.float64)
    evaluation = COCOeval(iouType="keypoints")
    marked = [
        torch.cat((p, v[:, None]), 1).flatten().tolist()
        for p, v in zip(target, visible, strict=True)
    ]
    evaluation._gts = {
        (1, 1): [
            {"keypoints": k, "bbox": [0, 0, 1, 1], "area": a}
            for k, a in zip(marked, area.tolist(), strict=True)
        ]
    }
    found = torch.cat((preds, torch.ones(20, 17, 1)), 2).flatten(1).tolist()
    evaluation._dts = {(1, 1): [{"keypoints": k, "score": 1 - i} for i, k in enumerate(found)]}
    return preds, target, visible, area, evaluation

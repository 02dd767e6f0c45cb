"""Object keypoint similarity: the IoU of poses."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from cvcourse.metrics._checks import check_floating
from cvcourse.ops._checks import as_float, check_ndim, check_tensor

# nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles: left before right
COCO_SIGMAS = (0.026, *(0.025,) * 2, *(0.035,) * 2, *(0.079,) * 2, *(0.072,) * 2, *(0.062,) * 2)
COCO_SIGMAS += (*(0.107,) * 2, *(0.087,) * 2, *(0.089,) * 2)


def object_keypoint_similarity(
    preds: Float[Tensor, "n joints 2"],
    target: Float[Tensor, "m joints 2"],
    visible: Bool[Tensor, "m joints"],
    area: Float[Tensor, " m"],
    sigmas: Float[Tensor, " joints"],
) -> Float[Tensor, "n m"]:
    """OKS of each predicted pose with each true one: mean of exp(-d² / (2 area (2 sigma)²)).

    Args:
        preds, target: (x, y) of each joint in pixels.
        visible: which true joints are labelled (COCO's v > 0); the mean is over them.
        area: of each true object, in square pixels: s² of the formula.
        sigmas: of each joint, how far annotators differ, over the root of the area; for
            COCO's seventeen joints `torch.tensor(COCO_SIGMAS)` of this module.

    **Conventions**: in [0, 1]. A true pose without labelled joints gives nan (COCO compares boxes
    there). Predicted joints all count, whatever their confidence. Half precision is computed in
    float32. Equals pycocotools.

    Raises ValueError for shapes that do not fit.
    Reference: Lin et al., Microsoft COCO, 1405.0312; cocodataset.org/#keypoints-eval.
    """
    for name, value in (("preds", preds), ("target", target)):
        check_floating(name, value)
        check_ndim(name, value, "(n, joints, 2)")
    joints = target.shape[1]
    if preds.shape[1:] != target.shape[1:] or target.shape[2] != 2:
        raise ValueError(
            f"preds and target must have (x, y) of the same joints, got {tuple(preds.shape)} and "
            f"{tuple(target.shape)}"
        )
    wanted = {"visible": (len(target), joints), "area": (len(target),), "sigmas": (joints,)}
    for (name, shape), value in zip(wanted.items(), (visible, area, sigmas), strict=True):
        check_tensor(name, value)
        if tuple(value.shape) != shape:
            raise ValueError(f"{name} must have shape {shape}, got {tuple(value.shape)}")
    preds, target, area, sigmas = as_float(preds, target, area, sigmas)
    squared = (preds[:, None] - target[None]).square().sum(3)  # (n, m, joints)
    spread = 2 * area[:, None] * (2 * sigmas).square()  # (m, joints)
    similar = torch.exp(-squared / (spread + torch.finfo(torch.float64).eps))
    return torch.where(visible, similar, 0).sum(2) / visible.sum(1)

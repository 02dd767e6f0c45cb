"""People and their joints for lesson 42b: drawn ones, or crops of COCO's photographs."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

from cvcourse.classroom.device import fewer
from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.pictures import draw_image, grid
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects.detecting import coco_to_learn_from
from cvcourse.data import stick_figures as sticks
from cvcourse.data.real import CocoKeypoints
from cvcourse.metrics.object_keypoint_similarity import COCO_SIGMAS
from cvcourse.models import read_joints
from cvcourse.ops import roi_align

SIZE = 64  # pixels, of each picture
SIDES = {"left": style.BLUE, "right": style.VERMILION}


class Skeleton(NamedTuple):
    """What a body has: for each joint a name, the joint of the other side, and COCO's sigma."""

    joints: tuple[str, ...]
    limbs: tuple[tuple[int, int], ...]  # pairs of joints that are joined
    mirrored: tuple[int, ...]
    sigmas: Tensor


class People(NamedTuple):
    """One person on each picture; area in square pixels, places of joints as of StickFigures."""

    images: Tensor  # (N, 3, SIZE, SIZE)
    joints: Tensor  # (N, joints, 2)
    visible: Tensor  # (N, joints) bool: labelled
    hooded: Tensor  # (N,) bool: nothing tells left from right
    area: Tensor  # (N,)


_OF_COCO = dict(zip(  # a stick figure's joint has the sigma of COCO's nearest
    ("head", "neck", "elbow", "hand", "hip", "knee", "foot"),
    (COCO_SIGMAS[i] for i in (0, 5, 7, 9, 11, 13, 15)), strict=True,
))  # fmt: skip
STICK = Skeleton(
    sticks.JOINTS, sticks.LIMBS, sticks.MIRRORED,
    torch.tensor([_OF_COCO[name.rpartition(" ")[2]] for name in sticks.JOINTS]),
)  # fmt: skip
COCO = Skeleton(
    ("nose", *(f"{side} {joint}" for joint in (
        "eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle",
    ) for side in ("left", "right"))),
    ((0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (6, 8), (7, 9), (8, 10), (5, 11), (6, 12),
     (11, 12), (11, 13), (12, 14), (13, 15), (14, 16)),
    (0, *(k + (1 if k % 2 else -1) for k in range(1, 17))),
    torch.tensor(COCO_SIGMAS),
)  # fmt: skip


class Coordinates(nn.Module):
    """Regression of places: a trunk's last map, its cells side by side, a hidden layer of 128, and
    two numbers for each joint.

    Pictures (N, 3, SIZE, SIZE) to (N, joints, 2) in sides of the picture, from its middle.
    trunk: of 1,024 numbers in its last map.
    """

    def __init__(self, trunk: nn.Module, joints: int) -> None:
        super().__init__()
        self.trunk, hidden = trunk, nn.Linear(1024, 128)
        self.out = nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), nn.Linear(128, 2 * joints))

    def forward(self, images: Tensor) -> Tensor:
        return self.out(self.trunk(images)[-1]).unflatten(1, (-1, 2))


@torch.no_grad()
def locate(net: nn.Module, images: Tensor, *, quarter: bool = True) -> Tensor:
    """(N, joints, 2) in pixels, on the CPU: what `Coordinates`, or a `PoseNet` of stride 4, answers
    in evaluation mode. quarter: of `read_joints`."""
    net, device = net.eval(), next(net.parameters()).device
    out = torch.cat([net(some.to(device)).cpu() for some in images.split(100)])
    if out.ndim == 3:
        return SIZE * (out + 0.5)
    return 4 * read_joints(out, quarter=quarter)[0]


def people(run: Run, split: str, *, seed: int) -> tuple[People, Skeleton]:
    """Stick figures; at scale full people of COCO, where they are present.

    split: "train", "val" or "test"; of COCO both of the latter are val2017.
    """
    sizes = {"train": run.pick(small=4000, full=10_000), "val": 200}
    count = fewer(sizes.get(split, run.pick(small=300, full=1000)), 40)
    if run.scale == "full" and (folder := coco_to_learn_from()):
        part = "train2017" if split == "train" else "val2017"
        return coco_people(folder, part, count), COCO
    return stick_people(count, split, seed=seed), STICK


def with_and_without_hoods(run: Run, *, seed: int) -> tuple[People, People, Skeleton]:
    """The test's people without a hood, and the same ones with one.

    COCO's people wear none: they come twice as they are.
    """
    folk, skeleton = people(run, "test", seed=seed)
    if skeleton is COCO:
        return folk, folk, skeleton
    count = len(folk.images)
    bare, hooded = (stick_people(count, "test", seed=seed, hooded=h) for h in (0.0, 1.0))
    return bare, hooded, skeleton


def stick_people(
    count: int, split: str = "train", *, seed: int = 0, hooded: float = 0.25
) -> People:
    """Figures over photographs, a share of them `hooded`; all joints are labelled."""
    figures = sticks.stick_figures(count, split, seed=seed, size=SIZE, hooded=hooded)
    visible = torch.ones(figures.joints.shape[:2], dtype=torch.bool)
    return People(figures.images, figures.joints, visible, figures.hooded, figures.area)


def coco_people(folder: Path, split: str, count: int, *, least: int = 6) -> People:
    """`count` people at most who have `least` joints labelled, cut out of COCO's photographs.

    A square around the middle of the box, a quarter larger than its longer side, is resized to SIZE
    (RoIAlign, black outside the photograph). Crowds are left out.
    """
    dataset = CocoKeypoints(folder, split, masks=False, crowds=False)
    found = list(islice(_crops(dataset, least), count))
    images, joints, visible, area = (torch.stack(part) for part in zip(*found, strict=True))
    return People(images, joints, visible, torch.zeros(len(images), dtype=torch.bool), area)


def _crops(dataset: CocoKeypoints, least: int):
    for image, target in dataset:
        boxes, visible = target["boxes"], target["visibility"] > 0
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        side = 1.25 * (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True)
        corner = middle - side / 2
        rois = [torch.cat([corner, corner + side], 1)]
        crops = roi_align(image[None], rois, SIZE, sampling_ratio=2, aligned=True)
        zoom = SIZE / side
        joints = (target["keypoints"] + 0.5 - corner[:, None]) * zoom[:, None] - 0.5
        area = target["area"] * zoom[:, 0].square()
        for kept in (visible.sum(1) >= least).nonzero()[:, 0].tolist():
            yield crops[kept], joints[kept], visible[kept], area[kept]


def oks_of_pycocotools(found: Tensor, people: People, sigmas: Tensor) -> Tensor:
    """(N,) object keypoint similarity of places (N, joints, 2) to people, by COCO's own program."""
    from pycocotools.cocoeval import COCOeval

    scores = []
    for said, true, seen, area in zip(
        found, people.joints, people.visible, people.area, strict=True
    ):
        judge = COCOeval(iouType="keypoints")
        judge.params.kpt_oks_sigmas = sigmas.double().numpy()
        flags = 2 * seen.float()[:, None]
        common = {"bbox": [0, 0, SIZE, SIZE], "area": float(area)}
        judge._gts[0, 0] = [common | {"keypoints": torch.cat([true, flags], 1).flatten().tolist()}]
        told = torch.cat([said, torch.ones_like(flags)], 1).flatten().tolist()
        judge._dts[0, 0] = [{"keypoints": told, "score": 1.0}]
        scores.append(judge.computeOks(0, 0).item())
    return torch.tensor(scores)


def draw_pose(axes: Axes, joints: Tensor, skeleton: Skeleton, *, true: bool = True) -> None:
    """Limbs as lines: those of a left joint blue, of a right one vermilion, others black; dashed
    where the pose is not the true one."""
    line = {"lw": 1.6, "ls": "-" if true else (0, (1.8, 0.9))}
    for a, b in skeleton.limbs:
        ends = skeleton.joints[a] + skeleton.joints[b]
        side = next((side for side in SIDES if side in ends), "middle")
        axes.plot(*joints[[a, b]].T.tolist(), color=SIDES.get(side, "black"), label=side, **line)


def show_poses(
    images: Sequence[Tensor] | Tensor,
    poses: Sequence[Tensor] | Tensor,
    titles: Sequence[str],
    skeleton: Skeleton = STICK,
    *,
    title: str,
    columns: int | None = None,
    true: int | None = None,
) -> Figure:
    """Pictures with a pose (joints, 2) over each: left limbs blue, right ones vermilion.

    true: how many of the first poses are true ones, by default all; the others are dashed.
    """
    figure, cells = grid(
        list(images), title=title, columns=columns, titles=list(titles), legend_rows=1
    )
    for i, (axes, image, joints) in enumerate(zip(cells, images, poses, strict=True)):
        draw_image(axes, 0.35 + 0.65 * image)  # paler
        draw_pose(axes, joints, skeleton, true=true is None or i < true)
    handles, labels = cells[0].get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    figure.legend(named.values(), named, loc="outside lower center", ncols=3, frameon=False)
    return style.describe(figure, f"{title}. {len(titles)} pictures: {', '.join(titles)}.")


def enlarged(heat: Tensor) -> Tensor:
    """Maps (..., h, w) of stride 4 as large as the picture: a cell lies around its pixel, 4 times
    its number, and not to the right of it."""
    large = heat.clamp(0, 1).repeat_interleave(4, -1).repeat_interleave(4, -2)
    return F.pad(large, (0, 2, 0, 2))[..., 2:, 2:]


def show_answers(
    images: Tensor,
    heat: Tensor,
    truth: Tensor,
    answers: Mapping[str, Tensor],
    *,
    title: str,
    columns: int | None = None,
) -> Figure:
    """Pictures with the map (N, h, w) of one joint laid over each, stretched to a maximum of 1; its
    true place (N, 2), a circle, and the places (N, 2) that are answered."""
    large = enlarged(heat / heat.amax((1, 2), keepdim=True))[:, None]
    figure, cells = grid(list(images), title=title, columns=columns, legend_rows=1)
    for i, axes in enumerate(cells[: len(images)]):
        draw_image(axes, 0.45 * images[i] + 0.55 * large[i])
        white = {"markerfacecolor": "none", "markeredgecolor": "white"}
        axes.plot(*truth[i].tolist(), "o", markersize=13, label="true", **white)
        for (name, places), marker in zip(answers.items(), "Xs", strict=False):
            colour = {"X": style.ORANGE, "s": style.SKY}[marker]
            axes.plot(*places[i].tolist(), marker, color=colour, markersize=7, label=name)
    handles, labels = cells[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3, facecolor="0.6", frameon=True
    )
    return style.describe(figure, f"{title}. {len(images)} pictures.")

"""Which pixels of labels lie near an outline or in a thin part, and how refined labels do there."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int64
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures.overlays import show_masks
from cvcourse.classroom.subjects.labelling import outlines


def near_outlines(
    labels: Int64[Tensor, "images height width"], *, reach: int = 4
) -> Bool[Tensor, "images height width"]:
    """Pixels whose square of `reach` pixels to each side holds another label, too."""
    number = F.pad(labels[:, None].float(), [reach] * 4, mode="replicate")
    largest = F.max_pool2d(number, 2 * reach + 1, 1)
    smallest = -F.max_pool2d(-number, 2 * reach + 1, 1)
    return (largest != smallest)[:, 0]


def thin_parts(
    masks: Bool[Tensor, "images height width"], *, reach: int = 2
) -> Bool[Tensor, "images height width"]:
    """What is gone when masks are eroded and grown again by `reach` pixels to each side.

    Beyond the picture a mask goes on as far as erosion asks, so its border thins nothing.
    """
    side = 2 * reach + 1
    eroded = -F.max_pool2d(-masks[:, None].float(), side, 1, padding=reach)
    return masks & (F.max_pool2d(eroded, side, 1, padding=reach)[:, 0] == 0)


def errors_by_place(
    maps: Int64[Tensor, "images height width"],
    labels: Int64[Tensor, "images height width"],
    before: Int64[Tensor, "images height width"],
) -> dict[str, float]:
    """Where labels are found, painted falsely, mended and spoiled; background is 0.

    before: coarser labels that `maps` were refined from.

    Returns shares of pixels. "thin" and "bulk": of thin and of other parts of objects, called an
    object; "false paint": of the background within four pixels of an outline, called an object.
    Further than four pixels from outlines, as a share of what `before` has wrong there: "deep
    mended", right in `maps`, and "deep new", right in `before` and wrong in `maps`. A label of 255
    is not judged.
    """
    judged, rim = labels != 255, near_outlines(labels)
    objects = (labels > 0) & judged
    thin = thin_parts(objects)
    places = {"thin": thin, "bulk": objects & ~thin, "false paint": rim & (labels == 0)}
    shares = {name: (maps[place] > 0).double().mean().item() for name, place in places.items()}
    wrong, deep = before != labels, judged & ~rim
    total = max(1, int((deep & wrong).sum()))
    shares["deep mended"] = int((deep & wrong & (maps == labels)).sum()) / total
    shares["deep new"] = int((deep & ~wrong & (maps != labels)).sum()) / total
    return shares


def show_refinements(
    cases: Sequence[tuple[Tensor, Tensor, Sequence[Tensor]]],
    names: Sequence[str],
    class_names: Sequence[str],
    *,
    title: str,
) -> Figure:
    """A row for each case: the picture with the truth, then, on grey, what each method answers.

    cases: (picture (3, H, W), truth (H, W), one map (H, W) a method). Panels name the method and
        its boundary IoU; printed are the shares of each class that are found, and of the background
        that is painted.
    """
    pictures, views, titles = [], [], []
    for row, (picture, truth, maps) in enumerate(cases, 1):
        pictures += [picture, *[picture.mean(0, keepdim=True).expand(3, -1, -1)] * len(maps)]
        views += [truth, *maps]
        titles.append("the truth")
        for name, answer in zip(names, maps, strict=True):
            edges = outlines(answer[None], truth[None], len(class_names)).item()
            titles.append(f"{name}: {edges:.2f}")
            found = [
                f"{c} {(answer[truth == k] == k).double().mean():.0%}"
                for k, c in enumerate(class_names)
                if k and (truth == k).any()
            ]
            painted = (answer[truth == 0] > 0).double().mean()
            told = f"found {', '.join(found)}; of the background painted {painted:.1%}"
            print(f"row {row}, {name:12s}{told}")
    columns = len(names) + 1
    return show_masks(
        pictures, views, titles, title=title, class_names=class_names, columns=columns
    )


def misleading_colours() -> dict[str, tuple[Tensor, Tensor]]:
    """Masks and grey pictures (32, 32) by name: two whose colours tell the object, two not.

    A disk that is dark, or striped with the colour of its wall; a bar three pixels wide that is
    dark, or hardly darker than its wall.
    """
    row, column = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    disk = (row - 15.5) ** 2 + (column - 15.5) ** 2 < 100
    bar = (column >= 13) & (column < 16) & (row > 3) & (row < 28)
    return {
        "plain disk": (disk, torch.where(disk, 0.2, 0.9)),
        "striped disk": (disk, torch.where(disk & (row % 8 < 4), 0.2, 0.9)),
        "dark bar": (bar, torch.where(bar, 0.2, 0.9)),
        "pale bar": (bar, torch.where(bar, 0.88, 0.9)),
    }

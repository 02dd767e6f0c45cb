"""Pictures in a grid."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from cvcourse.classroom.figures import style


def show_images(
    images: Tensor | Sequence[Tensor],
    titles: Sequence[str] | None = None,
    *,
    title: str,
    columns: int | None = None,
    alt: str | None = None,
) -> Figure:
    """Pictures side by side, each under its own title.

    images: one picture (C, H, W) or (H, W), a batch (N, C, H, W), or a list of pictures; floats in
        [0, 1] (clipped), bytes, or a mask of 0 and 1, on any device.
    title: what to see in the figure. columns: pictures in a row (None: up to six in one row, then
        as square as possible). alt: alternative text, instead of one made of the titles.
    """
    images = as_list(images)
    figure, cells = grid(images, title=title, columns=columns, titles=titles)
    for axes, image in zip(cells, images, strict=True):
        draw_image(axes, image)
    listed = f": {', '.join(titles)}" if titles else ""
    return style.describe(figure, alt or f"{title}. {count_of(len(images), 'picture')}{listed}.")


def show_gallery(
    rows: Sequence[Tensor | Sequence[Tensor]],
    row_titles: Sequence[str] | None = None,
    *,
    title: str,
    correct: Sequence[Sequence[bool | None]] | None = None,
    captions: Sequence[Sequence[str]] | None = None,
    alt: str | None = None,
) -> Figure:
    """Rows of pictures, such as a query and what was found for it, or the members of each cluster.

    rows: for each row a batch (N, C, H, W) or a list of pictures as in `show_images`; their lengths
        may differ. row_titles: written at the left. correct: for each picture True (blue frame, ✓),
        False (vermilion frame, ✗) or None (no frame). captions: written above each picture.
    """
    rows = [as_list(row) for row in rows]
    names = _checked(row_titles, "row_titles", len(rows)) or [""] * len(rows)
    columns = max(len(row) for row in rows)
    shape = to_picture(rows[0][0]).shape
    cell = (style.WIDTH / (columns + (0.6 if row_titles else 0)) - 0.1) * shape[0] / shape[1]
    extra = 0.24 if captions is not None else 0.1
    figure, cells = plt.subplots(
        len(rows),
        columns,
        figsize=(style.WIDTH, len(rows) * (cell + extra) + 0.35),
        squeeze=False,
    )
    for i, row in enumerate(rows):
        for j, axes in enumerate(cells[i]):
            if j >= len(row):
                axes.axis("off")
                continue
            draw_image(axes, row[j])
            if captions is not None:
                axes.set_title(captions[i][j], fontsize=9)
            if correct is not None and correct[i][j] is not None:
                _frame(axes, right=correct[i][j])
        cells[i][0].set_ylabel(names[i], rotation=0, ha="right", va="center", labelpad=8)
    figure.suptitle(title)
    verdict = ""
    if correct is not None:
        judged = [mark for row in correct for mark in row if mark is not None]
        verdict = f" {sum(judged)} of {len(judged)} are right (blue frame), the others wrong."
    listed = f": {', '.join(row_titles)}" if row_titles else ""
    return style.describe(
        figure, alt or f"{title}. {count_of(len(rows), 'row')} of pictures{listed}.{verdict}"
    )


def draw_image(axes: Axes, image: Tensor) -> None:
    """One picture on `axes`, without ticks; a picture without colours is drawn in greys."""
    picture = to_picture(image)
    grey = {"cmap": "gray", "vmin": 0, "vmax": 1} if picture.ndim == 2 else {}
    height, width = picture.shape[:2]
    axes.imshow(picture, extent=(0, width, height, 0), **grey)  # pixel i reaches from i to i + 1
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def to_picture(image: Tensor | np.ndarray) -> np.ndarray:
    """(C, H, W) or (H, W) on any device -> (H, W, 3) or (H, W) in [0, 1] for matplotlib.

    Floats are clipped; integers are bytes, or 0 and 1 where they are not uint8; beyond, an error.
    """
    tensor = torch.as_tensor(image).detach().cpu()
    if tensor.ndim not in (2, 3) or (tensor.ndim == 3 and tensor.shape[0] not in (1, 3)):
        raise ValueError(
            "a picture must have the shape (3, H, W), (1, H, W) or (H, W), "
            f"but has {tuple(tensor.shape)}"
        )
    values = tensor.float()
    if tensor.dtype == torch.bool or tensor.is_floating_point():
        values = values.clamp(0, 1)
    else:
        low, high = (x.item() for x in values.aminmax()) if values.numel() else (0, 0)
        if not 0 <= low <= high <= 255:
            raise ValueError(f"a picture of integers must hold 0 to 255, got {low:g} to {high:g}")
        if tensor.dtype == torch.uint8 or high > 1:  # 0 and 1 of other types are a mask
            values = values / 255
    tensor = values
    if tensor.ndim == 3:
        tensor = tensor[0] if tensor.shape[0] == 1 else tensor.permute(1, 2, 0)  # (H, W[, 3])
    return tensor.numpy()


def as_list(images: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """One picture, a batch or a list of pictures -> a list of pictures."""
    if isinstance(images, Tensor | np.ndarray):
        images = [images] if images.ndim < 4 else list(images)
    if not len(images):
        raise ValueError("images must contain at least one picture")
    return list(images)


def grid(
    images: list[Tensor],
    *,
    title: str,
    columns: int | None = None,
    titles: Sequence[str] | None = None,
    legend_rows: int = 0,
    notes: bool = False,
) -> tuple[Figure, list[Axes]]:
    """A figure of the notebook's width, as high as it needs to be, with axes for each picture.

    notes: whether a line goes below each picture.
    """
    count = len(images)
    titles = _checked(titles, "titles", count)
    if columns is None:
        columns = count if count <= 6 else int(np.ceil(np.sqrt(count * 1.5)))
    rows = -(-count // columns)
    height, width = to_picture(images[0]).shape[:2]
    cell = min((style.WIDTH - 0.1 * columns) / columns * height / width, 4.6)
    lines = (1 + max(t.count("\n") for t in titles) if titles else 0) + notes
    total = rows * (cell + 0.2 * lines + 0.08) + 0.3 + 0.22 * legend_rows + 0.1 * (legend_rows > 0)
    figure, cells = plt.subplots(rows, columns, figsize=(style.WIDTH, total), squeeze=False)
    cells = list(cells.flat)
    for axes in cells[count:]:
        axes.axis("off")
    for axes, text in zip(cells, titles or [], strict=False):
        axes.set_title(text, fontsize=10 if columns <= 4 else 9)
    figure.suptitle(title)
    return figure, cells[:count]


def drawn(figure: Figure) -> Image.Image:
    """The figure as it is now, without transparency."""
    figure.canvas.draw()
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())


def _frame(axes: Axes, *, right: bool) -> None:
    colour = style.BLUE if right else style.VERMILION
    axes.spines[:].set(visible=True, color=colour, linewidth=3)
    axes.text(
        0.96,
        0.04,
        "✓" if right else "✗",
        transform=axes.transAxes,
        ha="right",
        va="bottom",
        color="white",
        fontsize=10,
        bbox={"boxstyle": "round,pad=0.15", "facecolor": colour, "edgecolor": "none"},
    )


def _checked(texts: Sequence[str] | None, name: str, count: int) -> list[str] | None:
    if texts is not None and len(texts) != count:
        raise ValueError(f"{name} must be {count} texts, but are {len(texts)}")
    return None if texts is None else [str(text) for text in texts]


def count_of(number: int, thing: str, ending: str = "s") -> str:
    """A number with its noun, in the plural where it must be."""
    return f"{number} {thing}{'' if number == 1 else ending}"

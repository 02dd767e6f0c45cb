"""Fields of numbers over a picture: optical flow, and depth."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.pictures import as_list, grid


def show_flow(
    flows: Tensor | Sequence[Tensor],
    titles: Sequence[str] | None = None,
    *,
    title: str,
    longest: float | None = None,
    columns: int | None = None,
    alt: str | None = None,
) -> Figure:
    """Optical flow in the colours of the Middlebury wheel: hue is direction, strength is length.

    flows: one flow (2, H, W) in pixels, x to the right then y down, a batch, or a list.
    longest: the length with full colour (None: the 99th percentile of all); longer is darker.
    """
    flows = [_numbers(flow, 2) for flow in _fields(flows, 3)]
    lengths = np.concatenate([np.hypot(*flow).ravel() for flow in flows])
    if longest is None:
        longest = float(np.nanquantile(lengths, 0.99)) or 1.0
    figure, cells = grid([f[0] for f in flows], title=title, columns=columns, titles=titles)
    for axes, flow in zip(cells, flows, strict=True):
        axes.imshow(flow_colours(flow, longest))
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    _draw_wheel(cells[-1], longest)
    typical = float(np.nanmedian(lengths))
    return style.describe(
        figure,
        alt or f"{title}. Flow as colour; half of all pixels move by less than {typical:.1f} px.",
    )


def draw_flow(axes: Axes, flow: Tensor, longest: float, *, arrows: int = 8) -> None:
    """One flow (2, H, W) on `axes`, as `show_flow` has it, with the wheel and `arrows` in a row.

    An arrow begins in the middle of its piece of the field and ends where that point goes.
    """
    numbers = _numbers(flow, 2)
    height, width = numbers.shape[1:]
    axes.imshow(flow_colours(numbers, longest))
    step = max(1, round(max(height, width) / arrows))
    rows, columns = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    there = numbers[:, rows, columns]
    options = {"angles": "xy", "scale_units": "xy", "scale": 1, "width": 0.006}
    axes.quiver(columns, rows, *there, **options)
    axes.set(xticks=[], yticks=[], xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    axes.spines[:].set_visible(False)
    _draw_wheel(axes, longest)


def flow_colours(flow: np.ndarray, longest: float) -> np.ndarray:
    """(2, H, W) -> (H, W, 3) in the colours of Baker et al. 2011 (the Middlebury flow benchmark).

    `longest` is the length with full colour; unknown flow (nan) is black.
    """
    x, y = flow / longest
    length = np.hypot(x, y)
    wheel = _wheel()
    place = (np.arctan2(-y, -x) / np.pi + 1) / 2 * (len(wheel) - 1)  # 0 .. 54
    known = np.isfinite(place)
    place = np.where(known, place, 0)
    low = place.astype(int)
    share = (place - low)[..., None]
    hue = (1 - share) * wheel[low] + share * wheel[(low + 1) % len(wheel)]  # (H, W, 3)
    length = length[..., None]
    colour = np.where(length <= 1, 1 - length * (1 - hue), 0.75 * hue)
    return np.where(known[..., None], colour, 0.0)


def show_depth(
    depths: Tensor | Sequence[Tensor],
    titles: Sequence[str] | None = None,
    *,
    title: str,
    unit: str = "depth",
    columns: int | None = None,
    alt: str | None = None,
) -> Figure:
    """Depth, disparity or any other field (H, W) in one common colour scale; near is bright.

    unit: what the colour bar says. nan, where nothing is known, is grey.
    """
    depths = [_numbers(depth, None) for depth in _fields(depths, 2)]
    low = min(float(np.nanmin(depth)) for depth in depths)
    high = max(float(np.nanmax(depth)) for depth in depths)
    figure, cells = grid(depths, title=title, columns=columns, titles=titles)
    for axes, depth in zip(cells, depths, strict=True):
        axes.set_facecolor("0.6")
        shown = axes.imshow(depth, cmap="viridis_r", vmin=low, vmax=high)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    if len(cells) == 1:
        figure.colorbar(shown, cax=cells[0].inset_axes((1.03, 0.05, 0.045, 0.9)), label=unit)
    else:
        figure.colorbar(shown, ax=cells, label=unit, shrink=0.85, pad=0.015)
    return style.describe(figure, alt or f"{title}. {unit} from {low:.3g} to {high:.3g}.")


def _fields(given: Tensor | Sequence[Tensor], dims: int) -> list:
    if isinstance(given, Tensor | np.ndarray):
        given = [given] if given.ndim == dims else list(given)
    return as_list(given)


def _numbers(field: Tensor, channels: int | None) -> np.ndarray:
    numbers = torch.as_tensor(field).detach().cpu().float().numpy()
    if channels is None and numbers.ndim == 3 and numbers.shape[0] == 1:
        numbers = numbers[0]
    wanted = "(H, W)" if channels is None else f"({channels}, H, W)"
    fits = numbers.ndim == 2 if channels is None else numbers.ndim == 3 and len(numbers) == channels
    if not fits:
        raise ValueError(f"a field must have the shape {wanted}, but has {numbers.shape}")
    return numbers


def _wheel() -> np.ndarray:
    """The wheel's 55 colours: six ramps between red, yellow, green, cyan, blue, magenta and red."""
    corners = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]], float)
    ramps = []
    for i, count in enumerate((15, 6, 4, 11, 13, 6)):
        share = (np.arange(count) / count)[:, None]
        ramps.append((1 - share) * corners[i] + share * corners[(i + 1) % 6])
    return np.concatenate(ramps)


def _draw_wheel(axes, longest: float) -> None:
    """The key, in the corner of a flow picture."""
    y, x = np.mgrid[-1:1:61j, -1:1:61j]
    picture = flow_colours(np.stack([x, y]).astype(np.float32), 1.0)
    outside = np.hypot(x, y) > 1
    key = axes.inset_axes((0.0, 0.0, 0.24, 0.24), anchor="SW")
    key.imshow(np.dstack([picture, ~outside]))
    key.text(30, -4, f"{longest:.3g} px", ha="center", va="bottom", fontsize=7.5)
    key.axis("off")

"""What the lesson on distillation looks at: small pictures, and a teacher's answers to them."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from torch import Tensor

from cvcourse.classroom.figures import draw_image
from cvcourse.classroom.figures.style import COLOURS
from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.data import digits, real


def small_pictures(run: Run) -> dict[str, tuple[Tensor, Tensor]]:
    """Images (N, C, side, side) in [0, 1] and labels (N,), 0 to 9, for "train", "val" and "test".

    The digits of `cvcourse.data.digits`; at scale full CIFAR-10, where `data_scripts/` has fetched
    it, with the last tenth of its training pictures for "val". A line says which.
    """
    folder = real.find("cifar10") if run.scale == "full" else None
    if folder is None:
        name, parts = "digits", {split: digits.load(split) for split in ("train", "val", "test")}
    else:
        name, parts = "CIFAR-10", {}
        train, test = (
            real.Cifar10(folder / "cifar-10-batches-bin", split) for split in ("train", "test")
        )
        held = len(train) - len(train) // 10
        for split, data, part in (
            ("train", train, slice(held)),
            ("val", train, slice(held, None)),
            ("test", test, slice(None)),
        ):
            parts[split] = data.images[part].float() / 255, data.labels[part]
    counts = ", ".join(f"{len(labels):,} {split}" for split, (_, labels) in parts.items())
    say(f"data: {name}, {counts}")
    return parts


def draw_answers(
    cells: Sequence[Axes],
    image: Tensor,
    logits: Tensor,
    temperatures: Sequence[float],
    *,
    title: str,
    marked: int,
) -> None:
    """A picture in the first cell; in each other one the answer at a temperature, as bars.

    logits: (classes,). marked: the class whose bar has another colour, and whose probability the
        title of each cell tells.
    """
    draw_image(cells[0], image)
    cells[0].set_title(title)
    for cell, T in zip(cells[1:], temperatures, strict=True):
        p = (logits / T).softmax(0)
        bars = cell.bar(range(len(p)), p, color=COLOURS[4])
        bars[marked].set_color(COLOURS[5])
        told = f"T = {T:g}: “{marked}” gets {p[marked]:.2f}"
        cell.set(xticks=range(len(p)), ylim=(0, 1.05), title=told)
        cell.tick_params(labelsize=8)

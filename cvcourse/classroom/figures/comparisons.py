"""Before and after: two pictures one upon the other, and a slider that says how much of which."""

import base64
import html
import io
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image
from torch import Tensor

from cvcourse.classroom.figures.pictures import draw_image, drawn, grid, to_picture

LARGEST = 1_000_000  # bytes of a comparison in a page
_WIDE = 360  # pixels on the screen
# JupyterLab strips `onload` and `oninput` from a page that it does not trust, and keeps `hidden`:
# there, and without JavaScript, the still is shown.
_READY = "this.hidden = true; this.nextElementSibling.hidden = false"
_MOVED = "this.parentNode.style.setProperty('--seen', this.value + '%')"
_PRINTED = (
    "@media print { .before-after > img { display: block !important } "
    ".before-after > div { display: none !important } }"
)


class BeforeAfter:
    """Two pictures in a notebook: a slider uncovers the second, from left to right.

    still: both side by side, a PNG; it is what is printed, exported, and shown where no script
    runs. pictures: two PNGs of one size. size: of the still. names: of the pictures.
    """

    def __init__(
        self,
        still: bytes,
        pictures: tuple[bytes, bytes],
        size: tuple[int, int],
        names: tuple[str, str],
        title: str,
        alt: str,
    ) -> None:
        self.still, self.pictures, self.size = still, pictures, size
        self.names, self.title, self.alt = names, title, alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        shown = {"text/html": self.as_html(), "image/png": base64.b64encode(self.still).decode()}
        return shown, {"image/png": {"alt": self.alt}}

    def as_html(self) -> str:
        still, before, after = (
            f"data:image/png;base64,{base64.b64encode(png).decode()}"
            for png in (self.still, *self.pictures)
        )
        first, second, title = (html.escape(text) for text in (*self.names, self.title))
        width, height = self.size
        picture = "display: block; width: 100%; margin: 0; image-rendering: pixelated"
        cut = "clip-path: inset(0 calc(100% - var(--seen)) 0 0)"
        over = f"position: absolute; z-index: 1; top: 0; left: 0; {cut}"
        line = (
            "position: absolute; z-index: 2; top: 0; bottom: 0; left: calc(var(--seen) - 1px); "
            "width: 2px; background: white; outline: 1px solid black"
        )
        return (
            f'<div class="before-after"><style>{_PRINTED}</style>'
            f'<img src="{still}" alt="{html.escape(self.alt)}" width="{width}" height="{height}" '
            f'style="max-width: 100%; height: auto" onload="{_READY}">'
            f'<div hidden style="--seen: 50%; max-width: {_WIDE}px">'
            f"<strong>{title}</strong>"
            '<div style="position: relative; overflow: hidden">'
            f'<img src="{before}" alt="{first}" style="{picture}; {over}">'
            f'<img src="{after}" alt="{second}" style="{picture}">'
            f'<div style="{line}"></div></div>'
            f'<input type="range" min="0" max="100" value="50" aria-label="{first} to the left of '
            f'the line, {second} to its right: where the line is, in percent" '
            f'style="width: 100%; margin: 0.3em 0 0" oninput="{_MOVED}">'
            '<div style="display: flex; justify-content: space-between">'
            f"<span>left: {first}</span><span>right: {second}</span></div></div></div>"
        )


def show_before_after(
    before: Tensor,
    after: Tensor,
    names: Sequence[str] = ("before", "after"),
    *,
    title: str,
    alt: str | None = None,
) -> BeforeAfter:
    """One picture over another, and a slider that uncovers it: end a cell with it.

    before, after: pictures of one size, as in `show_images`. names: what they are called. title:
    what to see. alt: alternative text of both, instead of one made of the titles.

    The slider is moved by pointer or arrow keys and needs no kernel, so that exported pages have
    it, too. Print, and pages in which no script runs, have both pictures side by side.

    Raises a `ValueError` where sizes differ, where there are not two names, or where the whole is
    larger than 1 MB.
    """
    one_text, names = isinstance(names, str), tuple(str(name) for name in names)
    if len(names) != 2 or one_text:
        raise ValueError(f"names must be two texts, got {len(names)}")
    shapes = [to_picture(picture).shape[:2] for picture in (before, after)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"after must be as large as before, {shapes[0]}, got {shapes[1]}")
    figure, cells = grid([before, after], title=title, titles=names)
    for axes, picture in zip(cells, (before, after), strict=True):
        draw_image(axes, picture)
    both = drawn(figure)
    plt.close(figure)
    still, first, second = (_png(image) for image in (both, _bytes(before), _bytes(after)))
    told = alt or f"{title}. Two pictures, one over the other: {names[0]}, {names[1]}."
    shown = BeforeAfter(still, (first, second), both.size, names, title, told)
    if (size := len(shown.as_html())) > LARGEST:
        raise ValueError(
            f"a comparison may have {LARGEST:,} bytes, got {size:,}: smaller pictures?"
        )
    return shown


def _bytes(picture: Tensor) -> Image.Image:
    return Image.fromarray((to_picture(picture) * 255).round().astype(np.uint8)).convert("RGB")


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png", optimize=True)
    return file.getvalue()

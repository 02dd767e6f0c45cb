"""Films: pictures that move in the page, and a still for print and for whom motion disturbs."""

import base64
import html
import io
from collections.abc import Mapping

import matplotlib.pyplot as plt
from PIL import Image
from torch import Tensor

from cvcourse.classroom.figures.pictures import count_of, draw_image, drawn, grid, to_picture

LARGEST = 1_000_000  # bytes of a film in a page


class Film:
    """A film in a notebook: moves, unless the reader's system asks for less motion.

    film: an animated WebP, as bytes. still: one frame of it, a PNG.
    """

    def __init__(self, film: bytes, still: bytes, size: tuple[int, int], alt: str) -> None:
        self.film, self.still, self.size, self.alt = film, still, size, alt

    def _repr_mimebundle_(self, include=None, exclude=None):
        shown = {"text/html": self.as_html(), "image/png": base64.b64encode(self.still).decode()}
        return shown, {"image/png": {"alt": self.alt}}

    def as_html(self) -> str:
        film, still = (base64.b64encode(data).decode() for data in (self.film, self.still))
        width, height = self.size
        return (
            '<picture class="film"><source media="(prefers-reduced-motion: reduce), print" '
            f'srcset="data:image/png;base64,{still}">'
            f'<img src="data:image/webp;base64,{film}" alt="{html.escape(self.alt)}" '
            f'width="{width}" height="{height}" style="max-width: 100%; height: auto"></picture>'
        )


def show_film(
    films: Tensor | Mapping[str, Tensor],
    *,
    title: str,
    rate: float = 6,
    still: int = 0,
    columns: int | None = None,
    alt: str | None = None,
) -> Film:
    """Films side by side that run together, over and over: end a cell with it.

    films: one film (T, C, H, W) or (T, H, W), or {its title: a film}, all of as many frames; values
        as in `show_images`. title: what to see. rate: frames a second. still: the frame for print
        and for readers whose system asks for less motion. columns: films in a row. alt:
        alternative text, instead of one made of the titles.

    Raises a `ValueError` where films are of different lengths, or the whole is larger than 1 MB:
    take fewer or smaller frames.
    """
    named = films if isinstance(films, Mapping) else {"": films}
    frames = [list(film) for film in named.values()]
    lengths = {len(film) for film in frames}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"films must have as many frames each, 1 or more, got {sorted(lengths)}")
    [length] = lengths
    if not 0 <= still < length:
        raise ValueError(
            f"still must be one of the {length} frames, 0 to {length - 1}, got {still}"
        )
    titles = list(named) if isinstance(films, Mapping) else None
    firsts = [film[0] for film in frames]
    figure, cells = grid(firsts, title=title, columns=columns, titles=titles)
    for axes, first in zip(cells, firsts, strict=True):
        draw_image(axes, first)
    for _ in range(3):  # the layout settles: a film whose frames shift seems to move
        figure.canvas.draw()
    figure.set_layout_engine("none")
    pages = [_page(figure, cells, [film[i] for film in frames]) for i in range(length)]
    plt.close(figure)
    moving, picture = io.BytesIO(), io.BytesIO()
    options = {"save_all": True, "append_images": pages[1:], "loop": 0, "quality": 80}
    pages[0].save(moving, "webp", duration=round(1000 / rate), **options)
    pages[still].save(picture, "png")
    if moving.tell() > LARGEST:
        raise ValueError(f"a film may have {LARGEST:,} bytes, got {moving.tell():,}: fewer frames?")
    listed = f": {', '.join(named)}" if titles else ""
    told = alt or f"{title}. {count_of(len(frames), 'film')} of {length} frames{listed}."
    return Film(moving.getvalue(), picture.getvalue(), pages[0].size, told)


def _page(figure, cells, images) -> Image.Image:
    for axes, image in zip(cells, images, strict=True):
        axes.get_images()[0].set_data(to_picture(image))
    return drawn(figure)

"""How figures look, and how they are shown: readable at notebook width, with alternative text."""

import base64
import html
import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

# Okabe & Ito's palette (https://jfly.uni-koeln.de/color/), safe for the common kinds of colour
# blindness; its yellow, too pale for lines on white, comes last.
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, BLACK, YELLOW = COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#000000",
    "#F0E442",
)
WIDTH = 8.2  # inches; at 110 dots per inch about 900 px, the width of a notebook's page
SETTINGS = {
    "figure.figsize": (WIDTH, 4.2),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 110,
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.labelsize": 10.5,
    "figure.titlesize": 12,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "grid.color": "#dddddd",
    "lines.linewidth": 1.8,
    "image.cmap": "viridis",
    "image.interpolation": "nearest",
    "axes.prop_cycle": plt.cycler(color=COLOURS[:7]),
}


def use() -> None:
    """Set the course's style for all figures; in a notebook also how figures are shown."""
    plt.rcParams.update(SETTINGS)
    shell = _shell()
    if shell is not None:
        shell.display_formatter.mimebundle_formatter.for_type(Figure, _shown_once)


def colour_of(index: int) -> str:
    """The fixed colour of class `index` on pictures: seven hues, then darker, then paler ones."""
    hue = np.array(to_rgb((*COLOURS[:6], YELLOW)[index % 7]))
    return to_hex((hue, 0.55 * hue, 0.5 + 0.5 * hue)[index // 7 % 3])


def readable_on(colour: str) -> str:
    """Black or white, whichever is read more easily on `colour`."""
    red, green, blue = to_rgb(colour)
    return "black" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"


def describe(figure: Figure, text: str) -> Figure:
    """Give a figure the alternative text that a screen reader reads out."""
    figure.alt_text = text
    return figure


def alt_text(figure: Figure) -> str:
    """The text given by `describe`, or else titles and axis labels in words."""
    if getattr(figure, "alt_text", ""):
        return figure.alt_text
    parts = [figure.get_suptitle()]
    for axes in figure.axes:
        labels = " against ".join(filter(None, [axes.get_ylabel(), axes.get_xlabel()]))
        parts.append(": ".join(filter(None, [axes.get_title(), labels])))
    return "Figure. " + "; ".join(filter(None, parts))


def png(figure: Figure) -> bytes:
    """The figure as a PNG picture, at the figure's own size."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=figure.dpi)
    return buffer.getvalue()


def image_tag(figure: Figure, picture: bytes | None = None) -> str:
    """The figure (or a picture of it) as an HTML image with its alternative text and its size."""
    encoded = base64.b64encode(picture or png(figure)).decode()
    width, height = (round(inches * figure.dpi) for inches in figure.get_size_inches())
    return (
        f'<img src="data:image/png;base64,{encoded}" alt="{html.escape(alt_text(figure))}" '
        f'width="{width}" height="{height}" decoding="sync" '
        'style="max-width: 100%; height: auto">'
    )


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    return _shell() is not None and hasattr(_shell(), "kernel")


def _shown_once(figure: Figure) -> tuple[dict, dict]:
    """What a notebook shows of a figure; JupyterLab reads `alt` from the HTML, exporters from both.

    A notebook shows a figure when it is a cell's last value, and shows all open figures once the
    cell has ended. Closing a figure as it is shown makes that once, whichever comes first.
    """
    picture = png(figure)
    plt.close(figure)
    shown = {"text/html": image_tag(figure, picture), "image/png": picture}
    return shown, {"image/png": {"alt": alt_text(figure)}}


def _shell():
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()

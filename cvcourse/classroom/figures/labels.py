"""Labels of boxes that stay inside the picture and off each other, whatever size it is drawn at."""

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import IdentityTransform

from cvcourse.classroom.figures import style

SIZE = 8  # points
PADDING = 0.15  # of the size
LAYER = 3  # of the texts; what places them is drawn just before

Rectangle = tuple[float, float, float, float]  # left, bottom, right, top; in pixels of the screen


def label_box(axes: Axes, text: str, box: Rectangle, colour: str, *, below: bool = False) -> None:
    """Write at a box of `axes`: above it or at its foot (`below`) where there is room.

    box: x1, y1, x2, y2 in the axes' units. Labels that are written first get the best places.
    """
    labels = next((a for a in axes.artists if isinstance(a, _Labels)), None)
    if labels is None:
        labels = axes.add_artist(_Labels())
    written = axes.text(
        0,
        0,
        text,
        transform=IdentityTransform(),
        ha="left",
        va="bottom",
        fontsize=SIZE,
        color=style.readable_on(colour),
        bbox={"boxstyle": f"square,pad={PADDING}", "facecolor": colour, "edgecolor": "none"},
        zorder=LAYER,
        clip_on=True,
    )
    written.set_in_layout(False)
    labels.add(written, box, below)


class _Labels(Artist):
    """Puts the labels of one picture into their places each time it is drawn."""

    def __init__(self):
        super().__init__()
        self.set_zorder(LAYER - 0.1)
        self.set_in_layout(False)
        self._labels: list[tuple[Text, Rectangle, bool]] = []

    def add(self, text: Text, box: Rectangle, below: bool) -> None:
        self._labels.append((text, box, below))

    def draw(self, renderer) -> None:
        frame = self.axes.bbox.extents
        taken: list[Rectangle] = []
        pad = renderer.points_to_pixels(PADDING * SIZE)
        for text, (x1, y1, x2, y2), below in self._labels:
            bounds = text.get_window_extent(renderer)
            size = bounds.width + 2 * pad, bounds.height + 2 * pad
            (xa, ya), (xb, yb) = self.axes.transData.transform([(x1, y1), (x2, y2)])
            box = min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)
            place = best_place(box, size, frame, taken, below=below)
            taken.append(place)
            text.set_position((place[0] + pad, place[1] + pad))


def best_place(
    box: Rectangle,
    size: tuple[float, float],
    frame: Rectangle,
    taken: list[Rectangle],
    *,
    below: bool = False,
) -> Rectangle:
    """Where a label goes: at the box, within the frame, and on nothing that is `taken`.

    Tried are the corners of the box, outside before inside, and one line farther; each is pushed
    into the frame. Least bad is what overlaps least, then what was pushed least, then what comes
    first.
    """
    left, bottom, right, top = box
    width, height = size
    outer = [(left, top), (right - width, top), (left, bottom - height)]
    outer += [(right - width, bottom - height), (right, top - height), (left - width, top - height)]
    outer += [(right, bottom), (left - width, bottom)]
    inner = [(left, top - height), (right - width, top - height)]
    inner += [(left, bottom), (right - width, bottom)]
    farther = [(left, top + height), (left, bottom - 2 * height)]
    corners = outer + inner + farther
    if below:
        corners = [(x, top + bottom - y - height) for x, y in corners]  # upside down

    def pushed(corner: tuple[float, float]) -> Rectangle:
        x = max(frame[0], min(corner[0], frame[2] - width))
        y = max(frame[1], min(corner[1], frame[3] - height))
        return x, y, x + width, y + height

    def badness(number: int) -> float:
        place, (x, y) = pushed(corners[number]), corners[number]
        covered = sum(_overlap(place, other) for other in taken) / (width * height)
        moved = (abs(place[0] - x) + abs(place[1] - y)) / height
        return 50 * covered + moved + 0.1 * number

    return pushed(corners[min(range(len(corners)), key=badness)])


def _overlap(one: Rectangle, other: Rectangle) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height)

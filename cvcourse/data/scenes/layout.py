"""Which objects a scene has, how large they are, where they stand, and what hangs behind them."""

from math import cos, pi, sin

from .canvas import Wall
from .options import Options
from .randomness import Stream
from .things import Pose, Thing, draw_angle, draw_thing, height

_TRIES = 60


def draw_objects(stream: Stream, options: Options, room: float = 1.0) -> list[tuple[Thing, Pose]]:
    """Objects with their poses, the farthest first. Fewer than asked for where there is no room.

    room: how many times larger the objects may grow without meeting.
    """
    few, many = options.objects
    count = few + stream.integer(many - few + 1)
    circles = _draw_circles(stream, options, count)
    # Large ones tend to be near. No two occupy the same depths, so they hang in front of each other
    # without meeting, however they move in their planes.
    circles.sort(key=lambda circle: -circle[2] * stream.uniform(0.5, 1.5))
    spread = 0.35 * min(1, 4 / max(count, 1))
    placed, depth = [], 4.0
    for x, y, radius in circles:
        label = 1 + stream.integer(len(options.classes) - 1)
        kind = options.classes[label]
        thing = draw_thing(stream, options.split, label, kind, options.texture)
        turn = draw_angle(stream, kind, options.rotation)
        thickness = room * height(thing) * radius / options.focal  # in units of its depth
        depth = (depth + spread * stream.uniform(0.05, 1)) / (1 - thickness)
        placed.append((thing, Pose(x, y, radius, *turn, depth)))
    return placed[::-1]


def draw_wall(stream: Stream, farthest: float, options: Options, reach: float = 1.0) -> Wall:
    """A wall that leans a little, behind everything.

    reach: how far from the centre it stays behind, in half sides of the picture.
    """
    a, b = stream.uniform(-0.3, 0.3), stream.uniform(-0.3, 0.3)
    corner = 1 + (abs(a) + abs(b)) * reach * options.size / 2 / options.focal
    return Wall((farthest + stream.uniform(0.1, 0.6)) * corner, a, b)


def _draw_circles(stream: Stream, options: Options, count: int) -> list[tuple[float, float, float]]:
    """Bounding circles (x, y, radius) in pixels that keep the distance their placement asks for."""
    low, high = (share * options.size / 2 for share in options.scale)
    radii = []
    for _ in range(count):
        radii.append(stream.uniform(low, high))
    circles = []
    for radius in sorted(radii, reverse=True):
        for _ in range(_TRIES):
            x, y = _draw_centre(stream, options, circles, radius)
            if all(_far_enough(x, y, radius, other, options.placement) for other in circles):
                circles.append((x, y, radius))
                break
            radius = max(low, 0.95 * radius)
    return circles


def _draw_centre(stream: Stream, options: Options, circles, radius: float) -> tuple[float, float]:
    if options.placement == "touching" and circles:
        x, y, other = circles[stream.integer(len(circles))]
        angle = stream.uniform(0, 2 * pi)
        reach = 0.84 * (radius + other)
        x, y = x + reach * cos(angle), y + reach * sin(angle)
        low, high = radius, options.size - radius
        return min(max(x, low), high), min(max(y, low), high)
    margin = radius * (0.4 if options.placement == "overlapping" else 1)
    low, high = min(margin, options.size / 2), max(options.size - margin, options.size / 2)
    return stream.uniform(low, high), stream.uniform(low, high)


def _far_enough(x: float, y: float, radius: float, other, placement: str) -> bool:
    small, large = sorted((radius, other[2]))
    distance = {
        "overlapping": 0.8 * large + 0.2 * small,  # at least a third of either stays visible
        "apart": large + small + 2,
        "touching": 0.8 * (large + small),
    }[placement]
    return (x - other[0]) ** 2 + (y - other[1]) ** 2 >= distance * distance

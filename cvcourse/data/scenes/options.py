"""What one may ask of the simulator, and the errors for what one may not."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real

from .backgrounds import BACKGROUNDS
from .randomness import SPLITS
from .things import KINDS

PLACEMENTS = ("overlapping", "apart", "touching")
EXTRAS = ("full_masks", "albedo", "alpha", "background", "shading")


@dataclass(frozen=True)
class Options:
    """Checked options of `Scenes` and `Clips`; what each means is said there."""

    size: int
    seed: int
    split: str
    objects: int | tuple[int, int]
    classes: tuple[str, ...]
    scale: tuple[float, float]
    rotation: float
    placement: str
    background: str
    texture: float
    lighting: float
    shadow: float
    noise: float
    blur: float
    extras: tuple[str, ...] = ()

    def __post_init__(self):
        if isinstance(self.objects, Integral):
            object.__setattr__(self, "objects", (self.objects, self.objects))
        for name in ("objects", "classes", "scale", "extras"):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise ValueError(f"{name} must be a tuple, got {value!r}")
            object.__setattr__(self, name, tuple(value))
        check("size", self.size, "a whole number from 16 to 2048", Integral, 16, 2048)
        check("seed", self.seed, "a whole number from 0 to 2**60", Integral, 0, 2**60)
        check_one("split", self.split, SPLITS)
        _check_range(
            "objects", self.objects, "a count or (least, most) up to 200", Integral, 0, 200
        )
        known = self.classes[:1] == ("background",) and set(self.classes[1:]) <= set(KINDS)
        if not known or len(self.classes) < 2:
            raise ValueError(
                f"classes must be 'background' and then some of {KINDS}, got {self.classes}"
            )
        _check_range("scale", self.scale, "(least, most) from 0.01 to 1", Real, 0.01, 1)
        check("rotation", self.rotation, "degrees from 0 to 180", Real, 0, 180)
        check_one("placement", self.placement, PLACEMENTS)
        check_one("background", self.background, BACKGROUNDS)
        for name in ("texture", "lighting", "shadow", "noise", "blur"):
            check(name, getattr(self, name), "a strength from 0 to 5", Real, 0, 5)
        for extra in self.extras:
            check_one("extras", extra, EXTRAS)

    @property
    def focal(self) -> float:
        """Focal length in pixels: the view is 45 degrees wide."""
        return 1.2 * self.size


def check(name: str, value, expected: str, kind: type, low: float, high: float):
    if not isinstance(value, kind) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be {expected}, got {value!r}")
    return value


def _check_range(name: str, value: tuple, expected: str, kind: type, low: float, high: float):
    numbers = len(value) == 2 and all(isinstance(number, kind) for number in value)
    if not numbers or not low <= value[0] <= value[1] <= high:
        raise ValueError(f"{name} must be {expected}, got {value}")


def check_one(name: str, value, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {tuple(choices)}, got {value!r}")

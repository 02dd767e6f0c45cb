"""What one may ask of the simulator, and the errors for what one may not."""

from dataclasses import dataclass

from .backgrounds import BACKGROUNDS
from .randomness import SPLITS
from .things import CLASSES, KINDS

PLACEMENTS = ("overlapping", "apart", "touching")
EXTRAS = ("full_masks", "albedo", "alpha", "background", "shading")


@dataclass(frozen=True)
class Options:
    """Checked options of `Scenes` and `Clips`; what each means is said there."""

    size: int = 128
    seed: int = 0
    split: str = "train"
    objects: int | tuple[int, int] = (1, 4)
    classes: tuple[str, ...] = CLASSES
    scale: tuple[float, float] = (0.15, 0.45)
    rotation: float = 180.0
    placement: str = "overlapping"
    background: str = "photograph"
    texture: float = 1.0
    lighting: float = 1.0
    shadow: float = 1.0
    noise: float = 1.0
    blur: float = 1.0
    extras: tuple[str, ...] = ()

    def __post_init__(self):
        if isinstance(self.objects, int):
            object.__setattr__(self, "objects", (self.objects, self.objects))
        for name in ("objects", "classes", "scale", "extras"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        whole, real = (int,), (int, float)
        check("size", self.size, "a whole number from 16 to 2048", whole, 16, 2048)
        check("seed", self.seed, "a whole number from 0 to 2**60", whole, 0, 2**60)
        check_one("split", self.split, SPLITS)
        few, many = (*self.objects, None, None)[:2]
        if len(self.objects) != 2 or not 0 <= few <= many <= 200:
            raise ValueError(
                f"objects must be a count or (least, most) up to 200, got {self.objects}"
            )
        known = self.classes[:1] == ("background",) and set(self.classes[1:]) <= set(KINDS)
        if not known or len(self.classes) < 2:
            raise ValueError(
                f"classes must be 'background' and then some of {KINDS}, got {self.classes}"
            )
        if len(self.scale) != 2 or not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f"scale must be (least, most) in (0, 1], got {self.scale}")
        check("rotation", self.rotation, "degrees from 0 to 180", real, 0, 180)
        check_one("placement", self.placement, PLACEMENTS)
        check_one("background", self.background, BACKGROUNDS)
        for name in ("texture", "lighting", "shadow", "noise", "blur"):
            check(name, getattr(self, name), "a strength from 0 to 5", real, 0, 5)
        for extra in self.extras:
            check_one("extras", extra, EXTRAS)

    @property
    def focal(self) -> float:
        """Focal length in pixels: the view is 45 degrees wide."""
        return 1.2 * self.size


def check(name: str, value, expected: str, kinds: tuple[type, ...], low: float, high: float):
    if not isinstance(value, kinds) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be {expected}, got {value!r}")
    return value


def check_one(name: str, value, choices):
    if value not in choices:
        raise ValueError(f"{name} must be one of {tuple(choices)}, got {value!r}")

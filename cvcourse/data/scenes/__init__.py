"""One simulator for the whole course: objects over photographs, with everything known about them.

`Scenes` are single pictures, `Clips` are short videos. Read `stills.py` for what a target
holds, and then, in building order: randomness, shapes, surfaces, light, canvas, layout, camera.
"""

from .batches import collate, stack
from .clips import Clips, frame
from .motion import ACTIONS
from .stills import Scenes
from .surfaces import COLORS
from .things import CLASSES, DIGITS, KINDS, RENDERED_DIGITS

__all__ = [
    "ACTIONS",
    "CLASSES",
    "COLORS",
    "DIGITS",
    "KINDS",
    "RENDERED_DIGITS",
    "Clips",
    "Scenes",
    "collate",
    "frame",
    "stack",
]

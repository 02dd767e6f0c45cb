"""`Scenes`: single pictures with everything known about them."""

from numbers import Integral

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import backgrounds, camera, layout, targets
from . import light as lighting
from .canvas import Canvas
from .options import Options, check
from .randomness import Stream
from .things import CLASSES


class Scenes(Dataset):
    """Pictures of objects over photographs, with boxes, masks, depth and normals.

    `scenes[i]` is a function of (split, seed, i) and the options alone. It gives an image
    (3, size, size) float32 in [0, 1] and a target in torchvision's form, for N visible objects:

    boxes (N, 4)        float32 (x1, y1, x2, y2) on the edges of pixels, tight around `masks`
    labels (N,)         int64 index in `classes`; 0 is the background, so objects start at 1
    masks (N, H, W)     bool, visible pixels: the object is nearest at the pixel's centre
    area (N,)           float32, pixels of `masks`
    iscrowd (N,)        int64 zeros
    image_id            int, the index
    full_boxes (N, 4)   float32, around the whole object, hidden or outside the picture as it may be
    visibility (N,)     float32, visible pixels / pixels of the whole object
    semantic (H, W)     int64, the label of each pixel
    depth (H, W)        float32, along the optical axis from the camera; focal length 1.2 size
    normals (3, H, W)   float32 unit vectors: x right, y down, z to the camera
    colors (N,)         int64 index in COLORS
    poses (N, 4)        float32: x and y of the centre, radius (pixels), angle (degrees clockwise)
    object_depth (N,)   float32, depth of each object's back plane; larger is farther
    light (4,)          float32: unit vector to the light, and the share of ambient light

    Objects of which nothing can be seen are left out. With `extras`:
    full_masks (N, H, W) bool, pixels of the object, hidden or not;  albedo (3, H, W), colour before
    light;  shading (H, W), its factor;  alpha (H, W), share of the pixel covered by objects;
    background (3, H, W), the picture without objects, shadows and noise.

    length      number of scenes
    size        height and width in pixels, 16 to 2048 (made for 64 to 512)
    split       "train", "val" or "test": other random streams, other photographs, other originals
                of digits, coins and faces. Shapes, colours and patterns are shared.
    objects     a count, or (least, most); fewer where there is no room
    classes     "background" and then any of KINDS
    scale       (least, most) diameter of the circle around an object, in sides of the image
    rotation    objects are turned by up to this many degrees, upright kinds by up to 15
    placement   "overlapping", "apart", or "touching" like cells in a dish
    background  "photograph" or "plain"
    texture, lighting, shadow, noise, blur
                strengths: 0 switches off, 1 is natural, up to 5 is stranger
    """

    def __init__(
        self,
        length: int,
        *,
        size: int = 128,
        seed: int = 0,
        split: str = "train",
        objects: int | tuple[int, int] = (1, 4),
        classes: tuple[str, ...] = CLASSES,
        scale: tuple[float, float] = (0.15, 0.45),
        rotation: float = 180.0,
        placement: str = "overlapping",
        background: str = "photograph",
        texture: float = 1.0,
        lighting: float = 1.0,
        shadow: float = 1.0,
        noise: float = 1.0,
        blur: float = 1.0,
        extras: tuple[str, ...] = (),
    ):
        self.length = check("length", length, "a whole number, 0 or more", Integral, 0, 2**62)
        self.options = Options(
            size, seed, split, objects, classes, scale, rotation, placement, background,
            texture, lighting, shadow, noise, blur, extras,
        )  # fmt: skip
        self.classes = self.options.classes

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        if not 0 <= index < self.length:
            raise IndexError(f"index must be from 0 to {self.length - 1}, got {index}")
        options = self.options
        stream = Stream(options.split, options.seed, index)
        light = lighting.draw_light(stream, options.lighting)
        objects = layout.draw_objects(stream, options)
        farthest = objects[0][1].depth if objects else 4.0
        wall = layout.draw_wall(stream, farthest, options)
        behind = backgrounds.draw_still(stream, options.split, options.size, options.background)
        canvas = Canvas(options.size, options.focal, [wall], light)
        canvas.albedo[0] = behind
        bare = np.minimum(canvas.image(0), 1) if "background" in options.extras else None
        for thing, pose in objects:
            canvas.add(thing, [pose], options.shadow)
        lens = camera.draw_lens(stream, options.blur, options.noise)
        image = camera.expose(stream, canvas.image(0), lens)
        target = targets.still_target(canvas, options.extras) | {"image_id": index}
        if bare is not None:
            target["background"] = torch.from_numpy(bare)
        return torch.from_numpy(image), target

"""`Clips`: short videos of moving objects and a moving camera, with optical flow and tracks."""

from numbers import Integral, Real

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import backgrounds, camera, flow, layout, motion, targets
from . import light as lighting
from .canvas import Canvas
from .motion import ACTIONS, WANDER
from .options import Options, check, check_one
from .randomness import Stream
from .sampling import look_up_mirrored
from .things import CLASSES


class Clips(Dataset):
    """Videos: `clips[i]` gives frames (T, 3, size, size) and a target for the N objects ever seen.

    Object n has the same place n in every frame (its track). Where it cannot be seen, its mask is
    empty and its box zeros. Beside the keys of `Scenes`, of which boxes, masks, area, full_boxes,
    visibility, semantic, depth, normals, poses and object_depth get a first dimension T:

    flow (T-1, 2, H, W)     float32, x and y: what is at p in frame t is at p + flow in frame t + 1
    occluded (T-1, H, W)    bool, what is seen at p in frame t cannot be seen in t + 1: p + flow is
                            out of the picture, or inside the outline of something nearer
    action                  int64, index in `actions`: what all objects do, each at its own pace
    camera (T, 3)           float32, where the camera is: x right, y down, z forward, as depth

    Flow is exact for the objects' planes and for the leaning wall. Shading and shadows stay with
    the light, so brightness is constant along the flow only at lighting=0.

    frames      frames of a clip, at least 1
    actions     of which one is drawn for each clip; ("wander",) sends every object its own way
    speed       1 moves objects by up to 0.035 sides a frame, turns by 9 degrees, grows by 7 %
    camera      1 moves the camera by up to 0.05 a frame (objects start at a depth of 4)
    Others are those of `Scenes`, whose `extras` are not for clips.
    """

    def __init__(
        self,
        length: int,
        *,
        frames: int = 8,
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
        actions: tuple[str, ...] = ACTIONS,
        speed: float = 1.0,
        camera: float = 1.0,
    ):
        self.length = check("length", length, "a whole number, 0 or more", Integral, 0, 2**62)
        self.frames = check("frames", frames, "a whole number from 1 to 1000", Integral, 1, 1000)
        self.options = Options(
            size, seed, split, objects, classes, scale, rotation, placement, background,
            texture, lighting, shadow, noise, blur,
        )  # fmt: skip
        self.classes = self.options.classes
        self.actions = tuple(actions)
        for action in self.actions or (None,):
            check_one("actions", action, (*ACTIONS, WANDER))
        self.speed = check("speed", speed, "a strength from 0 to 5", Real, 0, 5)
        self.camera = check("camera", camera, "a strength from 0 to 5", Real, 0, 5)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, dict]:
        if not 0 <= index < self.length:
            raise IndexError(f"index must be from 0 to {self.length - 1}, got {index}")
        options, frames = self.options, self.frames
        stream = Stream(options.split, options.seed, index, video=True)
        light = lighting.draw_light(stream, options.lighting)
        lens = camera.draw_lens(stream, options.blur, options.noise)
        objects = layout.draw_objects(stream, options, room=motion.ROOM)
        farthest = objects[0][1].depth if objects else 4.0
        wall = layout.draw_wall(stream, farthest, options, reach=2.0)
        photograph = backgrounds.draw_moving(
            stream, options.split, options.size, options.background
        )
        action = stream.integer(len(self.actions))
        draw = (self.actions[action], frames, options.size, self.speed)
        parts = [motion.draw_motion(stream, *draw) for _ in objects]
        way = motion.draw_camera(stream, frames, self.camera)

        times = [motion.time(t, frames) for t in range(frames)]
        places = [tuple(distance * time for distance in way) for time in times]
        walls = [motion.wall_from(wall, place) for place in places]
        canvas = Canvas(options.size, options.focal, walls, light)
        _hang(canvas, places, *photograph)
        for (thing, pose), part in zip(objects, parts, strict=True):
            poses = [motion.moved(pose, part, t, frames) for t in range(frames)]
            poses = [
                motion.seen_from(place, pose, options.focal, options.size / 2)
                for place, pose in zip(places, poses, strict=True)
            ]
            canvas.add(thing, poses, options.shadow)
        images = np.empty((frames, 3, options.size, options.size), np.float32)
        for t, picture in enumerate(images):
            camera.expose(stream, canvas.image(t, out=picture), lens)

        target = targets.clip_target(canvas) | flow.clip_flow(canvas, places)
        target["camera"] = torch.tensor(places, dtype=torch.float32)
        target["action"] = torch.tensor(action)
        return torch.from_numpy(images), target | {"image_id": index}


def frame(target: dict, t: int) -> dict:
    """The target of frame t in torchvision's form, as `Scenes` gives it: only what is visible.

    `tracks` (N,) int64 tells which objects of the clip these are.
    """
    tracks = target["area"][t].nonzero().flatten()
    whole = {name: target[name][t] for name in ("semantic", "depth", "normals")}
    names = ("boxes", "masks", "area", "full_boxes", "visibility", "poses", "object_depth")
    now = {name: target[name][t][tracks] for name in names}
    lasting = {name: target[name][tracks] for name in ("labels", "colors", "iscrowd")}
    same = {name: target[name] for name in ("light", "image_id")}
    return now | lasting | whole | same | {"tracks": tracks}


def _hang(canvas: Canvas, places: list[motion.Place], photograph, x: float, y: float) -> None:
    """Put a photograph on the wall, as the camera sees it from these places."""
    uv = (flow.pixel_grid(canvas.size) - canvas.size / 2) / canvas.focal
    goal = np.empty_like(uv)
    for picture, place, wall in zip(canvas.albedo, places, canvas.walls, strict=True):
        back = tuple(-distance for distance in place)  # to where the photograph faces the camera
        motion.carry_wall(wall, back, uv, out=goal)
        goal *= canvas.focal
        goal += np.array([x, y])[:, None, None]
        picture[:] = look_up_mirrored(photograph, *goal.astype(np.float32))

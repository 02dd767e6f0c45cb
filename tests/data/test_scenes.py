"""The simulator: what a target says is what the picture shows, and the same picture every time."""

import hashlib
import os
import subprocess
import sys
from math import cos, sin
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from cvcourse.data import scenes
from cvcourse.data.scenes import Scenes, backgrounds, cutouts

ROOT = Path(__file__).resolve().parents[2]
BARE = {"lighting": 0, "shadow": 0, "noise": 0, "blur": 0}  # the picture is its albedo
MANY = [
    {},
    {"objects": 8, "scale": (0.1, 0.6)},
    {"objects": 12, "placement": "touching", "scale": (0.15, 0.3)},
    {"classes": ("background", *scenes.KINDS), "objects": 6, "size": 96},
]
RECORDED = [
    ([[49, 14, 64, 30], [47, 26, 63, 41]], [1, 4], 1978374),
    ([[47, 45, 59, 57], [8, 12, 27, 32]], [4, 3], 1412866),
    ([[1, 34, 10, 42], [18, 21, 24, 28]], [4, 7], 1669976),
]  # of test_same_scene_on_every_machine: boxes, labels, sum of the image


def samples(count=12, **options):
    dataset = Scenes(count, **options)
    return [dataset[i] for i in range(count)]


def digest(dataset, indices):
    """One number for images and all of their targets."""
    total = hashlib.sha256()
    for i in indices:
        image, target = dataset[i]
        for tensor in (image, *(target[name] for name in sorted(target) if name != "image_id")):
            total.update(tensor.numpy().tobytes())
    return total.hexdigest()


def test_form_of_a_target():
    (image, target), *_ = samples(1, objects=3, size=80)
    n = len(target["labels"])
    assert image.shape == (3, 80, 80)
    assert image.dtype == torch.float32
    assert 0 <= image.min() < image.max() <= 1
    shapes = {name: tuple(value.shape) for name, value in target.items() if name != "image_id"}
    assert shapes == {
        "boxes": (n, 4), "labels": (n,), "masks": (n, 80, 80), "area": (n,), "iscrowd": (n,),
        "full_boxes": (n, 4), "visibility": (n,), "semantic": (80, 80), "depth": (80, 80),
        "normals": (3, 80, 80), "colors": (n,), "poses": (n, 4), "object_depth": (n,),
        "light": (4,),
    }  # fmt: skip
    integers = {name for name in shapes if target[name].dtype == torch.int64}
    assert integers == {"labels", "iscrowd", "semantic", "colors"}
    assert target["masks"].dtype == torch.bool
    assert target["image_id"] == 0
    assert all(target[name].dtype == torch.float32 for name in shapes.keys() - integers - {"masks"})


@pytest.mark.parametrize("options", MANY)
def test_boxes_masks_labels_and_semantic_agree(options):
    for _, target in samples(**options):
        semantic = torch.zeros_like(target["semantic"])
        for box, mask, label, area in zip(
            target["boxes"], target["masks"], target["labels"], target["area"], strict=True
        ):
            rows, columns = mask.nonzero().unbind(1)
            tight = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box.tolist() == [float(edge) for edge in tight]
            assert mask.sum() == area > 0
            assert not semantic[mask].any()  # no pixel belongs to two objects
            semantic[mask] = label
        assert torch.equal(semantic, target["semantic"])


@pytest.mark.parametrize("options", MANY)
def test_depth_order_explains_occlusion(options):
    overlapping = 0
    for _, target in samples(**options, extras=("full_masks",)):
        full, depth = target["full_masks"], target["object_depth"]
        behind = torch.where(full, depth[:, None, None], torch.inf)
        nearest = behind.min(0).values
        overlapping += int((full.sum(0) > 1).sum())
        for mask, own in zip(target["masks"], depth, strict=True):
            assert (nearest[mask] == own).all()  # seen is the nearest of those that cover the pixel
        covered = nearest < torch.inf
        assert torch.equal(covered, target["masks"].any(0))
        # The relief of what is seen rises from its own plane, and never beyond a nearer object.
        assert (target["depth"][covered] <= nearest[covered]).all()
        assert (target["depth"][covered] > 0).all()
        for mask, own in zip(target["masks"], depth, strict=True):
            nearer = depth[depth < own]
            if len(nearer):
                assert target["depth"][mask].min() > nearer.max()
        if len(depth):
            assert target["depth"][~covered].min() > depth.max()  # the wall is behind everything
    assert overlapping > 0


@pytest.mark.parametrize("options", MANY)
def test_whole_and_visible_parts(options):
    for _, target in samples(**options, extras=("full_masks",)):
        size = target["semantic"].shape[0]
        full = target["full_masks"]
        assert not (target["masks"] & ~full).any()
        assert (target["visibility"] > 0).all()
        for box, mask, part, share in zip(
            target["full_boxes"], full, target["masks"], target["visibility"], strict=True
        ):
            rows, columns = mask.nonzero().unbind(1)
            tight = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
            assert (tight[:2] >= box[:2]).all()
            assert (tight[2:] <= box[2:]).all()
            if box.min() >= 0 and box.max() <= size:
                assert torch.equal(tight.float(), box)
                assert share == pytest.approx((part.sum() / mask.sum()).item())


def test_normals_are_unit_and_follow_from_depth():
    """A surface of height h(x, y), in pixels of the object, has the normal (-h_x, -h_y, 1)."""
    checked = 0
    for _, target in samples(20, size=256, objects=4, placement="apart", scale=(0.3, 0.5)):
        normals, depth = target["normals"], target["depth"].double()
        assert torch.allclose(normals.norm(dim=0), torch.ones(()), atol=1e-5)
        assert (normals[2] > 0).all()
        for mask, plane in zip(target["masks"], target["object_depth"].double(), strict=True):
            height = (plane - depth) * (1.2 * 256) / plane
            slope = torch.stack(
                [height[1:-1, 2:] - height[1:-1, :-2], height[2:, 1:-1] - height[:-2, 1:-1]]
            )
            expected = torch.cat([-slope / 2, torch.ones_like(slope[:1])])
            expected /= expected.norm(dim=0)
            core = -torch.nn.functional.max_pool2d(-mask[None].float(), 7, 1, 3)[0, 1:-1, 1:-1]
            angle = (expected * normals[:, 1:-1, 1:-1]).sum(0).clamp(-1, 1).acos().rad2deg()
            assert angle[core > 0].quantile(0.95) < 2  # degrees; at creases differences err
            checked += int((core > 0).sum())
    assert checked > 100_000


def test_wall_leans_as_its_normal_says():
    for _, target in samples(5, objects=0, size=64):
        u = (torch.arange(64) + 0.5 - 32) / (1.2 * 64)
        points = torch.stack([u.expand(64, 64), u[:, None].expand(64, 64), torch.ones(64, 64)])
        points *= target["depth"]  # x right, y down, z forward
        flipped = target["normals"] * torch.tensor([1.0, 1.0, -1.0])[:, None, None]
        distance = (points * flipped).sum(0)
        assert torch.allclose(distance, distance.mean(), atol=1e-4)  # n . p is the same all over


def test_colors_and_poses_describe_the_objects():
    for _, target in samples(
        20, objects=3, texture=0, placement="apart", extras=("albedo",), **BARE
    ):
        for mask, color, (x, y, _, _) in zip(
            target["masks"], target["colors"], target["poses"].tolist(), strict=True
        ):
            core = -torch.nn.functional.max_pool2d(-mask[None].float(), 3, 1, 1)[0] > 0
            if core.any():
                name = scenes.COLORS[color]
                pure = torch.tensor(scenes.surfaces.PALETTE[name])[:, None]
                assert torch.allclose(target["albedo"][:, core], pure, atol=1e-3)
            rows, columns = mask.nonzero().unbind(1)
            radius = target["poses"][:, 2].max()
            assert (columns + 0.5 - x).abs().max() <= radius
            assert (rows + 0.5 - y).abs().max() <= radius


def test_switched_off_light_shadow_noise_and_blur_leave_the_albedo():
    for image, target in samples(5, extras=("albedo", "shading"), **BARE):
        assert (target["shading"] == 1).all()
        tone = image.mean() / target["albedo"].mean()
        assert tone == pytest.approx(1, abs=0.01)
        assert (image - target["albedo"].clamp(0, 1)).abs().max() <= 0.5 / 255 + 1e-6


def test_albedo_times_shading_is_the_picture_up_to_tone_and_gloss():
    options = {"shadow": 1, "noise": 0, "blur": 0, "background": "plain"}
    for image, target in samples(8, extras=("albedo", "shading", "alpha"), **options):
        wall = target["alpha"] == 0
        matte = (target["albedo"] * target["shading"])[:, wall]
        tone = (image[:, wall] * matte).sum(1) / (matte * matte).sum(1)  # of the light, per channel
        unclipped = image[:, wall] < 1
        difference = (image[:, wall] - tone[:, None] * matte)[unclipped]
        assert difference.abs().max() < 0.01


def test_extras():
    every = ("full_masks", "albedo", "alpha", "background", "shading")
    (image, target), *_ = samples(1, objects=3, extras=every, **BARE)
    alpha = target["alpha"]
    visible = target["masks"].any(0)
    assert alpha.min() == 0
    assert (alpha[visible] >= 0.5).all()
    assert ((alpha > 0) & (alpha < 1)).any()  # edges are anti-aliased
    untouched = alpha == 0
    background = target["background"][:, untouched]
    assert torch.allclose(image[:, untouched], background, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("shadow", [0.5, 1.0])
def test_shadows_only_darken(shadow):
    lit, shaded = (samples(6, objects=3, noise=0, shadow=s) for s in (0, shadow))
    for (bright, _), (dark, target) in zip(lit, shaded, strict=True):
        assert (dark <= bright + 1e-6).all()
        wall = target["semantic"] == 0
        assert (dark < bright - 0.05)[:, wall].any()


def test_nothing_hidden_where_objects_stand_apart():
    for _, target in samples(20, objects=6, placement="apart"):
        assert (target["visibility"] == 1).all()
        assert torch.equal(target["boxes"], target["full_boxes"])


def test_touching_objects_touch():
    contacts = 0
    for _, target in samples(6, objects=8, placement="touching", scale=(0.2, 0.25)):
        grown = torch.nn.functional.max_pool2d(target["masks"].float(), 5, 1, 2) > 0
        contacts += sum(bool((grown & grown[n]).sum((1, 2)).count_nonzero() > 1)
                        for n in range(len(grown)))  # fmt: skip
    assert contacts > 30  # of 48 objects


def test_number_and_size_of_objects():
    counts = [len(target["labels"]) for _, target in samples(60, objects=(0, 3), scale=(0.1, 0.2))]
    assert set(counts) == {0, 1, 2, 3}
    for _, target in samples(10, objects=5, scale=(0.1, 0.2)):
        assert (target["poses"][:, 2] >= 0.05 * 128 - 1e-4).all()
        assert (target["poses"][:, 2] <= 0.10 * 128 + 1e-4).all()


def test_every_kind_is_drawn_and_fits_its_circle():
    for kind in scenes.KINDS:
        options = {"classes": ("background", kind), "objects": 1, "placement": "apart"}
        for _, target in samples(4, scale=(0.4, 0.6), **options):
            x, y, radius, _ = target["poses"][0].tolist()
            rows, columns = target["masks"][0].nonzero().unbind(1)
            distance = ((columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2).sqrt()
            limit = radius * (1.2 if kind in (*cutouts.DIGITS, "digit", "horse") else 1.02)
            assert distance.max() <= limit, kind
            assert target["area"][0] > 0.08 * radius**2, kind


def test_alpha_of_a_disk_is_its_area():
    for _, target in samples(
        8, objects=1, classes=("background", "disk"), placement="apart", extras=("alpha",)
    ):
        radius = 0.9 * target["poses"][0, 2]
        assert target["alpha"].sum() == pytest.approx(torch.pi * radius.item() ** 2, rel=2e-3)
        assert target["area"][0] == pytest.approx(torch.pi * radius.item() ** 2, rel=4e-2)


def test_a_hidden_object_is_left_out():
    disk, ring = (
        scenes.things.Thing(label, kind, (0, 0, 0, 0), None, skin, 0.0, 0.0)
        for label, kind, skin in (
            (1, "disk", scenes.surfaces.Skin(0, (1, 0, 0), (1, 0, 0), "plain", 1, None)),
            (2, "ring", scenes.surfaces.Skin(5, (0, 0, 1), (0, 0, 1), "plain", 1, None)),
        )
    )
    light = scenes.light.Light((0, 0, 1), 0.5, (1, 1, 1), (0, 0), 0, 0.1)
    canvas = scenes.canvas.Canvas(64, 64, [scenes.canvas.Wall(9, 0, 0)], light)
    canvas.albedo[:] = 0.5
    canvas.add(ring, [scenes.things.Pose(32, 32, 8, 1, 0, 6)], 1)
    canvas.add(disk, [scenes.things.Pose(32, 32, 20, 1, 0, 5)], 1)
    target = scenes.targets.still_target(canvas, ("full_masks",))
    assert target["labels"].tolist() == [1]
    assert target["full_masks"].shape == (1, 64, 64)
    assert set(target["semantic"].unique().tolist()) == {0, 1}


def test_shadow_falls_where_the_light_says():
    """On a wall r times as far as a disk in the centre, it moves by (1/r - 1) f l / l_z."""
    skin = scenes.surfaces.Skin(0, (1, 0, 0), (1, 0, 0), "plain", 1, None)
    disk = scenes.things.Thing(1, "disk", (0, 0, 0, 0), None, skin, 0.0, 0.0)
    light = scenes.light.Light((0.36, -0.48, 0.8), 0.5, (1, 1, 1), (0, 0), 0, 0.02)
    canvas = scenes.canvas.Canvas(200, 240, [scenes.canvas.Wall(6, 0, 0)], light)
    canvas.add(disk, [scenes.things.Pose(100, 100, 20, 1, 0, 4)], 1)
    dark = 1 - canvas.lit[0]
    rows, columns = np.mgrid[:200, :200] + 0.5
    x, y = (dark * columns).sum() / dark.sum(), (dark * rows).sum() / dark.sum()
    assert x == pytest.approx(100 + (1 / 1.5 - 1) * 240 * 0.36 / 0.8, abs=0.3)
    assert y == pytest.approx(100 - (1 / 1.5 - 1) * 240 * 0.48 / 0.8, abs=0.3)
    assert dark.sum() == pytest.approx(np.pi * (0.9 * 20 / 1.5) ** 2, rel=0.02)


@pytest.mark.parametrize("kind", ["arrow", "triangle", "face", "horse", "4"])
def test_frames_painted_together_are_those_painted_alone(kind):
    """Of one object whose windows differ from frame to frame, and leave the picture."""
    skin = scenes.surfaces.Skin(0, (1, 0, 0), (0, 0, 1), "checks", 0.3, None)
    cutout = None if kind in scenes.things.OUTLINES else cutouts.find(kind, "train", 0.3)
    thing = scenes.things.Thing(1, kind, (0.5, 0.5, 0.5, 0.5), cutout, skin, 0.25, 0.5)
    light = scenes.light.Light((0.36, -0.48, 0.8), 0.5, (1, 1, 1), (0.1, 0), 0.5, 0.1)
    walls = [scenes.canvas.Wall(6 + 0.1 * t, 0.1, -0.2) for t in range(5)]
    poses = [
        scenes.things.Pose(30 + 12.3 * t, 70 - 21.1 * t, 14 + 3.7 * t, cos(t), sin(t), 4)
        for t in range(5)
    ]

    def paint(walls, poses):
        canvas = scenes.canvas.Canvas(64, 77, walls, light)
        canvas.albedo[:] = 0.5
        canvas.add(thing, poses, 1)
        return canvas

    together = paint(walls, poses)
    for t in range(5):
        alone = paint(walls[t : t + 1], poses[t : t + 1])
        for name in ("layers", "depth", "normals", "ids", "labels"):
            np.testing.assert_array_equal(getattr(together, name)[t], getattr(alone, name)[0])
        full = together.tracks[0].masks(64)[t]
        np.testing.assert_array_equal(full, alone.tracks[0].masks(64)[0])
    assert together.ids.any()
    assert (together.lit < 1).any()


def test_shadows_fall_where_they_are_looked_for():
    """Where a shape's distance is d radii, a point is at most 1 + 2.5 d from the centre."""
    steps = np.linspace(-6, 6, 301, dtype=np.float32)
    x, y = np.meshgrid(steps, steps)
    for outline in scenes.things.OUTLINES.values():
        for variant in ((0.0,) * 4, (0.99,) * 4, (0.1, 0.9, 0.5, 0.3)):
            d = outline(x, y, variant)
            for most in (0.02, 0.1, 0.5, 1.0, 1.5):
                assert np.hypot(x, y)[d < most].max() <= 1 + 2.5 * most


@pytest.mark.parametrize("size", [16, 64, 512])
def test_sizes(size):
    for image, target in samples(3, size=size, objects=4):
        assert image.shape == (3, size, size)
        assert target["boxes"].max() <= size


def test_objects_at_the_border_are_cut_by_it():
    cut = 0
    for _, target in samples(30, objects=4, scale=(0.4, 0.6)):
        out = (target["full_boxes"].min(1).values < 0) | (target["full_boxes"].max(1).values > 128)
        assert (target["boxes"] >= 0).all()
        assert (target["boxes"] <= 128).all()
        assert (target["visibility"][out] < 1).all()
        cut += int(out.sum())
    assert cut > 10


def test_no_objects():
    (_, target), *_ = samples(1, objects=0, extras=("full_masks",))
    assert target["boxes"].shape == (0, 4)
    assert target["masks"].shape == target["full_masks"].shape == (0, 128, 128)
    assert not target["semantic"].any()


def test_same_scene_in_any_order_worker_and_process():
    options = {"size": 64, "seed": 7, "objects": 3, "classes": ("background", *scenes.KINDS)}
    forward, backward = Scenes(12, **options), Scenes(400, **options)
    expected = [digest(forward, [i]) for i in range(12)]
    assert [digest(backward, [i]) for i in reversed(range(12))] == expected[::-1]

    for workers in (0, 2):
        loader = DataLoader(forward, batch_size=5, num_workers=workers, collate_fn=scenes.collate)
        images = [image for batch, _ in loader for image in batch]
        for i, image in enumerate(images):
            assert torch.equal(image, forward[i][0])

    code = (
        "from tests.data.test_scenes import Scenes, digest\n"
        f"print(*(digest(Scenes(12, **{options!r}), [i]) for i in range(12)))"
    )
    # Another machine, as far as this one can be it: other threads, none of the wide registers.
    narrow = "X86_V3 X86_V4 AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_ICL"
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "NPY_DISABLE_CPU_FEATURES": narrow}
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT,
        env=environment,
     encoding="utf-8")  # fmt: skip
    assert answer.stdout.split() == expected


def test_same_scene_on_every_machine():
    """Recorded on x86-64 Linux, Python 3.11, NumPy 2.4. A change here changes every lesson."""
    dataset = Scenes(3, size=64, seed=1, objects=2, background="plain")
    for i, (boxes, labels, total) in enumerate(RECORDED):
        image, target = dataset[i]
        assert target["boxes"].int().tolist() == boxes
        assert target["labels"].tolist() == labels
        assert int((image * 255).round().sum()) == total


def test_splits_share_nothing_that_could_leak():
    photographs = [set(names) for names in backgrounds.PHOTOGRAPHS.values()]
    assert sum(map(len, photographs)) == len(set.union(*photographs))
    for kind in ("digit", "coin", "face"):
        originals = []
        for split in ("train", "val", "test"):
            found = [cutouts.find(kind, split, (k + 0.5) / 2000) for k in range(2000)]
            originals.append(
                {c.distance.tobytes() + (b"" if c.picture is None else c.picture.tobytes())
                 for c in found}
            )  # fmt: skip
        counts = [len(o) for o in originals]
        assert all(counts)
        assert sum(counts) == len(set.union(*originals)), kind


def test_seeds_and_splits_give_other_scenes_of_the_same_kind():
    layouts = set()
    means = []
    for split in ("train", "val", "test"):
        for seed in (0, 1, 2**60):
            drawn = samples(30, split=split, seed=seed, size=32, objects=3, background="plain")
            layouts |= {target["poses"].numpy().tobytes() for _, target in drawn}
            means.append(torch.stack([image.mean() for image, _ in drawn]).mean())
    assert len(layouts) == 9 * 30
    means = torch.stack(means)
    assert len(means.unique()) == 9
    assert means.std() < 0.04  # other scenes, but of one distribution


def test_labels_are_uniform_over_classes():
    labels = torch.cat([target["labels"] for _, target in samples(300, size=32, objects=4)])
    shares = labels.bincount(minlength=9)[1:] / len(labels)
    assert (shares - 1 / 8).abs().max() < 0.04


def test_noise_has_the_moments_of_a_normal():
    noise = scenes.randomness.Stream("train", 0, 0).noise((3, 301, 201))
    assert noise.shape == (3, 301, 201)
    assert abs(noise.mean()) < 0.01
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert (noise**4).mean() == pytest.approx(2.7, abs=0.05)  # 3 - 1.2 / 4 for four uniforms
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.02


def test_collate_and_stack():
    dataset = Scenes(4, size=48, extras=("albedo", "full_masks"))
    images, targets = next(iter(DataLoader(dataset, 4, collate_fn=scenes.collate)))
    assert [len(images), len(targets)] == [4, 4]
    assert targets[2]["image_id"] == 2
    images, dense = next(iter(DataLoader(dataset, 4, collate_fn=scenes.stack)))
    assert images.shape == (4, 3, 48, 48)
    assert dense["semantic"].shape == (4, 48, 48)
    assert dense["image_id"].tolist() == [0, 1, 2, 3]
    names = {"semantic", "depth", "normals", "light", "image_id", "albedo"}
    assert set(dense) == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": -1}, "length must be a whole number, 0 or more, got -1"),
        ({"size": 8}, "size must be a whole number from 16"),
        ({"size": 64.0}, "size must be a whole number"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"split": "training"}, "split must be one of"),
        ({"objects": -1}, "objects must be a count or"),
        ({"objects": (4, 1)}, "objects must be a count or"),
        ({"objects": (1, 2, 3)}, "objects must be a count or"),
        ({"objects": 1000}, "objects must be a count or"),
        ({"objects": (1.0, 2.0)}, "objects must be a count or"),
        ({"objects": None}, "objects must be a tuple"),
        ({"classes": "disk"}, "classes must be a tuple"),
        ({"scale": 0.5}, "scale must be a tuple"),
        ({"scale": ("a", "b")}, "scale must be"),
        ({"extras": "alpha"}, "extras must be a tuple"),
        ({"classes": ("disk", "square")}, "classes must be 'background' and then"),
        ({"classes": ("background", "dog")}, "classes must be 'background' and then"),
        ({"classes": ("background",)}, "classes must be 'background' and then"),
        ({"scale": (0, 0.5)}, "scale must be"),
        ({"scale": (0.5, 0.2)}, "scale must be"),
        ({"rotation": 400}, "rotation must be degrees"),
        ({"placement": "piled"}, "placement must be one of"),
        ({"background": "sky"}, "background must be one of"),
        ({"texture": -1}, "texture must be a strength"),
        ({"lighting": float("nan")}, "lighting must be a strength"),
        ({"shadow": "dark"}, "shadow must be a strength"),
        ({"noise": 6}, "noise must be a strength"),
        ({"blur": True}, "blur must be a strength"),
        ({"extras": ("flow",)}, "extras must be one of"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        Scenes(**{"length": 3, **options})


@pytest.mark.parametrize("index", [-1, 3])
def test_index_out_of_range(index):
    with pytest.raises(IndexError, match="index must be from 0 to 2"):
        Scenes(3)[index]
    assert len(list(Scenes(3, size=16))) == 3

import math

import pytest
import torch
from torch import nn

from cvcourse.models.backbones.fpn import LastLevelP6P7, ResNetFPN
from cvcourse.models.backbones.resnet import BasicBlock
from cvcourse.models.instances.polarmask import (
    PolarMask,
    PolarMaskHead,
    centres_of_mass,
    masks_to_rays,
    polar_centerness,
    polar_iou_loss,
    rays_to_polygons,
    sides_iou_loss,
)
from cvcourse.ops import box_iou
from cvcourse.ops.polygons_to_masks import polygons_to_masks
from tests import oracle
from tests.models import golden


def disc(radius=20.0, middle=(32.0, 30.0), size=(64, 70)):
    y, x = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    return (x + 0.5 - middle[0]) ** 2 + (y + 0.5 - middle[1]) ** 2 <= radius**2


def mask_iou(a, b):
    return ((a & b).sum() / (a | b).sum()).item()


def rebuilt(mask, rays):
    center = centres_of_mass(mask[None])
    polygons = rays_to_polygons(center, masks_to_rays(mask[None], center, rays))
    return polygons_to_masks(polygons, tuple(mask.shape))[0]


def tiny(**options):
    backbone = ResNetFPN(
        block=BasicBlock, depths=(1, 1, 1), width=8, levels=(2, 3), out_channels=16,
        norm=nn.BatchNorm2d, trainable_layers=4, extra_levels=LastLevelP6P7(16, 16),
    )  # fmt: skip
    return PolarMask(
        5, backbone=backbone, rays=12, min_size=None, strides=(8, 16, 32, 64), head_layers=1,
        head_norm=lambda c: nn.GroupNorm(4, c), **options,
    )  # fmt: skip


class TestParameters:
    def test_head_is_the_authors(self):
        with torch.device("meta"):
            assert golden.parameter_count(PolarMaskHead()) == 7_362_947

    def test_whole_model_is_the_authors(self):
        with torch.device("meta"):
            model = PolarMask()
            extra = LastLevelP6P7()
            backbone = ResNetFPN(levels=(2, 3, 4), extra_levels=extra, norm=nn.BatchNorm2d)
            with_affine = PolarMask(backbone=backbone)
        assert golden.parameter_count(model.backbone.fpn) == 3_868_672
        assert golden.parameter_count(model) == 34_686_531
        assert golden.parameter_count(with_affine) == 34_739_651


class TestRays:
    def test_directions(self):
        polygons = rays_to_polygons(torch.tensor([[10.0, 20.0]]), torch.tensor([[1.0, 2, 3, 4]]))
        expected = torch.tensor([[[10.0, 21], [12, 20], [10, 17], [6, 20]]])
        torch.testing.assert_close(polygons, expected)

    @pytest.mark.parametrize("rays", [4, 36, 72])
    def test_distances_to_a_boxs_edge(self, rays):
        mask = torch.zeros(30, 40, dtype=torch.bool)
        mask[6:24, 5:33] = True
        center = torch.tensor([[14.0, 16.0]])
        distances = masks_to_rays(mask[None], center, rays)[0]
        for i, distance in enumerate(distances):
            angle = 2 * math.pi * i / rays
            x, y = math.sin(angle), math.cos(angle)
            to_side = [
                (edge - c) / d
                for c, d, edges in ((14.0, x, (5.0, 33.0)), (16.0, y, (6.0, 24.0)))
                for edge in edges
                if abs(d) > 1e-9 and (edge - c) / d > 0
            ]
            assert distance.item() == pytest.approx(min(to_side), abs=0.26)

    def test_the_farthest_end_counts(self):
        mask = torch.zeros(1, 3, 20, dtype=torch.bool)
        mask[..., 4:8] = mask[..., 12:15] = True
        ray = masks_to_rays(mask, torch.tensor([[6.0, 1.5]]), 4)[0, 1]  # to the right
        assert ray.item() == pytest.approx(9.0, abs=0.26)

    def test_a_ray_that_meets_nothing(self):
        mask = torch.zeros(1, 8, 8, dtype=torch.bool)
        mask[0, 4:, :] = True
        rays = masks_to_rays(mask, torch.tensor([[4.0, 2.0]]), 4)[0]
        assert rays[0].item() == pytest.approx(6.0, abs=0.26)
        assert rays[2].item() == pytest.approx(1e-6)

    @pytest.mark.parametrize(("rays", "least"), [(18, 0.96), (36, 0.98), (72, 0.985)])
    def test_a_disc_comes_back(self, rays, least):
        assert mask_iou(rebuilt(disc(), rays), disc()) > least

    def test_upper_bound_rises_with_the_rays(self):
        tilted = polygons_to_masks(
            torch.tensor([[[10.0, 20.0], [50.0, 8.0], [58.0, 30.0], [16.0, 46.0]]]), (60, 70)
        )[0]
        bounds = [mask_iou(rebuilt(tilted, rays), tilted) for rays in (4, 8, 18, 36, 72)]
        assert bounds == sorted(bounds)
        assert bounds[-1] > 0.96
        assert bounds[0] < 0.8

    def test_no_objects(self):
        none = torch.zeros(0, 8, 8, dtype=torch.bool)
        assert masks_to_rays(none, torch.zeros(0, 2), 36).shape == (0, 36)

    def test_many_objects_are_as_each_by_itself(self):
        masks = torch.rand(30, 40, 50) > 0.9
        centers = torch.rand(30, 2) * 60 - 5
        together = masks_to_rays(masks, centers, 36)
        alone = [masks_to_rays(m[None], c[None], 36) for m, c in zip(masks, centers, strict=True)]
        torch.testing.assert_close(together, torch.cat(alone))

    def test_an_object_without_pixels(self):
        empty = torch.zeros(1, 8, 8, dtype=torch.bool)
        rays = masks_to_rays(empty, torch.tensor([[4.0, 4.0]]), 6)
        assert torch.equal(rays, torch.full((1, 6), 1e-6))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
    def test_half_precision_and_autocast_far_from_the_corner(self, dtype):
        mask = disc(20, (2100, 14), (40, 2200))[None]
        center = torch.tensor([[2100.5, 14.0]])
        rays, middle = masks_to_rays(mask, center, 36), centres_of_mass(mask)
        with torch.autocast("cpu", dtype=dtype):
            assert torch.equal(masks_to_rays(mask, center, 36), rays)
            assert torch.equal(centres_of_mass(mask), middle)
        rounded = center.to(dtype)
        assert torch.equal(
            masks_to_rays(mask, rounded, 36), masks_to_rays(mask, rounded.float(), 36)
        )
        assert rays_to_polygons(rounded, rays.to(dtype)).dtype == torch.float32

    def test_pixels_beyond_the_whole_numbers_of_float32(self):
        """4,200 × 4,200 pixels are more than 2²⁴."""
        mask = torch.zeros(1, 4200, 4200, dtype=torch.bool)
        mask[:, 4181:4190, 4177:4194:2] = True  # every second column: neighbours differ
        rays = masks_to_rays(mask, torch.tensor([[4185.5, 4185.5]]), 4)
        torch.testing.assert_close(rays, torch.tensor([[4.5, 8.5, 4.5, 8.5]]), rtol=0, atol=0.26)
        assert centres_of_mass(mask).tolist() == [[4185.5, 4185.5]]

    @pytest.mark.as_user
    def test_masks_that_are_not_bool_are_refused(self):
        with pytest.raises(ValueError, match=r"masks: expected bool, got torch\.float32"):
            masks_to_rays(disc()[None].float(), torch.tensor([[4.0, 4.0]]))

    def test_a_centre_of_nothing(self):
        masks = torch.stack([disc(), torch.zeros_like(disc())])
        rays = masks_to_rays(masks, centres_of_mass(masks), 6)
        torch.testing.assert_close(
            rays[:1], masks_to_rays(masks[:1], centres_of_mass(masks[:1]), 6)
        )
        assert torch.equal(rays[1], torch.full((6,), 1e-6))

    @pytest.mark.as_user
    def test_steps_that_never_end_are_refused(self):
        with pytest.raises(ValueError, match="step: expected a positive number of pixels, got 0"):
            masks_to_rays(disc()[None], torch.tensor([[4.0, 4.0]]), step=0.0)

    def test_centres_of_mass(self):
        mask = torch.zeros(3, 5, 7, dtype=torch.bool)
        mask[0, 1:3, 2:6] = True
        mask[1, 4, 0] = True
        centers = centres_of_mass(mask)
        torch.testing.assert_close(centers[:2], torch.tensor([[4.0, 2.0], [0.5, 4.5]]))
        assert centers[2].isnan().all()


class TestLosses:
    def test_polar_iou_by_hand(self):
        loss = polar_iou_loss(torch.tensor([[2.0, 3.0]]), torch.tensor([[4.0, 1.0]]))
        assert loss.item() == pytest.approx(math.log(7 / 3))

    def test_polar_iou_is_zero_for_equal_rays_and_log_scale_for_a_scaled_outline(self):
        rays = 1 + torch.rand(5, 36)
        torch.testing.assert_close(polar_iou_loss(rays, rays), torch.zeros(5))
        expected = torch.full((5,), math.log(1.7))
        torch.testing.assert_close(polar_iou_loss(1.7 * rays, rays), expected)
        torch.testing.assert_close(polar_iou_loss(rays, 1.7 * rays), expected)

    def test_centerness_by_hand(self):
        centerness = polar_centerness(torch.tensor([[4.0, 9.0, 6.0], [5.0, 5.0, 5.0]]))
        torch.testing.assert_close(centerness, torch.tensor([2 / 3, 1.0]))

    def test_box_loss_is_log_iou(self):
        sides, wanted = 1 + torch.rand(6, 4), 1 + torch.rand(6, 4)
        boxes, truth = (torch.cat([-d[:, :2], d[:, 2:]], dim=1) for d in (sides, wanted))
        expected = -box_iou(boxes, truth).diagonal().log()
        torch.testing.assert_close(sides_iou_loss(sides, wanted), expected)


class TestAssign:
    """Levels of stride 8, 16, 32, 64 on 128×128 pixels."""

    def run(self, target):
        model = tiny()
        levels = [torch.zeros(1, 16, s, s) for s in (16, 8, 4, 2)]
        places, strides, ranges = model._places(levels)
        assert places.shape == (16**2 + 8**2 + 4**2 + 2**2, 2)
        assert places[:2].tolist() == [[4.0, 4.0], [12.0, 4.0]]
        assert ranges[[0, 256, 320, -1]].tolist() == [
            [0, 64], [64, 128], [128, 256], [256, math.inf],
        ]  # fmt: skip
        return model.assign(places, strides, ranges, target), places, strides

    def test_by_the_definition(self):
        discs = ((20, (40, 44)), (50, (60, 60)), (6, (48, 44)))
        masks = torch.stack([disc(radius, middle, (128, 128)) for radius, middle in discs])
        boxes = torch.tensor([[20.0, 24, 60, 64], [10.0, 10, 110, 110], [42.0, 38, 54, 50]])
        assigned, places, strides = self.run({"boxes": boxes, "masks": masks})
        middles = [(40.0, 44.0), (60.0, 60.0), (48.0, 44.0)]
        area = (boxes[:, 2:] - boxes[:, :2]).prod(1).tolist()
        for matched, (x, y), stride in zip(
            assigned, places.tolist(), strides.tolist(), strict=True
        ):
            candidates = []
            for i, ((mx, my), (x1, y1, x2, y2)) in enumerate(
                zip(middles, boxes.tolist(), strict=True)
            ):
                sides = (x - x1, y - y1, x2 - x, y2 - y)
                near = max(abs(x - mx), abs(y - my)) < 1.5 * stride
                low = 0 if stride == 8 else 4 * stride
                high = math.inf if stride == 64 else 8 * stride
                if near and min(sides) > 0 and low <= max(sides) <= high:
                    candidates.append((area[i], i))
            assert matched.item() == (min(candidates)[1] if candidates else -1)
        assert set(assigned.tolist()) == {-1, 0, 1, 2}

    def test_objects_without_pixels_and_no_objects_at_all(self):
        empty = {
            "boxes": torch.tensor([[20.0, 24.0, 60.0, 64.0]]),
            "masks": torch.zeros(1, 128, 128, dtype=torch.bool),
        }
        assert (self.run(empty)[0] == -1).all()
        none = {"boxes": torch.zeros(0, 4), "masks": torch.zeros(0, 128, 128)}
        assert (self.run(none)[0] == -1).all()


class TestPolarMask:
    def test_distances_start_at_one_pixel_and_scales_are_learnt(self):
        head = PolarMaskHead(8, 3, rays=6, num_levels=2, layers=1, norm=nn.Identity)
        nn.init.zeros_(head.rays.weight)
        levels = [torch.rand(2, 8, 4, 5), torch.rand(2, 8, 2, 3)]
        outputs = head(levels)
        assert {k: tuple(v.shape) for k, v in outputs.items()} == {
            "cls_logits": (2, 26, 3), "centerness": (2, 26, 1), "sides": (2, 26, 4),
            "rays": (2, 26, 6),
        }  # fmt: skip
        assert torch.equal(outputs["rays"], torch.ones(2, 26, 6))
        nn.init.ones_(head.rays.bias)
        head.ray_scales.data = torch.tensor([2.0, 3.0])
        rays = head(levels)["rays"]
        torch.testing.assert_close(rays[:, :20], torch.full((2, 20, 6), math.exp(2)))
        torch.testing.assert_close(rays[:, 20:], torch.full((2, 6, 6), math.exp(3)))

    def test_untrained_each_class_has_the_prior_probability(self):
        for options, prior in (({}, 0.01), ({"prior_probability": 0.2}, 0.2)):
            head = PolarMaskHead(8, 3, rays=6, num_levels=1, layers=1, norm=nn.Identity, **options)
            for bias in (head.cls_logits.bias, tiny(**options).head.cls_logits.bias):
                torch.testing.assert_close(bias.sigmoid(), torch.full_like(bias, prior))

    def test_half_precision_does_not_overflow(self):
        head = PolarMaskHead(8, 3, rays=6, num_levels=1, layers=1, norm=nn.Identity)
        nn.init.constant_(head.rays.bias, 12.0)
        with torch.autocast("cpu", dtype=torch.float16):
            rays = head([torch.zeros(1, 8, 2, 2)])["rays"]
        torch.testing.assert_close(rays, torch.full((1, 4, 6), math.exp(12)))

    def test_losses_by_hand(self):
        """One object, one place: its middle lies on it."""
        model = tiny().train()
        mask = disc(20, (36, 44), (128, 128))
        target = {
            "boxes": torch.tensor([[16.0, 24.0, 56.0, 64.0]]),
            "labels": torch.tensor([3]),
            "masks": mask[None],
        }
        places = torch.tensor([[36.0, 44.0], [100.0, 100.0]])
        outputs = {
            "cls_logits": torch.zeros(1, 2, 5),
            "centerness": torch.tensor([[[2.0], [0.0]]]),
            "sides": torch.full((1, 2, 4), 10.0),
            "rays": torch.full((1, 2, 12), 10.0),
        }
        losses = model.losses(outputs, places, [torch.tensor([0, -1])], [target])
        rays = masks_to_rays(mask[None], places[:1], 12)
        assert losses["rays"].item() == pytest.approx((rays.sum() / 120).log().item(), rel=1e-5)
        assert losses["sides"].item() == pytest.approx(math.log(40 * 40 / 400))
        # one positive at p = 1/2, nine negatives; divided by one place and one image
        focal = (0.25 + 9 * 0.75) * 0.25 * math.log(2)
        assert losses["classification"].item() == pytest.approx(focal / 2)
        wanted = polar_centerness(rays).item()
        expected = math.log(1 + math.exp(2)) - 2 * wanted
        assert losses["centerness"].item() == pytest.approx(expected, rel=1e-5)

    def test_training_lowers_the_losses(self):
        model, (images, targets) = tiny(), oracle.detection_batch(masks=True)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
        totals = []
        for _ in range(6):
            losses = model(images, targets)
            optimizer.zero_grad()
            sum(losses.values()).backward()
            optimizer.step()
            totals.append(sum(losses.values()).item())
        assert set(losses) == {"classification", "sides", "rays", "centerness"}
        assert totals[-1] < totals[1] < totals[0]
        assert all(p.grad is not None for p in model.parameters())

    def test_pictures_without_objects_have_a_gradient_of_background_only(self):
        model, (images, _) = tiny(), oracle.detection_batch()
        nothing = [
            {
                "boxes": torch.zeros(0, 4),
                "labels": torch.zeros(0, dtype=torch.long),
                "masks": torch.zeros(0, *image.shape[-2:]),
            }
            for image in images
        ]
        losses = model(images, nothing)
        sum(losses.values()).backward()
        zero = {name: losses[name].item() for name in ("sides", "rays", "centerness")}
        assert zero == {"sides": 0.0, "rays": 0.0, "centerness": 0.0}
        assert losses["classification"].item() > 0
        assert not model.head.rays.weight.grad.any()

    def test_a_perfect_head_finds_the_object(self):
        """Predictions set to the targets: the mask comes back through selection and polygons."""
        model, mask = tiny().eval(), disc(20, (36, 44), (128, 128))
        levels = [torch.zeros(1, 16, s, s) for s in (16, 8, 4, 2)]
        places, _, _ = model._places(levels)
        n = len(places)
        outputs = {
            "cls_logits": torch.full((1, n, 5), -9.0),
            "centerness": torch.zeros(1, n, 1),
            "sides": torch.ones(1, n, 4),
            "rays": torch.ones(1, n, 12),
        }
        near = ((places - torch.tensor([36.0, 44.0])).abs().amax(1) < 6).nonzero()[:, 0]
        for i in near.tolist():
            x, y = places[i].tolist()
            outputs["cls_logits"][0, i, 2] = 5.0 - abs(x - 36) - abs(y - 44)
            outputs["sides"][0, i] = torch.tensor([x - 16, y - 24, 56 - x, 64 - y])
            outputs["rays"][0, i] = masks_to_rays(mask[None], places[i][None], 12)[0]
        model.head.forward = lambda levels: outputs
        model.backbone.forward = lambda images: dict(enumerate(levels))
        for size in (128, 256):  # as given, and halved by the network's own resizing
            model.prepare.min_sizes = (128,)
            (found,) = model([torch.rand(3, size, size)])
            assert found["labels"].tolist() == [2]
            assert found["scores"].item() == pytest.approx(1 / (1 + math.exp(-5.0)), rel=1e-3)
            scale = size // 128
            expected = torch.tensor([[16.0, 24.0, 56.0, 64.0]]) * scale
            torch.testing.assert_close(found["boxes"], expected)
            assert found["polygons"].shape == (1, 12, 2)
            truth = disc(20 * scale, (36 * scale, 44 * scale), (size, size))
            assert mask_iou(found["masks"][0, 0] > 0.5, truth) > 0.93

    def test_detections_of_an_untrained_net(self):
        model, (images, _) = (
            tiny(score_thresh=0.0, detections_per_img=7).eval(),
            (oracle.detection_batch()),
        )
        for image, found in zip(images, model(images), strict=True):
            assert len(found["boxes"]) == 7
            assert (found["scores"].diff() <= 0).all()
            assert found["masks"].shape == (7, 1, *image.shape[-2:])

    @pytest.mark.as_user
    def test_strides_for_other_levels_are_refused(self):
        model, (images, _) = tiny().eval(), oracle.detection_batch()
        model.strides = (8, 16, 32)
        with pytest.raises(ValueError, match=r"strides: expected one for each of 4 levels"):
            model(images)

    @pytest.mark.as_user
    def test_targets_without_masks_are_refused(self):
        images, targets = oracle.detection_batch()
        with pytest.raises(ValueError, match=r"targets\[0\]: no \['masks'\]"):
            tiny()(images, targets)

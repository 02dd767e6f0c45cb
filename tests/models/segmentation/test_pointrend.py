import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models.backbones.fpn import ResNetFPN
from cvcourse.models.backbones.resnet import BasicBlock
from cvcourse.models.segmentation.pointrend import (
    PointHead,
    PointRendSemantic,
    SemanticFPNHead,
    _labels_at,
    pixel_centres,
    point_sample,
    semantic_uncertainty,
    subdivide,
    training_points,
)
from tests.models import golden


def tiny(**options):
    backbone = ResNetFPN(
        block=BasicBlock,
        depths=(1, 1, 1),
        width=8,
        levels=(1, 2, 3),
        out_channels=8,
        norm=nn.BatchNorm2d,
        trainable_layers=4,
    )
    sizes = {"coarse_channels": 8, "hidden": 16, "layers": 2, "train_points": 64}
    defaults = {"coarse_norm": lambda c: nn.GroupNorm(4, c), "size_divisible": 16}
    levels = ("0", "1", "2")
    return PointRendSemantic(3, backbone=backbone, levels=levels, **sizes, **defaults, **options)


def resnet_fpn(depths):
    return ResNetFPN(depths=depths)


class TestParameters:
    def test_heads_are_detectron2s(self):
        with torch.device("meta"):
            assert golden.parameter_count(SemanticFPNHead()) == 1_626_259
            semantic = PointHead(256, 19, coarse_each_layer=False)
            assert golden.parameter_count(semantic) == 207_123
            assert golden.parameter_count(PointHead()) == 285_776

    @pytest.mark.parametrize(
        ("depths", "count"), [((3, 4, 6, 3), 28_632_678), ((3, 4, 23, 3), 47_572_582)]
    )
    def test_whole_models_are_detectron2s(self, depths, count):
        with torch.device("meta"):
            model = PointRendSemantic(backbone=resnet_fpn(depths))
            assert golden.parameter_count(model) == count


class TestPoints:
    def test_sampling_by_hand(self):
        maps = torch.tensor([[1.0, 2.0], [3.0, 5.0]]).view(1, 1, 2, 2)
        points = torch.tensor([[[0.25, 0.25], [0.75, 0.25], [0.5, 0.5], [0.25, 0.5], [0.0, 0.25]]])
        expected = torch.tensor([1.0, 2.0, 11 / 4, 2.0, 0.5])  # outside the outer centres: fades
        torch.testing.assert_close(point_sample(maps, points)[0, 0], expected)

    def test_pixel_centres_give_the_pixels_back(self):
        maps = torch.rand(2, 3, 4, 7)
        points = pixel_centres(torch.arange(28), 4, 7).expand(2, -1, -1)
        torch.testing.assert_close(point_sample(maps, points), maps.flatten(2))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
    def test_places_are_exact_whatever_the_precision_of_the_features(self, dtype):
        index = torch.arange(4096)
        centres = pixel_centres(index, 1, 4096, dtype)
        exact = (index.double() + 0.5) / 4096
        assert torch.equal(centres[:, 0].double(), exact)
        maps = torch.arange(64.0).view(1, 1, 1, 64).to(dtype)
        sampled = point_sample(maps, pixel_centres(torch.arange(64), 1, 64)[None])
        assert torch.equal(sampled, maps.flatten(2))
        points = training_points(torch.rand(1, 2, 4, 4).to(dtype), semantic_uncertainty, 1000)
        assert points.dtype == torch.float32
        assert len(points[..., 0].unique()) > 990
        target = torch.arange(4096)[None, None]
        points = torch.stack([exact.float(), torch.full((4096,), 0.5)], dim=1)
        assert torch.equal(_labels_at(target, points[None]), target[0])

    def test_uncertainty_is_the_margin(self):
        logits = torch.tensor([[0.0, 3.0, 2.5], [4.0, 4.0, 1.0]])[..., None]
        assert semantic_uncertainty(logits)[:, 0].tolist() == [-0.5, 0.0]

    def test_unsure_points_are_the_least_sure_of_the_candidates(self):
        """One candidate in k is unsure, so the points must be exactly the unsure candidates."""
        logits = torch.rand(3, 2, 5, 5)

        def score(sampled):
            seen.append(sampled)
            return semantic_uncertainty(sampled)

        seen = []
        points = training_points(logits, score, 40, oversample=3.0, importance=1.0)
        (candidates,) = seen
        assert candidates.shape == (3, 2, 120)
        chosen = semantic_uncertainty(point_sample(logits, points)).sort(descending=True).values
        best = semantic_uncertainty(candidates).topk(40).values
        torch.testing.assert_close(chosen, best)

    @pytest.mark.parametrize(("importance", "unsure"), [(0.0, 0), (0.75, 30), (1.0, 40)])
    def test_the_rest_is_uniform(self, importance, unsure):
        """Left half unsure, right half sure, more candidates than points on the left."""
        logits = torch.zeros(200, 2, 4, 4)
        logits[..., 2:] = torch.tensor([0.0, 9.0])[:, None, None]
        points = training_points(
            logits, semantic_uncertainty, 40, oversample=6.0, importance=importance
        )
        assert points.shape == (200, 40, 2)
        assert ((points >= 0) & (points < 1)).all()
        unsure_part, uniform_part = points[:, :unsure], points[:, unsure:]
        assert (unsure_part[..., 0] < 0.625).all()
        if uniform_part.numel():
            mean = uniform_part.flatten(0, 1).mean(0)
            torch.testing.assert_close(mean, torch.full((2,), 0.5), atol=0.03, rtol=0)

    @pytest.mark.as_user
    @pytest.mark.parametrize("options", [{"oversample": 0.5}, {"importance": 1.1}])
    def test_impossible_shares_are_refused(self, options):
        with pytest.raises(ValueError, match="oversample, importance: expected 1 or more and 0 to"):
            training_points(torch.rand(1, 2, 4, 4), semantic_uncertainty, 8, **options)


class TestSubdivision:
    def test_all_points_are_dense_prediction(self):
        coarse = torch.rand(2, 3, 4, 5)

        def predict(points):  # some function of the place
            x, y = points.unbind(-1)
            return torch.stack([torch.sin(9 * x), x * y, torch.cos(7 * y)], dim=1)

        dense = predict(pixel_centres(torch.arange(320), 16, 20).expand(2, -1, -1))
        ours = subdivide(coarse, predict, semantic_uncertainty, steps=2, num_points=10**6)
        torch.testing.assert_close(ours, dense.view(2, 3, 16, 20))

    def test_no_points_is_bilinear_enlargement(self):
        coarse = torch.rand(1, 3, 4, 5)
        ours = subdivide(
            coarse,
            lambda points: points.new_zeros(1, 3, 0),
            semantic_uncertainty,
            steps=1,
            num_points=0,
        )
        torch.testing.assert_close(ours, F.interpolate(coarse, scale_factor=2, mode="bilinear"))

    def test_only_the_least_sure_pixels_change(self):
        coarse = torch.rand(2, 3, 6, 6)
        enlarged = F.interpolate(coarse, scale_factor=2, mode="bilinear")
        ours = subdivide(
            coarse,
            lambda points: points.new_full((2, 3, points.shape[1]), 7.0),
            semantic_uncertainty,
            steps=1,
            num_points=10,
        )
        changed = (ours == 7.0).all(1).flatten(1)
        assert changed.sum(1).tolist() == [10, 10]
        unsure = semantic_uncertainty(enlarged.flatten(2))
        threshold = unsure.topk(10).values[:, -1:]
        assert torch.equal(changed, unsure >= threshold)
        kept = ~changed.view(2, 1, 12, 12).expand_as(ours)
        assert torch.equal(ours[kept], enlarged[kept])


class TestPointRendSemantic:
    def test_with_all_points_is_the_point_head_at_every_pixel(self):
        model = tiny(subdivision_points=10**6).eval()
        nn.init.normal_(model.point_head.predictor.weight)
        images = torch.rand(2, 3, 32, 48)
        with torch.no_grad():
            coarse, fine = model.coarse_and_fine(images)
            centres = pixel_centres(torch.arange(32 * 48), 32, 48).expand(2, -1, -1)
            dense = model.point_head(point_sample(fine, centres), point_sample(coarse, centres))
            torch.testing.assert_close(model(images), dense.view(2, 3, 32, 48))

    def test_sizes_of_the_paper(self):
        with torch.device("meta"):
            model = PointRendSemantic()
            coarse, fine = model.coarse_and_fine(torch.empty(1, 3, 128, 256))
            assert coarse.shape == (1, 19, 32, 64)
            assert fine.shape == (1, 256, 32, 64)
        assert (model.steps, model.subdivision_points) == (2, 8192)

    @pytest.mark.parametrize("size", [(32, 32), (33, 50), (5, 16)])
    def test_any_size_goes_in_and_comes_out(self, size):
        assert tiny(subdivision_points=20).eval()(torch.rand(2, 3, *size)).shape == (2, 3, *size)

    def test_padding_does_not_move_the_picture(self):
        model, images = tiny(subdivision_points=10**6).eval(), torch.rand(1, 3, 20, 37)
        padded = F.pad(images, (0, 11, 0, 12))
        torch.testing.assert_close(model(images), model(padded)[..., :20, :37])

    def test_losses_by_hand(self):
        model, images = tiny().eval(), torch.rand(2, 3, 32, 32)
        target = torch.randint(0, 3, (2, 32, 32))
        target[:, :4] = 255
        torch.manual_seed(1)
        losses = model.losses(images, target, ignore_index=255)
        torch.manual_seed(1)
        coarse, fine = model.coarse_and_fine(images)
        enlarged = F.interpolate(coarse, scale_factor=4, mode="bilinear")
        expected = F.cross_entropy(enlarged, target, ignore_index=255)
        torch.testing.assert_close(losses["coarse"], expected)
        points = training_points(coarse, semantic_uncertainty, 64)
        logits = model.point_head(point_sample(fine, points), point_sample(coarse, points))
        nearest = F.grid_sample(
            target[:, None].float(), 2 * points[:, :, None] - 1, mode="nearest", align_corners=False
        )[:, 0, :, 0]
        expected = F.cross_entropy(logits, nearest.long(), ignore_index=255)
        torch.testing.assert_close(losses["points"], expected)

    def test_pixels_of_minus_100_are_left_out_as_by_cross_entropy(self):
        model, images = tiny().eval(), torch.rand(1, 3, 32, 32)
        target, losses = torch.randint(0, 3, (1, 32, 32)), []
        for left_out, options in ((255, {"ignore_index": 255}), (-100, {})):
            target[:, :4] = left_out
            torch.manual_seed(1)
            losses.append(model.losses(images, target, **options))
        assert losses[0] == losses[1]

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.uint16], ids=str)
    def test_labels_of_any_integer_dtype(self, dtype):
        model, images = tiny().eval(), torch.rand(1, 3, 30, 32)
        target, losses = torch.randint(0, 3, (1, 30, 32)), []
        for labels in (target, target.to(dtype)):
            torch.manual_seed(1)
            losses.append(model.losses(images, labels))
        torch.testing.assert_close(*losses)

    def test_nothing_to_learn_from_is_zero(self):
        model, images = tiny(), torch.rand(1, 3, 32, 32)
        losses = model.losses(images, torch.full((1, 32, 32), -100))
        sum(losses.values()).backward()
        assert all(loss.item() == 0.0 for loss in losses.values())
        assert all(p.grad is not None and not p.grad.any() for p in model.point_head.parameters())

    def test_steps_of_training_lower_the_loss(self):
        model, images = tiny(), torch.rand(2, 3, 32, 32)
        target = torch.zeros(2, 32, 32, dtype=torch.long)
        target[:, :, 11:] = 1
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        losses = []
        for _ in range(8):
            loss = sum(model.losses(images, target).values())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < 0.7 * losses[0]
        assert all(p.grad is not None for p in model.coarse_head.parameters())
        assert all(p.grad is not None for p in model.point_head.parameters())

    @pytest.mark.as_user
    def test_exports_and_compiles(self):
        model, x = tiny(subdivision_points=50).eval(), torch.rand(2, 3, 32, 48)
        nn.init.normal_(model.point_head.predictor.weight)
        expected = model(x)
        torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
        compiled = torch.compile(model, fullgraph=True, backend="eager")
        torch.testing.assert_close(compiled(x), expected)

    @pytest.mark.as_user
    def test_a_target_of_another_size_is_refused(self):
        with pytest.raises(ValueError, match="target: expected the batch, height and width of im"):
            tiny().losses(torch.rand(1, 3, 32, 32), torch.zeros(1, 16, 16).long())

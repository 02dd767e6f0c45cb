import pytest
import torch
import torch.nn.functional as F

from cvcourse.models.segmentation.icnet import (
    CascadeFeatureFusion,
    ICNet,
    LabelGuidance,
    PyramidPooling,
    half,
    label_guidance_loss,
)
from tests.models import golden

TINY = {"width": 4, "depths": (1, 2, 1, 1)}


def test_released_parameters_and_sizes():
    with torch.device("meta"):
        net = ICNet()
        names = ["stem", "conv3_1", "conv5", "conv_sub1.0", "conv_sub1.2", "classifier"]
        maps = golden.capture(net, names)
        out = net(torch.empty(1, 3, 1025, 2049))
        guided = LabelGuidance(net)
    assert golden.parameter_count(net) == 6_699_987
    assert golden.parameter_count(guided) == 6_699_987 + (256 + 128 + 2) * 19
    assert out.shape == (1, 19, 1025, 2049)
    assert {name: tuple(m.shape[1:]) for name, m in maps.items()} == {
        "stem": (64, 129, 257),
        "conv3_1": (256, 65, 129),
        "conv5": (1024, 33, 65),
        "conv_sub1.0": (32, 513, 1025),
        "conv_sub1.2": (64, 129, 257),
        "classifier": (19, 257, 513),
    }


def test_dilations_keep_the_resolution_of_conv3():
    net = ICNet(**TINY)
    assert net.conv4[0].conv[0].dilation == (2, 2)
    assert net.conv5[0].conv[0].dilation == (4, 4)
    assert net.conv3_1.reduce[0].stride == (2, 2)  # in the 1×1, as the authors'


@pytest.mark.parametrize("size", [(64, 64), (65, 97), (33, 50), (1, 1)])
def test_any_size_goes_in_and_comes_out(size):
    images = torch.rand(2, 3, *size)
    assert ICNet(5, **TINY).eval()(images).shape == (2, 5, *size)


def test_pyramid_pooling_by_hand():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    torch.testing.assert_close(PyramidPooling((1,))(x), x + 7.5)
    means = torch.tensor([[2.5, 4.5], [10.5, 12.5]])
    corners = torch.tensor([0, 1 / 3, 2 / 3, 1])  # of the grid's cells on the map's corners
    rows = means[0] + (means[1] - means[0]) * corners[:, None]  # (4, 2)
    grid = rows[:, :1] + (rows[:, 1:] - rows[:, :1]) * corners
    torch.testing.assert_close(PyramidPooling((2,))(x), x + grid)


def test_pyramid_pooling_of_a_constant_is_five_times_it():
    torch.testing.assert_close(
        PyramidPooling()(torch.ones(1, 2, 7, 9)), torch.full((1, 2, 7, 9), 5.0)
    )


def test_half_takes_every_second_pixel_of_an_odd_size():
    x = torch.rand(1, 2, 9, 13)
    torch.testing.assert_close(half(x), x[..., ::2, ::2])


def test_fusion_by_its_formula():
    fusion = CascadeFeatureFusion(3, 2, 4).eval()
    coarse, fine = torch.rand(1, 3, 5, 6), torch.rand(1, 2, 9, 11)
    fused, enlarged = fusion(coarse, fine)
    up = F.interpolate(coarse, size=(9, 11), mode="bilinear", align_corners=True)
    expected = F.conv2d(up, fusion.coarse[0].weight, padding=2, dilation=2)
    expected = expected + F.conv2d(fine, fusion.fine[0].weight)
    torch.testing.assert_close(fused, (expected / (1 + 1e-5) ** 0.5).relu())
    assert torch.equal(enlarged, up)


class TestLabelGuidance:
    def test_loss_by_hand(self):
        logits = [torch.rand(1, 3, s, s) for s in (2, 4, 8)]
        target = torch.randint(0, 3, (1, 16, 16))
        expected = 0.0
        for branch, weight, step in zip(logits, (0.16, 0.4, 1.0), (8, 4, 2), strict=True):
            expected += weight * F.cross_entropy(branch, target[:, ::step, ::step])
        torch.testing.assert_close(label_guidance_loss(logits, target), expected)

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.uint16], ids=str)
    def test_labels_of_any_integer_dtype(self, dtype):
        logits = [torch.randn(1, 200, 4, 4)] * 3
        target = torch.randint(200, (1, 8, 8))
        target[0, 0] = 156  # in eight bits -100, the label that is ignored
        want = label_guidance_loss(logits, target)
        torch.testing.assert_close(label_guidance_loss(logits, target.to(dtype)), want)

    def test_ignored_pixels_and_nothing_else(self):
        logits = [torch.rand(1, 3, 4, 4, requires_grad=True)]
        target = torch.randint(0, 3, (1, 4, 4))
        target[0, :2] = 255
        loss = label_guidance_loss(logits, target, weights=(1.0,), ignore_index=255)
        torch.testing.assert_close(loss, F.cross_entropy(logits[0], target, ignore_index=255))
        target[:] = 255
        loss = label_guidance_loss(logits, target, weights=(1.0,), ignore_index=255)
        loss.backward()
        assert loss.item() == 0.0
        assert torch.equal(logits[0].grad, torch.zeros(1, 3, 4, 4))

    @pytest.mark.as_user
    def test_wrong_number_of_weights_is_refused(self):
        with pytest.raises(ValueError, match=r"weights: expected one for each of 2 logits"):
            label_guidance_loss([torch.rand(1, 3, 4, 4)] * 2, torch.zeros(1, 4, 4).long())


def test_one_step_of_training_lowers_the_loss():
    model, images = LabelGuidance(ICNet(3, **TINY)), torch.rand(4, 3, 64, 64)
    target = torch.zeros(4, 64, 64, dtype=torch.long)
    target[:, :, 32:] = 1
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(2):
        loss = label_guidance_loss(model(images), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = ICNet(3, **TINY).eval(), torch.rand(2, 3, 64, 96)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.as_user
@pytest.mark.parametrize("depths", [(1, 1, 1, 1), (1, 2, 1)])
def test_impossible_depths_are_refused(depths):
    with pytest.raises(ValueError, match=r"depths: expected four stages"):
        ICNet(3, width=4, depths=depths)

import math

import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt

from cvcourse.models.segmentation.unet import UNet, separation_weights
from tests.models import golden

TINY = {"in_channels": 3, "widths": (4, 8, 12)}


def test_the_figures_parameters_and_sizes():
    with torch.device("meta"):
        model = UNet()
        maps = golden.capture(
            model, [f"{part}.{i}" for part in ("down", "up_conv", "up") for i in range(4)]
        )
        out = model(torch.empty(1, 1, 572, 572))
    assert golden.parameter_count(model) == 31_030_658
    assert out.shape == (1, 2, 388, 388)
    sizes = {name: (m.shape[1], m.shape[-1]) for name, m in maps.items()}
    assert sizes == {
        "down.0": (64, 568),
        "down.1": (128, 280),
        "down.2": (256, 136),
        "down.3": (512, 64),
        "up_conv.3": (512, 56),
        "up.3": (512, 52),
        "up_conv.2": (256, 104),
        "up.2": (256, 100),
        "up_conv.1": (128, 200),
        "up.1": (128, 196),
        "up_conv.0": (64, 392),
        "up.0": (64, 388),
    }
    assert (model.margin, model.stride, model.input_size(388)) == (92, 16, 572)


@pytest.mark.parametrize("widths", [(2, 2), (2, 3, 4), (1, 1, 1, 1), (1, 1, 1, 1, 1)])
def test_every_size_that_the_rule_allows_works_and_no_other(widths):
    model = UNet(widths=widths).to("meta")
    for size in range(1, 2 * model.margin + 2 * model.stride + 2):
        image = torch.empty(1, 1, size, size, device="meta")
        wanted = max(size - 2 * model.margin, 1)
        if model.input_size(wanted) == size:
            assert model(image).shape == (1, 2, wanted, wanted)
        else:
            message = rf"images: expected height and width .* more than {2 * model.margin} "
            with pytest.raises(ValueError, match=message):
                model(image)


@pytest.mark.parametrize("wanted", [1, 7, 20, 21])
def test_input_size_is_the_least(wanted):
    model = UNet(widths=(2, 2, 2))
    size = model.input_size(wanted)
    assert size - 2 * model.margin >= wanted > size - model.stride - 2 * model.margin


def test_a_step_of_training_lowers_the_loss():
    model, x = UNet(**TINY, dropout=0.0), torch.rand(4, 3, 60, 60)
    target = torch.randint(0, 2, (4, 20, 20))
    weight = separation_weights(torch.randint(0, 3, (20, 20)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    losses = []
    for _ in range(2):
        loss = (F.cross_entropy(model(x), target, reduction="none") * weight).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


def test_dropout_is_at_the_end_of_the_way_down():
    model, x = UNet(widths=(2, 2, 2), dropout=1.0).train(), torch.rand(1, 1, 60, 60)
    maps = golden.capture(model, ["down.0", "up_conv.1", "up.1"])
    model(x)
    assert maps["down.0"].abs().sum() > 0
    assert torch.equal(  # nothing but the bias comes up from the bottom
        maps["up_conv.1"], model.up_conv[1].bias[:, None, None].expand_as(maps["up_conv.1"])
    )


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = UNet(**TINY).eval(), torch.rand(1, 3, 60, 64)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.as_user
def test_one_level_is_refused():
    with pytest.raises(ValueError, match=r"widths: expected two levels or more, got \(8,\)"):
        UNet(widths=(8,))


class TestSeparationWeights:
    def two_cells(self):
        instances = torch.zeros(9, 20, dtype=torch.long)
        instances[2:7, 1:8] = 3
        instances[1:8, 9:15] = 7
        return instances

    def test_by_hand(self):
        weights = separation_weights(self.two_cells(), class_weights=(1.0, 2.0))
        assert weights[4, 3] == 2.0
        assert weights[4, 8].item() == pytest.approx(1 + 10 * math.exp(-(2**2) / 50))
        assert weights[0, 19].item() == pytest.approx(
            1 + 10 * math.exp(-((math.hypot(1, 5) + math.hypot(2, 12)) ** 2) / 50)
        )

    def test_against_scipy(self):
        instances = torch.randint(-8, 6, (40, 30)).clamp(min=0)
        nearest, second, *_ = torch.stack(
            [torch.from_numpy(distance_transform_edt(instances != i)) for i in range(1, 6)]
        ).sort(0)[0]
        ridge = 4 * torch.exp(-((nearest + second) ** 2) / 18) * (instances == 0)
        ours = separation_weights(instances, w0=4.0, sigma=3.0, class_weights=(0.0, 0.0))
        torch.testing.assert_close(ours, ridge.float())

    def test_default_balances_the_classes(self):
        instances = self.two_cells()
        weights, cell = separation_weights(instances, w0=0.0), instances > 0
        assert weights[cell].sum().item() == pytest.approx(weights[~cell].sum().item())
        assert weights.mean().item() == pytest.approx(1.0)

    @pytest.mark.parametrize(
        "dtype", [torch.uint8, torch.int32, torch.uint16, torch.uint32], ids=str
    )
    def test_instances_of_any_integer_dtype(self, dtype):
        """Cell tracking's files hold 16 bits."""
        instances = torch.zeros(9, 12, dtype=torch.int64)
        instances[1:4, 1:5], instances[5:8, 4:11] = 1, 200
        want = separation_weights(instances)
        assert torch.equal(separation_weights(instances.to(dtype)), want)

    @pytest.mark.parametrize("number", [0, 1])
    def test_no_ridge_without_two_cells(self, number):
        instances = torch.full((4, 5), number)
        instances[0] = 0
        weights = separation_weights(instances, class_weights=(1.0, 1.0))
        assert torch.equal(weights, torch.ones(4, 5))

    @pytest.mark.parametrize("number", [0, 1])
    def test_balance_is_finite_with_one_class(self, number):
        assert separation_weights(torch.full((4, 5), number))[0, 0].item() == pytest.approx(0.5)

    @pytest.mark.as_user
    def test_bad_sigma_is_refused(self):
        with pytest.raises(ValueError, match="sigma: expected a positive width"):
            separation_weights(self.two_cells(), sigma=0.0)

    @pytest.mark.as_user
    def test_a_batch_is_refused(self):
        with pytest.raises(
            ValueError, match=r"instances: expected \(height, width\), got \(1, 9, 20"
        ):
            separation_weights(self.two_cells()[None])

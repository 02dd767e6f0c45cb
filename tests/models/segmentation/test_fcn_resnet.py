import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse.models.backbones.resnet import BasicBlock, resnet50
from cvcourse.models.segmentation.fcn_resnet import FCNResNet, fcn_resnet50
from tests import oracle
from tests.models import golden

TINY = {"block": BasicBlock, "depths": (1, 1, 1), "width": 8, "dilate": (True, True)}


@pytest.mark.parametrize(("aux_loss", "count"), [(True, 35_322_218), (False, 32_957_013)])
def test_published_parameter_counts(aux_loss, count):
    with torch.device("meta"):
        assert golden.parameter_count(fcn_resnet50(aux_loss=aux_loss)) == count


def test_equals_torchvision():
    meta, expected = oracle.model_golden("fcn_resnet50")
    model = golden.fill_as(fcn_resnet50(), meta)
    stages = golden.capture(model, meta["stages"])
    with torch.no_grad():
        logits = model(oracle.formula_batch(meta["input_shape"]).double())
    for name, output in logits.items():
        assert output.shape == (2, 21, 64, 80)
        every_fourth = output[..., ::4, ::4]
        np.testing.assert_allclose(every_fourth, expected[f"{name}_f64"], rtol=1e-10, atol=1e-11)
    for name in ("classifier", "aux_classifier"):
        np.testing.assert_allclose(stages[name], expected[f"lowres/{name}"], rtol=1e-10, atol=1e-11)
    for stage, shape in meta["stages"].items():
        output = stages[stage]
        assert list(output.shape) == shape
        sample = output[1].flatten(1)[::7].flatten()[:32]
        np.testing.assert_allclose(sample, expected[f"stage/{stage}"], rtol=1e-11, atol=1e-12)
        meanstd = [output.mean(), output.std()]
        np.testing.assert_allclose(meanstd, expected[f"stage_meanstd/{stage}"], rtol=1e-10)


def test_a_classifiers_trunk_loads():
    state = {k: v for k, v in resnet50().state_dict().items() if not k.startswith("fc.")}
    with torch.device("meta"):
        model = fcn_resnet50()
    model.backbone.load_state_dict(state, strict=True, assign=True)


@pytest.mark.parametrize("aux_loss", [True, False])
def test_any_size_goes_in_and_comes_out(aux_loss):
    model = FCNResNet(5, **TINY, aux_loss=aux_loss).eval()
    logits = model(torch.rand(2, 3, 45, 70))
    assert list(logits) == (["out", "aux"] if aux_loss else ["out"])
    assert all(x.shape == (2, 5, 45, 70) for x in logits.values())


def test_one_step_of_training_lowers_the_loss():
    model, x = FCNResNet(3, **TINY, dropout=0.0), torch.rand(4, 3, 32, 32)
    target = torch.randint(0, 3, (4, 32, 32))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(2):
        logits = model(x)
        loss = F.cross_entropy(logits["out"], target) + 0.5 * F.cross_entropy(logits["aux"], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = FCNResNet(3, **TINY).eval(), torch.rand(2, 3, 40, 56)
    expected = model(x)
    exported = torch.export.export(model, (x,)).module()(x)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")(x)
    for name, logits in expected.items():
        torch.testing.assert_close(exported[name], logits)
        torch.testing.assert_close(compiled[name], logits)


@pytest.mark.as_user
def test_dilate_of_the_wrong_length_is_refused():
    with pytest.raises(ValueError, match=r"dilate: expected one value .* \(2\)"):
        FCNResNet(3, **{**TINY, "dilate": (True,)})


@pytest.mark.as_user
def test_a_trunk_without_a_last_map_but_one_is_refused():
    with pytest.raises(ValueError, match=r"depths: expected two stages or more, got \(1,\)"):
        FCNResNet(3, **{**TINY, "depths": (1,), "dilate": ()})

"""How the tests of models read torchvision's outputs (`tests/oracles/torchvision/README.md`)."""

import numpy as np
import torch
from torch import nn

from cvcourse.models.pretrained import load_pretrained
from tests import oracle


def build_as(name: str, detector: type[nn.Module], **options) -> nn.Module:
    """A torchvision detector's twin with formula weights, `options` on top of the golden's own."""
    meta, _ = oracle.model_golden(name)
    constructor = {**meta["constructor"], **options}
    constructor.pop("norm"), constructor.pop("trainable_layers")  # the defaults, and tested so
    with torch.device("meta"):
        model = detector(**constructor)
    model = model.to_empty(device="cpu")
    oracle.fill_(model, meta["gain"], meta["gain_overrides"])
    return model.double().eval()


def fill_as(model: nn.Module, meta: dict) -> nn.Module:
    """Formula weights in float64, eval mode; names and shapes must be torchvision's."""
    shapes = {name: list(value.shape) for name, value in model.state_dict().items()}
    assert shapes == meta["state_dict"]
    oracle.fill_(model, meta["gain"], meta["gain_overrides"])
    return model.double().eval()


def load_published(model: nn.Module, state_dict, gain: float, names, folder, **other) -> nn.Module:
    """A file in the authors' layout with formula weights, and `other` tensors, read in float64."""
    weights = {name: oracle.formula_value(name, shape, gain).double() for name, shape in state_dict}
    for name, shape in state_dict:
        if name.endswith("num_batches_tracked"):
            weights[name] = torch.zeros(shape, dtype=torch.int64)
    torch.save({**weights, **other}, folder / "published.pth")
    return load_pretrained(model.double(), folder / "published.pth", names=names).eval()


def assert_statistics(output: torch.Tensor, golden: np.ndarray, rtol: float = 1e-9) -> None:
    """Mean, standard deviation and largest absolute value of all of it."""
    found = torch.stack([output.mean(), output.std(), output.abs().max()]).detach()
    np.testing.assert_allclose(found, golden, rtol=rtol, atol=rtol)


def capture(model: nn.Module, names) -> dict[str, torch.Tensor]:
    """Fills with the outputs of the named sub-modules at each later call of the model."""
    outputs = {}

    def keep(name):
        def hook(module, inputs, output):
            # a copy: the layer after it may work in place
            outputs[name] = output.clone() if isinstance(output, torch.Tensor) else output

        return hook

    for name in names:
        model.get_submodule(name).register_forward_hook(keep(name))
    return outputs


def assert_close(ours: torch.Tensor, golden: np.ndarray, atol: float = 1e-6) -> None:
    torch.testing.assert_close(
        ours.detach(), torch.from_numpy(golden).to(ours.dtype), atol=atol, rtol=1e-6
    )


def assert_classifier_is_golden(model: nn.Module, name: str) -> None:
    """State dict, each stage, and logits in float64: equal to torchvision's."""
    meta, golden = oracle.model_golden(name)
    fill_as(model, meta)
    stages = capture(model, meta["stages"])
    with torch.no_grad():
        logits = model(oracle.formula_batch(meta["input_shape"]).double())
    for stage, shape in meta["stages"].items():
        output = stages[stage]
        assert list(output.shape) == shape
        sample = output[1].flatten(1)[::7].flatten()[:32] if output.ndim == 4 else output[1][:32]
        np.testing.assert_allclose(sample, golden[f"stage/{stage}"], rtol=1e-12, atol=1e-12)
        meanstd = [output.mean(), output.std()]
        np.testing.assert_allclose(meanstd, golden[f"stage_meanstd/{stage}"], rtol=1e-10)
    np.testing.assert_allclose(logits, golden["logits_f64"], rtol=1e-11, atol=1e-11)


def assert_levels_are_golden(levels: dict[str, torch.Tensor], name: str) -> None:
    """The pyramid of a detector's backbone."""
    _, golden = oracle.model_golden(name)
    assert [f"fpn/{level}/sample" in golden for level in levels] == [True] * len(levels)
    for level, values in levels.items():
        assert_close(values[:, ::64], golden[f"fpn/{level}/sample"], atol=5e-5)
        meanstd = [values.mean(), values.std()]
        # made in float32, which is this far from float64
        np.testing.assert_allclose(meanstd, golden[f"fpn/{level}/meanstd"], atol=1e-6)


def assert_detections_are_golden(detections: list[dict], name: str) -> None:
    """Boxes, scores and labels in float64, in torchvision's order."""
    _, golden = oracle.model_golden(name)
    for i, found in enumerate(detections):
        assert found["labels"].tolist() == golden[f"det/{i}/labels"].tolist()
        np.testing.assert_allclose(found["boxes"], golden[f"det/{i}/boxes_f64"], atol=1e-10)
        np.testing.assert_allclose(found["scores"], golden[f"det/{i}/scores_f64"], rtol=1e-11)


def assert_training_is_golden(model: nn.Module, name: str, losses: str, *, gradients_of=None):
    """Losses of one step in float64, and the norms of the gradients of a prefix of parameters."""
    meta, _ = oracle.model_golden(name)
    images, targets = oracle.detection_batch(torch.float64, masks="mask" in name)
    with torch.set_grad_enabled(gradients_of is not None):
        found = model.train()(images, targets)
    assert set(found) == set(meta["losses"][losses])
    for term, value in meta["losses"][losses].items():
        np.testing.assert_allclose(found[term].item(), value, rtol=1e-9, err_msg=term)
    if gradients_of is None:
        return
    norms = {k: v for k, v in meta["gradient_norms_f64"].items() if k.startswith(gradients_of)}
    parameters = dict(model.named_parameters())
    assert not any(parameters[k].requires_grad for k in meta["parameters_without_grad"])
    gradients = torch.autograd.grad(sum(found.values()), [parameters[k] for k in norms])
    ours = [gradient.norm().item() for gradient in gradients]
    np.testing.assert_allclose(ours, list(norms.values()), rtol=1e-9)


def parameter_count(model: nn.Module, *, trainable_only: bool = False) -> int:
    return sum(p.numel() for p in model.parameters() if p.requires_grad or not trainable_only)

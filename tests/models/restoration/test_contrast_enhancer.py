import pytest
import torch
from torch import nn

from cvcourse.models.restoration.contrast_enhancer import ContrastEnhancer, ResidualEnhancer
from cvcourse.ops import split_frequencies
from tests.models import golden

SMALL = {
    ContrastEnhancer: {"width": 6, "branch_layers": 2, "trunk_layers": 1},
    ResidualEnhancer: {"width": 6, "head_layers": 2, "trunk_layers": 1},
}
BOTH = pytest.mark.parametrize("kind", SMALL)


def arguments(kind):
    images = torch.rand(2, 3, 9, 12)
    return (images, *split_frequencies(images)) if kind is ContrastEnhancer else (images,)


def test_counts_of_the_published_prototxt():
    with torch.device("meta"):
        assert golden.parameter_count(ContrastEnhancer()) == 560_323
        assert golden.parameter_count(ResidualEnhancer()) == 557_443


@BOTH
def test_relus_are_where_the_prototxt_has_them(kind):
    """After 4 of 5 convolutions of a branch and 5 of the trunk; after 4, and 11 of 12."""
    with torch.device("meta"):
        model = kind()
    parts = [model.luminance, model.trunk] if kind is ContrastEnhancer else [model.body]
    kinds = ["".join("c" if isinstance(m, nn.Conv2d) else "r" for m in part) for part in parts]
    wanted = (
        ["crcrcrcrc", "cr" * 5 + "c"]
        if kind is ContrastEnhancer
        else ["cr" * 4 + "c" + "cr" * 11 + "c"]
    )
    assert kinds == wanted


@BOTH
def test_without_weights_the_picture_passes(kind):
    model, inputs = kind(**SMALL[kind]), arguments(kind)
    for p in model.parameters():
        nn.init.zeros_(p)
    torch.testing.assert_close(model(*inputs), inputs[0], rtol=0, atol=0)


@BOTH
def test_one_step_of_training_lowers_the_loss(kind):
    model, inputs = kind(**SMALL[kind]), arguments(kind)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(2):
        loss = (model(*inputs) - inputs[0].sqrt()).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@BOTH
@pytest.mark.as_user
def test_bad_input(kind):
    with pytest.raises(ValueError, match="width: expected at least 1, got 0"):
        kind(width=0)
    images, *bands = arguments(kind)
    with pytest.raises(ValueError, match=r"images: expected \(batch, 3, height, width\), got"):
        kind(**SMALL[kind])(images[:, :1], *bands)


@pytest.mark.as_user
@pytest.mark.parametrize("place", [1, 2])
def test_bands_of_another_shape(place):
    name = ("images", "luminance", "detail")[place]
    inputs = list(arguments(ContrastEnhancer))
    for wrong in (inputs[0], inputs[place][0], inputs[place][..., 1:], inputs[place][:1]):
        changed = [*inputs[:place], wrong, *inputs[place + 1 :]]
        with pytest.raises(ValueError, match=rf"{name}: expected \(\d+, 1, \d+, \d+\), got"):
            ContrastEnhancer(**SMALL[ContrastEnhancer])(*changed)


@BOTH
@pytest.mark.as_user
def test_exports_and_compiles(kind):
    model, inputs = kind(**SMALL[kind]).eval(), arguments(kind)
    expected = model(*inputs)
    torch.testing.assert_close(torch.export.export(model, inputs).module()(*inputs), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(*inputs), expected)

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cvcourse.models.segmentation.receptive_field import gradient_footprint, receptive_field

LAYER = st.tuples(
    st.sampled_from([1, 2, 3, 5]), st.sampled_from([1, 2]), st.integers(1, 3), st.integers(0, 3)
)


def blur(layers):
    """Convolutions along one axis with positive weights: every path shows in the gradient."""
    stack = nn.Sequential(
        *(nn.Conv2d(1, 1, (k, 1), (s, 1), (p, 0), (d, 1), bias=False) for k, s, d, p in layers)
    )
    for convolution in stack:
        nn.init.ones_(convolution.weight)
    return stack.double()


@settings(max_examples=60, deadline=None)
@given(st.lists(LAYER, min_size=1, max_size=4))
def test_formula_equals_the_gradients_footprint(layers):
    field, size = receptive_field(layers), 200
    image, stack = torch.ones(1, 1, size, 1, dtype=torch.float64), blur(layers)
    # outputs from which the whole field lies inside the image
    outputs = [
        i
        for i in range(stack(image).shape[-2])
        if field.start + i * field.jump >= 0 and field.start + i * field.jump + field.size <= size
    ]
    for i in (outputs[0], outputs[-1]):
        seen = gradient_footprint(stack, image, at=(i, 0)).nonzero()[:, 0]
        first = field.start + i * field.jump
        assert (seen.min().item(), seen.max().item()) == (first, first + field.size - 1)


@pytest.mark.parametrize(
    ("layers", "size"),
    [
        ([], 1),
        ([(3, 1, 1, 1)] * 4, 9),
        ([(3, 1, 2**i, 2**i) for i in range(4)], 31),
        # VGG-16 up to pool5, and with the 7×7 layer after it: 212 and 404 in the FCN literature
        ([(3, 1, 1, 1), (3, 1, 1, 1), (2, 2, 1, 0)] * 2 + [(3, 1, 1, 1)] * 3 + [(2, 2, 1, 0)]
         + ([(3, 1, 1, 1)] * 3 + [(2, 2, 1, 0)]) * 2, 212),
        ([(3, 1, 1, 1), (3, 1, 1, 1), (2, 2, 1, 0)] * 2 + [(3, 1, 1, 1)] * 3 + [(2, 2, 1, 0)]
         + ([(3, 1, 1, 1)] * 3 + [(2, 2, 1, 0)]) * 2 + [(7, 1, 1, 0)], 404),
    ],
)  # fmt: skip
def test_known_sizes(layers, size):
    assert receptive_field(layers).size == size


def test_equal_dilations_leave_holes():
    image = torch.ones(1, 1, 41, 1, dtype=torch.float64)
    gridded = gradient_footprint(blur([(3, 1, 2, 2)] * 3), image) > 0
    mixed = gradient_footprint(blur([(3, 1, d, d) for d in (1, 2, 3)]), image) > 0
    assert (gridded.sum().item(), mixed.sum().item()) == (7, 13)
    assert (
        receptive_field([(3, 1, 2, 2)] * 3).size
        == receptive_field([(3, 1, d, d) for d in (1, 2, 3)]).size
    )


def test_footprint_by_hand_and_without_side_effects():
    model = nn.Conv2d(2, 3, 3, padding=1)
    images = torch.rand(4, 2, 5, 7)
    with torch.no_grad():
        footprint = gradient_footprint(model, images)
    expected = torch.zeros(5, 7)
    expected[1:4, 2:5] = model.weight.detach().sum(0).abs().mean(0)
    torch.testing.assert_close(footprint, expected)
    assert not images.requires_grad
    assert model.weight.grad is None


@pytest.mark.as_user
@pytest.mark.parametrize("layer", [(0, 1, 1, 0), (3, 0, 1, 0), (3, 1, 0, 0), (3, 1, 1, -1)])
def test_impossible_layers_are_refused(layer):
    with pytest.raises(ValueError, match=r"layers: expected kernel, stride, dilation of 1 or more"):
        receptive_field([(3, 1, 1, 1), layer])

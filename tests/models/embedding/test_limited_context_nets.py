"""Networks of limited-context inpainting: sizes from the authors' layers, and what they compute."""

import pytest
import torch

from cvcourse.models import PatchInpainter, PatchPairDiscriminator, TransformationClassifier


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_sizes_of_the_authors_layers():
    """Each layer of their TF-slim code: kernel² · in · out, and two numbers a batch norm."""
    with torch.device("meta"):
        inpainter, pairs = PatchInpainter(), PatchPairDiscriminator()
        classifier = TransformationClassifier()
        down = 16 * (48 * 96 + 96 * 192 + 192 * 384) + 2 * (96 + 192 + 384)
        up = 16 * (384 * 192 + 192 * 96 + 96 * 48) + 2 * (192 + 96 + 48)
        ends = 9 * 3 * 48 + 48 + 9 * 48 * 3 + 3
        assert parameters(inpainter) == down + up + ends
        weights = 9 * (6 * 64 + 64 * 128 + 128 * 256) + 16 * (64 * 64 + 128 * 128) + 256
        assert parameters(pairs) == weights + (64 + 64 + 128 + 128 + 256 + 1)
        convs = 121 * 3 * 96 + 25 * 48 * 256 + 9 * (256 * 384 + 192 * 384 + 192 * 256)
        dense = 16 * 256 * 4096 + 4096 * 4096 + 4096 * 6 + 6
        norms = 2 * (96 + 256 + 384 + 384 + 256 + 4096 + 4096)
        assert parameters(classifier) == convs + dense + norms
        assert inpainter(torch.zeros(2, 3, 48, 48)).shape == (2, 3, 48, 48)
        assert pairs(torch.zeros(2, 6, 48, 48)).shape == (2,)
        assert classifier(torch.zeros(2, 3, 64, 64)).shape == (2, 6)
        sides = [m.shape[2] for m in classifier.maps(torch.zeros(2, 3, 64, 64))]
        assert sides == [16, 8, 4, 4, 4]


def test_singular_values_of_the_discriminator_are_one():
    torch.manual_seed(0)
    net = PatchPairDiscriminator(4, halvings=1)
    for _ in range(60):
        net(torch.rand(2, 6, 8, 8))
    net.eval()
    for layer in [m for m in net.modules() if hasattr(m, "parametrizations")]:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
        assert largest.item() == pytest.approx(1, abs=1e-2)


def test_the_score_of_a_pair_is_a_sum_over_places():
    net = PatchPairDiscriminator(4, halvings=1).double().eval()
    pairs = torch.rand(3, 6, 8, 12).double()
    seen = net.layers(pairs)
    expected = seen.sum((2, 3)) @ net.score.weight.T + net.score.bias
    assert torch.allclose(net(pairs), expected[:, 0])


def test_images_are_seen_as_the_authors_scale_them():
    net = TransformationClassifier(side=16, widths=(2, 2, 2, 2, 2), hidden=4)
    seen = []
    net.features[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    net.eval()(
        2 * torch.tensor([123.68, 116.78, 103.94]).view(1, 3, 1, 1).expand(1, 3, 16, 16) / 255 - 1
    )
    assert seen[0].abs().max() < 1e-4


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: PatchInpainter(4, halvings=0), "halvings: expected at least 1"),
        (lambda: PatchInpainter(4)(torch.zeros(1, 3, 16, 20)), "sides that 8 divides"),
        (lambda: PatchPairDiscriminator(0), "width: expected at least 1"),
        (lambda: TransformationClassifier(side=20), "side must be a multiple of 16, got 20"),
        (
            lambda: TransformationClassifier(side=16, widths=(2, 2, 2, 2, 2), hidden=2)(
                torch.zeros(1, 3, 32, 32)
            ),
            r"images must have shape \(B, 3, 16, 16\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

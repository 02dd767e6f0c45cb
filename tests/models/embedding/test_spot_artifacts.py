"""Spotting artifacts: sizes of the authors' networks, what is repaired, and what stays frozen."""

import pytest
import torch

from cvcourse.models import ArtifactAutoencoder, ArtifactDiscriminator, RepairNetwork

WIDTHS = (4, 6, 8)


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def game(seed=0):
    torch.manual_seed(seed)
    autoencoder = ArtifactAutoencoder(WIDTHS).double().eval()
    repair = RepairNetwork(autoencoder).double()
    return autoencoder, repair, torch.randn(2, 8, 3, 5).double()


def test_sizes_of_the_authors_networks():
    with torch.device("meta"):
        autoencoder, images = ArtifactAutoencoder(), torch.zeros(2, 3, 96, 96)
        repair, discriminator = RepairNetwork(autoencoder), ArtifactDiscriminator()
        assert parameters(autoencoder.encoder) == 699_168
        assert parameters(autoencoder.decoder) == 1_568_547
        assert parameters(repair.repairs) == 6_297_216
        assert parameters(discriminator) == 40_097_411
        code = autoencoder.encoder(images)
        assert code.shape == (2, 512, 6, 6)
        assert autoencoder(images).shape == repair(code, code[:, :1]).shape == images.shape
        scores, where = discriminator(images)
        assert scores.shape == (2, 2)
        assert where.shape == (2, 6, 6)


def test_a_code_with_nothing_dropped_is_only_decoded():
    autoencoder, repair, code = game()
    kept = torch.ones(2, 1, 3, 5).double()
    assert torch.equal(repair(code, kept), autoencoder.decoder(code))


def test_repairs_are_the_papers_formula():
    """D1 = φ + (1 - Ω) R1(φ); D_i = stage(D_{i-1}) + (1 - U(Ω)) R_i(...), written out."""
    autoencoder, repair, code = game()
    kept = (torch.rand(2, 1, 3, 5) < 0.5).double()
    repair.eval()
    x, mask = code, kept
    for i, (fix, stage) in enumerate(zip(repair.repairs, autoencoder.decoder, strict=True)):
        if i:
            mask = mask.repeat_interleave(2, 2).repeat_interleave(2, 3)
        x = stage(x + (1 - mask) * fix(torch.cat([x, mask], 1)))
    assert torch.allclose(repair(code, kept), x)


def test_repairs_learn_and_the_decoder_does_not():
    autoencoder, repair, code = game()
    repair.train()
    before = {k: v.clone() for k, v in autoencoder.state_dict().items()}
    repair(code, torch.zeros(2, 1, 3, 5).double()).sum().backward()
    assert all(p.grad is not None for p in repair.repairs.parameters())
    assert all(p.grad is None for p in autoencoder.decoder.parameters())
    after = autoencoder.state_dict()
    assert all(torch.equal(after[k], v) for k, v in before.items())  # no statistics either
    assert autoencoder.encoder[0][0].weight.requires_grad


def test_norms_before_the_logits_have_a_shift_and_no_scale():
    net = ArtifactDiscriminator(32, widths=(4, 6, 8, 8, 4), hidden=8)
    norms = [m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert [norm.weight for norm in norms] == [None, None]
    x = torch.randn(6, 8, 1, 1)
    norms[1].bias.data = torch.arange(8.0)
    expected = (x - x.mean(0)) / (x.var(0, correction=0) + 1e-3).sqrt() + norms[1].bias.view(
        8, 1, 1
    )
    assert torch.allclose(norms[1](x), expected, atol=1e-5)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ArtifactAutoencoder((4,)), r"len\(widths\): expected at least 2, got 1"),
        (
            lambda: ArtifactAutoencoder(WIDTHS)(torch.zeros(1, 3, 18, 16)),
            "images must have sides that 4 divides",
        ),
        (lambda: ArtifactDiscriminator(40), "side must be a multiple of 16, got 40"),
        (
            lambda: ArtifactDiscriminator(16, widths=(2, 2, 2, 2, 2), hidden=2)(
                torch.zeros(2, 3, 32, 32)
            ),
            r"images must have shape \(B, 3, 16, 16\)",
        ),
        (
            lambda: game()[1](torch.zeros(2, 8, 3, 5).double(), torch.zeros(2, 8, 3, 5).double()),
            r"kept must have shape \(2, 1, 3, 5\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

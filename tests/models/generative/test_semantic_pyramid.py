"""The generator that mirrors a classifier: what masks let through, sizes, attention by hand."""

import pytest
import torch

from cvcourse.methods import pyramid_masks
from cvcourse.models import SemanticPyramidGenerator
from cvcourse.models.generative.semantic_pyramid import _Attention, _Block

MAPS, VECTORS = (4, 6, 8), (10, 5)
SMALL = {"latent": 7, "side": 2, "base": 3, "attention": 1}


def features(batch=2):
    torch.manual_seed(1)
    maps = [torch.rand(batch, c, 16 >> i, 16 >> i) for i, c in enumerate(MAPS)]
    return maps + [torch.rand(batch, n) for n in VECTORS]


def small(**options):
    torch.manual_seed(0)
    return SemanticPyramidGenerator(MAPS, VECTORS, **{**SMALL, **options}).eval()


def test_paper_scale():
    """Of VGG-16 for 256 × 256 pixels: each map where the generator has its size."""
    with torch.device("meta"):
        model = SemanticPyramidGenerator()
        maps = [
            torch.zeros(1, c, 128 >> i, 128 >> i) for i, c in enumerate((64, 128, 256, 512, 512))
        ]
        given = [*maps, torch.zeros(1, 4096), torch.zeros(1, 365)]
        picture = model(torch.zeros(1, 128), given, pyramid_masks(given, 3))
    assert picture.shape == (1, 3, 256, 256)
    assert [tuple(x.weight.shape) for x in model.linears] == [(365, 128), (2048, 365)]
    assert [tuple(x.weight.shape) for x in model.of_vectors] == [(365, 365), (2048, 4096)]


@pytest.mark.parametrize("level", range(5))
def test_only_the_told_level_matters(level):
    model, given = small(), features()
    z, masks = torch.randn(2, 7), pyramid_masks(given, level)
    with torch.no_grad():
        want = model(z, given, masks)
        for i, x in enumerate(given):
            changed = [*given[:i], x + 1, *given[i + 1 :]]
            assert torch.equal(model(z, changed, masks), want) == (i != level)


def test_without_features_the_latent_draws():
    model, given = small(), features()
    nothing = [torch.zeros_like(m) for m in pyramid_masks(given, 0)]
    first, second = (model(torch.randn(2, 7), given, nothing) for _ in range(2))
    assert not torch.allclose(first, second)
    assert first.abs().max() <= 1


def test_a_mask_is_seen_where_features_are_0():
    """It is a channel of its own, so that a feature of 0 is not a feature unknown."""
    model, given = small(), [torch.zeros_like(x) for x in features()]
    z = torch.randn(2, 7)
    told = model(z, given, pyramid_masks(given, 0))
    assert not torch.allclose(told, model(z, given, pyramid_masks(given, 4)))


def test_a_region_changes_mostly_there():
    model, given = small(attention=None), features(1)
    region = torch.zeros(1, 32, 32, dtype=torch.bool)
    region[:, :8, :8] = True
    z = torch.randn(1, 7)
    masks = pyramid_masks(given, 4, region)
    other = [x.clone() for x in given]
    other[0][:, :, :4, :4] += 5  # within the region: hidden
    assert torch.equal(model(z, given, masks), model(z, other, masks))


def test_layers_have_a_spectral_norm_of_1():
    model = small().train()
    given, z = features(), torch.randn(2, 7)
    for _ in range(60):  # each step brings the estimate nearer
        model(z, given, pyramid_masks(given, 0))
    model.eval()
    for layer in (model.enter, model.linears[0], model.blocks[0].conv1, model.blocks[1].features):
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2)
        assert largest.item() == pytest.approx(1, abs=0.02)


def test_attention_by_hand():
    torch.manual_seed(0)
    layer = _Attention(8).double().eval()
    x = torch.randn(2, 8, 4, 6).double()
    assert torch.equal(layer(x), x)  # it begins as nothing
    torch.nn.init.constant_(layer.gamma, 0.5)
    pooled = torch.nn.functional.max_pool2d
    query, key, value = layer.query(x), pooled(layer.key(x), 2), pooled(layer.value(x), 2)
    want = x.clone()
    for b in range(2):
        for i in range(4):
            for j in range(6):
                likeness = (query[b, :, i, j, None, None] * key[b]).sum(0).flatten()
                weights = (likeness - likeness.max()).exp()
                seen = (value[b].flatten(1) * weights).sum(1) / weights.sum()
                out = layer.out(seen[None, :, None, None])[0, :, 0, 0]
                want[b, :, i, j] += 0.5 * out
    torch.testing.assert_close(layer(x), want)


def test_a_block_is_the_sum_of_its_three_branches():
    block = _Block(3, 4, 5).double().eval()
    x, features, mask = torch.rand(2, 3, 4, 4), torch.rand(2, 5, 8, 8), torch.rand(2, 1, 8, 8)
    inputs = [tensor.double() for tensor in (x, features, mask)]
    whole, ends, alone = block(*inputs), (block.conv2, block.beside, block.features), 0
    for kept in ends:
        silent = [end.register_forward_hook(lambda layer, given, out: 0 * out)
                  for end in ends if end is not kept]  # fmt: skip
        alone = alone + block(*inputs)
        for hook in silent:
            hook.remove()
    torch.testing.assert_close(alone, whole)


def test_a_batch_of_one_and_gradients():
    model, given = small(), [x.requires_grad_() for x in features(1)]
    z = torch.randn(1, 7, requires_grad=True)
    picture = model(z, given, pyramid_masks(given, 1))
    picture.square().sum().backward()
    assert picture.shape == (1, 3, 32, 32)
    assert z.grad.abs().sum() > 0
    assert given[1].grad.abs().sum() > 0
    assert not given[0].grad.any()


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g, m: small()(torch.rand(2, 6), g, m), r"latent: expected \(batch, 7\), got"),
        (lambda g, m: small()(torch.rand(2, 7), g[1:], m), "features: expected 5, one for each"),
        (lambda g, m: small()(torch.rand(2, 7), g, m[1:]), "masks: expected 5, one for each"),
        (
            lambda g, m: small()(torch.rand(1, 7), g, m),
            r"features\[0\]: expected \(1, 4, 16, 16\), got \(2, 4, 16, 16\)",
        ),
        (
            lambda g, m: small()(torch.rand(2, 7), g, [m[0].expand(2, 4, 16, 16), *m[1:]]),
            r"masks\[0\]: expected \(2, 1, 16, 16\), got \(2, 4, 16, 16\)",
        ),
        (
            lambda g, m: small()(torch.rand(2, 7), [*g[:3], g[3][:, :9], g[4]], m),
            r"features\[3\]: expected \(2, 10\), got \(2, 9\)",
        ),
        (
            lambda g, m: small()(torch.rand(2, 7), g, [*m[:4], torch.ones(2, 2)]),
            r"masks\[4\]: expected \(2, 1\) or \(2, 5\), got \(2, 2\)",
        ),
        (lambda g, m: small(attention=3), "attention: expected 0 to 2, or None, got 3"),
        (lambda g, m: small(widths=(4, 4)), r"widths: expected 3, one for each map, got \(4, 4\)"),
        (lambda g, m: small(latent=0), "latent: expected at least 1, got 0"),
        (
            lambda g, m: SemanticPyramidGenerator((4, 0), (5,), attention=None),
            r"maps\[1\]: expected at least 1, got 0",
        ),
        (lambda g, m: SemanticPyramidGenerator(MAPS, ()), r"len\(vectors\): expected at least 1"),
    ],
)
def test_bad_input(call, message):
    given = features()
    with pytest.raises(ValueError, match=message):
        call(given, pyramid_masks(given, 2))

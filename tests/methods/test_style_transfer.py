import numpy as np
import pytest
import torch
from torch import nn

from cvcourse.losses import FeatureExtractor, gram_matrix, perceptual_loss, style_loss
from cvcourse.methods import style_transfer
from cvcourse.models import vgg_features, vgg_layers
from cvcourse.models.backbones.vgg import PUBLISHED_NAMES, VGG19_STAGES
from tests import oracle
from tests.models import golden

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1", "relu4_2")
WEIGHTS = [1000 / n**2 for n in (64, 128, 256, 512, 512)]
POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}


@pytest.mark.parametrize("pool", POOLS)
def test_equals_the_authors_notebook(pool, tmp_path):
    meta, want = oracle.restoration_golden(f"gatys_vgg19_{pool}")
    features = golden.load_published(
        vgg_features(VGG19_STAGES, pool=POOLS[pool]),
        meta["state_dict"],
        meta["gain"],
        PUBLISHED_NAMES,
        tmp_path,
    )
    names = vgg_layers(VGG19_STAGES)
    extract = FeatureExtractor(features, [names[n] for n in LAYERS], mean=(0,) * 3, std=(1,) * 3)
    content, style, x = (
        255 * oracle.formula_images(f"ga/{tag}", 1, 32, 32, 3) - 120
        for tag in ("content", "style", "x")
    )
    x.requires_grad_()
    found, of_style, of_content = extract(x), extract(style), extract(content)
    grams = [gram_matrix(f, "hw") for f in of_style[:5]]
    terms = [style_loss([found[i]], [grams[i]], [WEIGHTS[i]], normalize="hw") for i in range(5)] + [
        perceptual_loss(found[5:], of_content[5:])
    ]
    losses = torch.stack(terms)
    np.testing.assert_allclose(losses.detach(), want["losses"], rtol=1e-9)
    np.testing.assert_allclose(losses.sum().item(), want["total"], rtol=1e-9)
    (gradient,) = torch.autograd.grad(losses.sum(), x)
    scale = np.abs(want["grad"]).max()
    np.testing.assert_allclose(gradient[..., ::3, ::3] / scale, want["grad"] / scale, atol=1e-9)
    for layer, gram in (("r11", grams[0][0]), ("r51", grams[4][0])):
        step = len(gram) // 7
        golden.assert_close(gram[::step, ::step], want[f"gram_{layer}"], atol=0)
    for feature, statistics in zip(found, want["feat_stats"], strict=True):
        golden.assert_statistics(feature, statistics)

    first = []
    style_transfer(
        extract,
        content,
        style,
        content_layers=(5,),
        style_layers=range(5),
        start=x,
        evaluations=1,
        on_evaluation=lambda n, loss, _: first.append((n, loss)),
    )
    assert first == [(1, pytest.approx(float(want["total"]), rel=1e-6))]


def test_gradient_is_the_papers_formula():
    """d/dF of Σ (G - A)² / (4 N² M²) is Fᵀ(G - A) / (N² M²)."""
    x = torch.randn(1, 4, 3, 5, dtype=torch.float64, requires_grad=True)
    a = torch.randn(1, 4, 2, 6, dtype=torch.float64)
    gram, target = gram_matrix(x, None), gram_matrix(a, None)
    n, m = 4, 15
    energy = (gram - target).square().sum() / (4 * n**2 * m**2)
    (got,) = torch.autograd.grad(energy, x)
    flat = x.detach().flatten(2)
    want = (gram - target).detach() @ flat / (n**2 * m**2)
    torch.testing.assert_close(got.flatten(2), want)


def small_extractor():
    torch.manual_seed(0)
    features = vgg_features(((8,), (12, 12)), pool=nn.AvgPool2d).double()
    return FeatureExtractor(features, ["1", "4", "6"])


def pictures():
    return [oracle.formula_images(f"style/{tag}", 1, 20, 24, 3) for tag in ("content", "texture")]


def energy(extract, x, content, style):
    found, kept, wanted = extract(x), extract(content), extract(style)
    grams = style_loss(found[:2], wanted[:2], [1000 / 8**2, 1000 / 12**2], normalize="hw")
    return perceptual_loss(found[2:], kept[2:]) + grams


STYLE_AND_CONTENT = {"content_layers": (2,), "style_layers": (0, 1)}


class TestOptimisation:
    def test_content_and_style_come_near_and_inputs_stay(self):
        extract, (content, style) = small_extractor(), pictures()
        before = content.clone(), style.clone()
        seen = []
        out = style_transfer(
            extract,
            content,
            style,
            evaluations=45,
            on_evaluation=lambda n, loss, picture: seen.append((n, loss)),
            **STYLE_AND_CONTENT,
        )
        assert [n for n, _ in seen] == list(range(1, 46))
        assert seen[0][1] == pytest.approx(energy(extract, content, content, style).item())
        assert energy(extract, out, content, style) < 0.2 * seen[0][1]
        assert not out.requires_grad
        torch.testing.assert_close((content, style), before, rtol=0, atol=0)

    def test_content_alone_inverts_the_network(self):
        extract, (content, noise) = small_extractor(), pictures()
        out = style_transfer(
            extract, content, content_layers=(0,), start=noise, evaluations=60, learning_rate=1.0
        )
        near, far = ((p - content).square().mean() for p in (out, noise))
        assert near < 0.1 * far

    def test_a_style_of_another_size_serves_a_batch(self):
        extract, (content, style) = small_extractor(), pictures()
        out = style_transfer(
            extract,
            content.expand(2, -1, -1, -1),
            style[..., :13, :17],
            evaluations=3,
            line_search="strong_wolfe",
            **STYLE_AND_CONTENT,
        )
        assert out.shape == (2, 3, 20, 24)

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
    def test_under_autocast(self, dtype):
        extract, (content, style) = small_extractor().float(), [p.float() for p in pictures()]
        want, got = [], []
        for seen, enabled in ((want, False), (got, True)):
            with torch.autocast("cpu", dtype=dtype, enabled=enabled):
                out = style_transfer(
                    extract,
                    content,
                    style,
                    evaluations=1,
                    on_evaluation=lambda n, loss, p, seen=seen: seen.append(loss),
                    **STYLE_AND_CONTENT,
                )
            assert out.dtype == torch.float32
        assert got == [pytest.approx(want[0], rel=0.05)]


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("evaluations", {"evaluations": 0}),
        ("style_layers", {"style_layers": ()}),
        ("style_layers", {"style": None}),
        ("style_layers", {"style_layers": (3,)}),
        ("content_layers", {"content_layers": (-4,)}),
        ("content_layers", {"content_layers": (), "style": None, "style_layers": ()}),
        ("start", {"start": torch.rand(1, 3, 4, 4)}),
        ("weights", {"style_weights": (1.0,)}),
        ("weights", {"content_weights": (1.0, 1.0)}),
    ],
)
def test_bad_input(name, options):
    content, style = pictures()
    given = {"style": style, "content_layers": (2,), "style_layers": (0, 1), **options}
    with pytest.raises(ValueError, match=f"^{name} must"):
        style_transfer(small_extractor(), content, **given)

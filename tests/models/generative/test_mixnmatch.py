"""FineGAN and MixNMatch: the authors' pictures, layers and counts; which code reaches what."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse.models import (
    Codes,
    FineGANCodeDiscriminator,
    FineGANGenerator,
    FineGANPatchDiscriminator,
    MixNMatchCritics,
    MixNMatchEncoder,
    MixNMatchShapeExtractor,
    PairCritic,
)
from cvcourse.models.generative import finegan, mixnmatch
from tests import oracle
from tests.models import golden

COUNTS = {"latent": 4, "backgrounds": 6, "shapes": 3, "textures": 5}
SMALL = {"background_widths": (8, 6, 4), "shape_widths": (8, 6, 3), "residual": 1}


def codes(batch=2):
    torch.manual_seed(1)
    drawn = [torch.rand(batch, n) for n in list(COUNTS.values())[1:]]
    return Codes(torch.randn(batch, 4), *drawn)


def generator(**options):
    torch.manual_seed(0)
    return FineGANGenerator(**COUNTS, **SMALL, **options).eval()


def read(model, key, names, folder):
    """The golden's formula weights, in a file as the authors' code writes it."""
    meta, want = oracle.generative_golden("mixnmatch_generator")
    weights = {
        name: oracle.formula_value(f"{key}.{name}", shape, meta["gain"]).double()
        for name, shape in meta["state_dict"][key]
    }
    counters = [name for name in weights if name.endswith("running_var")]
    for name in counters:
        other = name.replace("running_var", "num_batches_tracked")
        weights[other] = torch.zeros((), dtype=torch.int64)
    torch.save(weights, folder / f"{key}.pth")
    golden.load_pretrained(model.double(), folder / f"{key}.pth", names=names).eval()
    return meta, want


def one_hot(count, indices):
    return F.one_hot(torch.tensor(indices), count).double()


def assert_sampled(found, want, name):
    flat = found.flatten()
    step = -(-len(flat) // 150)
    np.testing.assert_allclose(flat[::step], want[name], atol=1e-9, rtol=0)
    statistics = [flat.mean(), flat.std(correction=0), flat.abs().max()]
    np.testing.assert_allclose(statistics, want[f"{name}_stat"], atol=1e-9, rtol=0)


def test_pictures_and_critic_equal_the_authors(tmp_path):
    model = FineGANGenerator(
        latent=6,
        backgrounds=6,
        shapes=3,
        textures=6,
        background_widths=(64, 32, 16, 8, 8, 4),
        shape_widths=(64, 32, 16, 8, 2, 2),
    )
    meta, want = read(model, "G", finegan.PUBLISHED_NAMES, tmp_path)
    assert golden.parameter_count(model) == meta["parameters"]["G"]
    given = meta["codes"]
    z = oracle.formula_tensor("mixnmatch_generator/z", (2, 6), -1.7, 1.7).double()
    texture = one_hot(6, given["c"])
    with torch.no_grad():
        stages = model((z, one_hot(6, given["b"]), one_hot(3, given["p"]), texture))
        behind = F.interpolate(stages.background, (126, 126), mode="bilinear", align_corners=True)
        critic = PairCritic(6, width=4)
        read(critic, "BD", mixnmatch.CRITIC_NAMES, tmp_path)
        scores = critic(stages.picture, texture)
    np.testing.assert_allclose(scores, want["bd"], atol=1e-9, rtol=0)
    for name, found in {
        "fake0": behind,
        "fake1": stages.with_shape,
        "fake2": stages.picture,
        "fg0": stages.shape,
        "fg1": stages.texture,
        "mask0": stages.shape_mask,
        "mask1": stages.texture_mask,
        "fgmask0": stages.shape * stages.shape_mask,
        "fgmask1": stages.texture * stages.texture_mask,
    }.items():
        assert_sampled(found, want, name)


def test_sizes():
    count = golden.parameter_count
    with torch.device("meta"):
        assert count(FineGANGenerator()) == 13_500_672
        assert count(MixNMatchEncoder()) == 77_172_232
        assert count(FineGANPatchDiscriminator()) == 666_626
        assert count(FineGANCodeDiscriminator(20, width=32)) == 3_006_357
        assert count(FineGANCodeDiscriminator(200)) == 13_320_137
        assert count(MixNMatchCritics()) == 17_753_028
        assert count(MixNMatchShapeExtractor()) == 39_126_688
        patches = FineGANPatchDiscriminator()(torch.zeros(1, 3, 126, 126))
    assert patches.shape == (1, 2, 24, 24)


def test_every_published_name_is_a_layer():
    """Of the networks at paper scale: those of the files that the authors' training writes."""
    with torch.device("meta"):
        networks = [
            (FineGANGenerator(), finegan.PUBLISHED_NAMES),
            (FineGANPatchDiscriminator(), finegan.PATCH_NAMES),
            (FineGANPatchDiscriminator(channels=16, width=32, heads=1), finegan.FEATURE_NAMES),
            (MixNMatchEncoder(), mixnmatch.PUBLISHED_NAMES),
            (MixNMatchCritics(), mixnmatch.CRITICS_NAMES),
        ]
    for model, names in networks:
        layers = {name.rpartition(".")[0] for name in model.state_dict()}
        assert set(names.values()) == layers
    with torch.device("meta"):
        extractor = MixNMatchShapeExtractor()
    assert set(mixnmatch.EXTRACTOR_NAMES.values()) < {n for n, _ in extractor.named_modules()}


# which of background, shape, texture (as painted), and features each code reaches
REACH = {
    "latent": (True, True, True, True),
    "background": (True, False, False, False),
    "shape": (False, True, True, True),
    "texture": (False, False, True, False),
}


@pytest.mark.parametrize("factor", REACH)
def test_a_code_reaches_its_stage(factor):
    model, given = generator(), codes()
    changed = given._replace(**{factor: getattr(given, factor) + 1})
    with torch.no_grad():
        before, after = model(given), model(changed)
    parts = ("background", "shape", "texture", "features")
    same = [torch.equal(getattr(before, p), getattr(after, p)) for p in parts]
    assert same == [not reached for reached in REACH[factor]]
    assert not torch.equal(before.picture, after.picture)


def test_stages_are_painted_over_each_other():
    stages = generator()(codes())
    over = stages.shape * stages.shape_mask + stages.background * (1 - stages.shape_mask)
    torch.testing.assert_close(stages.with_shape, over)
    over = stages.texture * stages.texture_mask + over * (1 - stages.texture_mask)
    torch.testing.assert_close(stages.picture, over)
    assert stages.picture.shape == (2, 3, 16, 16)


def test_features_take_the_place_of_the_shape():
    model, given = generator(), codes()
    with torch.no_grad():
        stages = model(given)
        again = model(given._replace(shape=given.shape + 1), stages.features)
        assert torch.equal(again.picture, stages.picture)
        assert not torch.equal(model(given, stages.features + 1).picture, stages.picture)


def test_encoders_are_four():
    torch.manual_seed(0)
    model = MixNMatchEncoder(**COUNTS, side=16, width=4).eval()
    x = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        logits, weights = model(x), model(x, softmax=True)
    assert [tuple(code.shape) for code in logits] == [(2, n) for n in COUNTS.values()]
    assert logits.latent.abs().max() <= 4
    assert torch.equal(weights.latent, logits.latent)
    for found, expected in zip(weights[1:], logits[1:], strict=True):
        torch.testing.assert_close(found, expected.softmax(1))
    model.encoders["shape"][0].weight.data.add_(1)
    with torch.no_grad():
        changed = model(x)
    assert [torch.equal(a, b) for a, b in zip(logits, changed, strict=True)] == [
        True,
        True,
        False,
        True,
    ]


def test_noise_is_for_training():
    torch.manual_seed(0)
    critic = PairCritic(5, side=16, width=4, hidden=8)
    x, code = torch.rand(2, 3, 16, 16), torch.rand(2, 5)
    assert torch.equal(critic.eval()(x, code), critic(x, code))
    assert not torch.equal(critic.train()(x, code), critic(x, code))
    quiet = PairCritic(5, side=16, width=4, hidden=8, noise=(0, 0, 0))
    assert torch.equal(quiet(x, code), quiet(x, code))


def test_extracted_features_paint():
    torch.manual_seed(0)
    extractor = MixNMatchShapeExtractor(3, widths=(4, 4, 6), ups=(5,)).eval()
    features = extractor(torch.rand(2, 3, 16, 16))
    assert generator()(codes(), features).picture.shape == (2, 3, 16, 16)


X = torch.rand(2, 3, 16, 16)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: generator()(codes()[:3]), "codes: expected latent, background, shape, texture"),
        (
            lambda: generator()(codes()._replace(shape=torch.rand(2, 4))),
            r"codes.shape: expected \(2, 3\), got \(2, 4\)",
        ),
        (
            lambda: generator()(codes()._replace(texture=torch.rand(1, 5))),
            r"codes.texture: expected \(2, 5\), got \(1, 5\)",
        ),
        (
            lambda: generator()(codes(), torch.rand(2, 3, 8, 8)),
            r"features: expected \(2, 3, 16, 16\), got \(2, 3, 8, 8\)",
        ),
        (
            lambda: FineGANGenerator(background_widths=(8, 4), shape_widths=(8,)),
            "background_widths and shape_widths: expected equally many, two or more",
        ),
        (lambda: FineGANGenerator(shapes=0), "shapes: expected at least 1, got 0"),
        (
            lambda: FineGANPatchDiscriminator(width=2)(torch.rand(1, 3, 33, 40)),
            r"x: expected 34 pixels a side or more, got \(33, 40\)",
        ),
        (lambda: FineGANCodeDiscriminator(3, side=24), "side must be a power of two from 16"),
        (
            lambda: FineGANCodeDiscriminator(3, side=32, width=2)(X),
            r"x: expected \(batch, 3, 32, 32\), got \(2, 3, 16, 16\)",
        ),
        (lambda: MixNMatchEncoder(side=8), "side must be a power of two from 16, got 8"),
        (
            lambda: PairCritic(5, side=16, width=2, hidden=4)(X, torch.rand(2, 4)),
            r"code: expected \(2, 5\), got \(2, 4\)",
        ),
        (
            lambda: PairCritic(5, noise=(1, 1)),
            r"noise: expected three numbers from 0, got \(1, 1\)",
        ),
        (
            lambda: MixNMatchCritics(**COUNTS, side=16, width=2, hidden=4)(X, codes()[:2]),
            "codes: expected latent, background, shape, texture, got 2",
        ),
        (
            lambda: MixNMatchShapeExtractor(3, widths=(4, 4, 6), ups=(5,))(X[..., :14]),
            r"x: expected sides that are multiples of 4, got \(16, 14\)",
        ),
        (
            lambda: MixNMatchShapeExtractor(3, widths=(4, 4, 6), ups=(5, 5)),
            "widths and ups: expected two or more, and two fewer",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""StarGAN v2: the authors' blocks, networks, and counts."""

import numpy as np
import pytest
import torch

from cvcourse.models import (
    StarGANv2Discriminator,
    StarGANv2Generator,
    StarGANv2Mapping,
    StarGANv2StyleEncoder,
)
from cvcourse.models.generative import starganv2
from tests import oracle
from tests.models import golden

SMALL = {"image_size": 16, "width": 4, "max_width": 8}
BLOCKS = {
    "res_norm_down": lambda: starganv2._Block(4, 6, norm=True, down=True),
    "res_same": lambda: starganv2._Block(4, 4),
    "adain_up": lambda: starganv2._StyledBlock(4, 6, 5, up=True),
    "adain_hpf": lambda: starganv2._StyledBlock(4, 6, 5, beside=False),
    "adain": lambda: starganv2._AdaIN(5, 4),
}


@pytest.mark.parametrize("name", [*BLOCKS, "highpass"])
def test_blocks_equal_the_authors(name):
    meta, want = oracle.generative_golden("starganv2_blocks")
    x = oracle.formula_tensor("starganv2_blocks/x", (2, 4, 8, 8), -1).double()
    style = oracle.formula_tensor("starganv2_blocks/s", (2, 5), -1).double()
    if name == "highpass":
        block = starganv2._HighPass(1.0).double()
    else:
        shapes = meta["state_dict"][name]
        block = BLOCKS[name]().double()
        assert {k: list(v.shape) for k, v in block.state_dict().items()} == dict(shapes)
        block.load_state_dict(
            {k: oracle.formula_value(f"{name}.{k}", shape, meta["gain"]) for k, shape in shapes}
        )
    with torch.no_grad():
        found = block(x, style) if name.startswith("adain") else block(x)
    np.testing.assert_allclose(found, want[name], atol=1e-9, rtol=0)


def networks(tmp_path):
    """The four of the golden, read from files in the authors' layout."""
    meta, want = oracle.generative_golden("starganv2_nets")
    config = meta["config"]
    sizes = {"image_size": 64, "width": 8, "max_width": config["max_conv_dim"]}
    style, domains = {"style": config["style_dim"]}, {"domains": config["num_domains"]}
    made = {
        "G": StarGANv2Generator(**sizes, **style),
        "F": StarGANv2Mapping(latent=config["latent_dim"], **style, **domains),
        "E": StarGANv2StyleEncoder(**sizes, **style, **domains),
        "D": StarGANv2Discriminator(**sizes, **domains),
    }
    for name, model in made.items():
        assert golden.parameter_count(model) == meta["parameters"][name]
        weights = {
            key: oracle.formula_value(f"{name}.{key}", shape, meta["gain"]).double()
            for key, shape in meta["state_dict"][name]
        }
        path = tmp_path / f"{name}.pth"
        torch.save(weights, path)
        names = starganv2.PUBLISHED_NAMES
        golden.load_pretrained(model.double(), path, names=names)
    return made, meta, want


def inputs():
    def made(name, shape, most=1.0):
        return oracle.formula_tensor(f"starganv2_nets/{name}", shape, -most, most).double()

    images = {name: made(name, (3, 3, 64, 64)) for name in ("x", "ref", "ref2")}
    return images | {name: made(name, (3, 6), 1.7) for name in ("z", "z2")}


def test_networks_equal_the_authors(tmp_path):
    made, meta, want = networks(tmp_path)
    given = inputs()
    of, to = (torch.tensor(meta["labels"][key]) for key in ("y_org", "y_trg"))
    with torch.no_grad():
        style = made["F"](given["z"], to)
        np.testing.assert_allclose(style, want["style_mapped"], atol=1e-9, rtol=0)
        encoded = made["E"](given["ref"], to)
        np.testing.assert_allclose(encoded, want["style_encoded"], atol=1e-9, rtol=0)
        image = made["G"](given["x"], style)
        flat = image.flatten()
        np.testing.assert_allclose(flat[:: -(-len(flat) // 500)], want["image"], atol=1e-9, rtol=0)
        statistics = [flat.mean(), flat.std(correction=0), flat.abs().max()]
        np.testing.assert_allclose(statistics, want["image_stat"], atol=1e-9, rtol=0)
        np.testing.assert_allclose(made["D"](given["x"], of), want["d_real"], atol=1e-9, rtol=0)


def test_sizes():
    count = golden.parameter_count
    with torch.device("meta"):
        assert count(StarGANv2Generator()) == 33_892_995
        assert count(StarGANv2Generator(high_pass=1)) == 43_467_395
        assert count(StarGANv2Mapping()) == 2_438_272
        assert count(StarGANv2Mapping(domains=3)) == 3_259_072
        assert count(StarGANv2StyleEncoder()) == 20_916_928
        assert count(StarGANv2StyleEncoder(domains=3)) == 20_949_760
        assert count(StarGANv2Discriminator()) == 20_852_290
        assert count(StarGANv2Discriminator(domains=3)) == 20_852_803


def test_a_released_filter_is_left_out(tmp_path):
    """Files for faces hold the high-pass kernel, which is a constant."""
    model = StarGANv2Generator(**SMALL, high_pass=1)
    weights = {**model.state_dict(), "hpf.filter": torch.zeros(3, 3)}
    torch.save(weights, tmp_path / "faces.pth")
    golden.load_pretrained(model, tmp_path / "faces.pth", names=starganv2.PUBLISHED_NAMES)
    assert model.edges.kernel[0, 0, 1, 1] == 8


def test_each_network_is_read_from_the_authors_one_file(tmp_path):
    """They save all in one, as parts of parallel networks."""
    made = {
        "generator": StarGANv2Generator(**SMALL, style=3),
        "mapping_network": StarGANv2Mapping(latent=4, style=3, hidden=8),
        "style_encoder": StarGANv2StyleEncoder(**SMALL, style=3),
    }
    file = {
        part: {f"module.{name}": x + 1 for name, x in model.state_dict().items()}
        for part, model in made.items()
    }
    torch.save(file, tmp_path / "100000_nets_ema.ckpt")
    for part, model in made.items():
        with pytest.warns(UserWarning, match=f"read from {part}"):
            golden.load_pretrained(model, tmp_path / "100000_nets_ema.ckpt", part=part)
        for name, x in model.state_dict().items():
            assert torch.equal(x, file[part][f"module.{name}"])


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (16, 16), (17, 22)], ids=str)
def test_any_size_comes_back(size):
    model = StarGANv2Generator(image_size=32, style=3, width=2, max_width=4).eval()
    padded = [side + -side % 2 for side in size]
    x = torch.rand(1, 3, *size)
    if padded == [2, 2]:  # one pixel is left, which an instance norm cannot norm
        with pytest.raises(ValueError, match="spatial element"):
            model(x, torch.rand(1, 3))
        return
    assert model(x, torch.rand(1, 3)).shape == x.shape


def test_each_domain_has_its_branch():
    torch.manual_seed(0)
    model = StarGANv2Mapping(domains=3, latent=4, style=2, hidden=8)
    z = torch.randn(1, 4).expand(3, 4)
    together = model(z, torch.tensor([0, 1, 2]))
    for domain in range(3):
        alone = model.unshared[domain](model.shared(z[:1]))
        torch.testing.assert_close(together[domain], alone[0])


def test_masks_add_what_the_high_pass_leaves():
    torch.manual_seed(0)
    model = StarGANv2Generator(image_size=64, style=3, width=2, max_width=4, high_pass=1).eval()
    x, style = torch.rand(2, 3, 64, 64), torch.rand(2, 3)
    none, everywhere = torch.zeros(2, 1, 64, 64), torch.ones(2, 1, 64, 64)
    plain = model(x, style)
    torch.testing.assert_close(model(x, style, (none, none)), plain)
    assert not torch.allclose(model(x, style, (everywhere, none)), plain)
    assert not torch.allclose(model(x, style, (none, everywhere)), plain)


def test_high_pass_by_hand():
    spike = torch.zeros(1, 1, 3, 3)
    spike[..., 1, 1] = 1
    expected = torch.tensor([[-1.0, -1, -1], [-1, 8, -1], [-1, -1, -1]]) / 2
    torch.testing.assert_close(starganv2._HighPass(2.0)(spike)[0, 0], expected)


def test_style_changes_the_answer_and_gradients_reach_it():
    torch.manual_seed(0)
    model = StarGANv2Generator(**SMALL, style=3)
    style = torch.rand(2, 3, requires_grad=True)
    model(torch.rand(2, 3, 16, 16), style).square().sum().backward()
    assert style.grad.abs().min() > 0


def calls():
    generator = StarGANv2Generator(**SMALL, style=3)
    faces = StarGANv2Generator(**SMALL, style=3, high_pass=1)
    mapping = StarGANv2Mapping(latent=4, style=2, hidden=8)
    encoder, patches = StarGANv2StyleEncoder(**SMALL, style=2), StarGANv2Discriminator(**SMALL)
    x, z, mask = torch.rand(2, 3, 16, 16), torch.rand(2, 4), torch.ones(2, 1, 16, 16)
    one = torch.tensor([0, 1])
    return [
        (lambda: generator(x[:, :2], z[:, :3]), r"x: expected \(batch, 3, height, width\)"),
        (lambda: generator(x, z), r"style: expected \(2, 3\), got \(2, 4\)"),
        (lambda: generator(x, z[:, :3], (mask, mask)), "masks: expected None, since high_pass is"),
        (lambda: faces(x, z[:, :3], (mask,)), r"masks: expected two of \(batch, 1"),
        (lambda: mapping(z[:, :3], one), r"latent: expected \(batch, 4\), got \(2, 3\)"),
        (lambda: mapping(z, one[:1]), r"domain: expected 2 integers, got torch.int64 \(1,\)"),
        (lambda: mapping(z, one.float()), "domain: expected 2 integers, got torch.float32"),
        (lambda: mapping(z, one + 1), r"domain: expected 0 to 1, got \[1, 2\]"),
        (lambda: mapping(z, one - 1), r"domain: expected 0 to 1, got \[-1, 0\]"),
        (lambda: encoder(x[..., :8], one), r"x: expected \(batch, 3, 16, 16\)"),
        (lambda: patches(x[..., :8], one), r"x: expected \(batch, 3, 16, 16\)"),
        (lambda: StarGANv2Generator(image_size=48), "image_size must be a power of two from 16"),
        (lambda: StarGANv2Discriminator(image_size=2), "image_size must be a power of two from 4"),
        (lambda: StarGANv2Generator(high_pass=-1), "high_pass: expected a number from 0, got -1"),
        (lambda: StarGANv2Mapping(domains=0), "domains: expected at least 1, got 0"),
    ]


@pytest.mark.as_user
@pytest.mark.parametrize("i", range(len(calls())))
def test_bad_input(i):
    call, message = calls()[i]
    with pytest.raises(ValueError, match=message):
        call()

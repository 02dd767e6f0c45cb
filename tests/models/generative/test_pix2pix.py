"""pix2pix: the authors' counts, nested names, receptive field; sizes that do not halve."""

import pytest
import torch
from torch import nn

from cvcourse.models import PatchDiscriminator, Pix2PixUNet, gradient_footprint, load_pretrained
from cvcourse.models.generative import pix2pix
from cvcourse.models.restoration import patch_discriminator
from tests.models import golden


class AuthorsBlock(nn.Module):
    """One level of the authors' U-Net, written as theirs is nested (`UnetSkipConnectionBlock`)."""

    def __init__(self, outer, inner, inside=None, outermost=False):
        super().__init__()
        size = {"kernel_size": 4, "stride": 2, "padding": 1}
        self.outermost = outermost
        down = nn.Conv2d(3 if outermost else outer, inner, bias=False, **size)
        up = nn.ConvTranspose2d(
            inner if inside is None else 2 * inner, outer, bias=outermost, **size
        )
        if outermost:
            layers = [down, inside, nn.ReLU(True), up, nn.Tanh()]
        elif inside is None:
            layers = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, nn.BatchNorm2d(outer)]
        else:
            layers = [nn.LeakyReLU(0.2, True), down, nn.BatchNorm2d(inner), inside]
            layers += [nn.ReLU(True), up, nn.BatchNorm2d(outer)]
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


class Authors(nn.Module):
    def __init__(self, width, levels):
        super().__init__()
        widths = [width * min(2**level, 8) for level in range(levels)]
        block = None
        for level in range(levels - 1, 0, -1):
            block = AuthorsBlock(widths[level - 1], widths[level], block)
        self.model = AuthorsBlock(3, width, block, outermost=True)

    def forward(self, x):
        return self.model(x)


def test_sizes():
    with torch.device("meta"):
        generator = Pix2PixUNet()
        patches = PatchDiscriminator(channels=6, norm=nn.BatchNorm2d, padding=1)
        scores = patches(torch.zeros(1, 6, 256, 256))
    assert golden.parameter_count(generator) == 54_413_955
    assert golden.parameter_count(patches) == 2_768_705
    assert scores.shape == (1, 1, 30, 30)


@pytest.mark.parametrize("levels", [3, 6])
def test_the_authors_nested_network_is_read(levels, tmp_path):
    torch.manual_seed(0)
    theirs = Authors(4, levels).double()
    x = torch.rand(2, 3, 2**levels, 2**levels).double() * 2 - 1
    with torch.no_grad():
        theirs(x)  # so that running statistics are not 0 and 1
        theirs(x.flip(0) ** 3)
    torch.save(theirs.state_dict(), tmp_path / "unet.pth")
    ours = Pix2PixUNet(width=4, levels=levels).double()
    load_pretrained(ours, tmp_path / "unet.pth", names=pix2pix.published_names(levels))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=0, atol=1e-12)


def test_published_names_are_those_of_eight_levels():
    with torch.device("meta"):
        theirs, ours = Authors(1, 8), Pix2PixUNet(width=1)
    names = pix2pix.PUBLISHED_NAMES
    layers = {name.rpartition(".")[0] for name in theirs.state_dict()}
    assert set(names) == layers
    assert set(names.values()) == {name.rpartition(".")[0] for name in ours.state_dict()}


def test_the_authors_patch_discriminator_is_read(tmp_path):
    """Their layers are numbered alike: 0, 2, 3, 5, 6, 8, 9, 11 of `model`."""
    ours = PatchDiscriminator(channels=6, width=4, norm=nn.BatchNorm2d, padding=1)
    theirs = {name.replace("layers", "model"): x + 1 for name, x in ours.state_dict().items()}
    assert {int(name.split(".")[1]) for name in theirs} == {0, 2, 3, 5, 6, 8, 9, 11}
    assert "model.2.bias" not in theirs
    torch.save(theirs, tmp_path / "d.pth")
    load_pretrained(ours, tmp_path / "d.pth", names=patch_discriminator.PIX2PIX_NAMES)
    assert torch.equal(ours.layers[5].weight, theirs["model.5.weight"])


@pytest.mark.parametrize("padding", [1, 2])
def test_a_score_sees_70_pixels(padding):
    model = PatchDiscriminator(width=4, norm=None, padding=padding).double()
    x = torch.zeros(1, 3, 128, 128).double()
    footprint = gradient_footprint(model, x)
    rows = footprint.reshape(128, 128).abs().sum(1).nonzero()
    assert rows.max() - rows.min() + 1 == 70


def test_the_smallest_picture_has_one_score():
    patches = PatchDiscriminator(width=2, norm=None, padding=1)
    assert patches.least == 24
    assert patches(torch.rand(1, 3, 24, 24)).shape == (1, 1, 1, 1)
    assert PatchDiscriminator(width=2, norm=None)(torch.rand(1, 3, 1, 1)).shape[0] == 1
    with pytest.raises(ValueError, match=r"x: expected 24 pixels a side or more, got \(24, 23\)"):
        patches(torch.rand(1, 3, 24, 23))


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (16, 8), (17, 22)], ids=str)
def test_any_size_comes_back(size):
    model = Pix2PixUNet(2, 1, width=2, levels=3).eval()
    answer = model(torch.rand(1, 2, *size))
    assert answer.shape == (1, 1, *size)
    assert answer.abs().max() <= 1


def test_the_border_is_repeated():
    torch.manual_seed(0)
    model = Pix2PixUNet(width=2, levels=2).double().eval()
    x = torch.rand(1, 3, 5, 6).double()
    larger = torch.cat([x, x[:, :, -1:].expand(-1, -1, 3, -1)], 2)
    larger = torch.cat([larger, larger[..., -1:].expand(-1, -1, -1, 2)], 3)
    assert torch.equal(model(x), model(larger)[..., :5, :6])


def test_noise_is_dropout_of_the_widest_layers():
    model = Pix2PixUNet(width=2)
    dropped = [i for i, up in enumerate(model.ups) if isinstance(up[-1], nn.Dropout)]
    assert dropped == [1, 2, 3]
    assert not [m for m in Pix2PixUNet(width=2, levels=5).modules() if isinstance(m, nn.Dropout)]


def test_biases_stand_where_no_norm_has_one():
    plain, instance = Pix2PixUNet(width=2), Pix2PixUNet(width=2, norm=nn.InstanceNorm2d)
    assert plain.downs[3][1].bias is None
    assert plain.ups[-1][1].bias is not None
    assert instance.downs[3][1].bias is not None
    assert instance.downs[0].bias is not None


def test_it_learns_a_pair():
    torch.manual_seed(0)
    model = Pix2PixUNet(1, 1, width=4, levels=3)
    x = torch.rand(4, 1, 16, 16) * 2 - 1
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        loss = (model(x) + 0.5 * x).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pix2PixUNet(levels=1), "levels: expected at least 2, got 1"),
        (lambda: Pix2PixUNet(width=0), "width: expected at least 1, got 0"),
        (lambda: Pix2PixUNet(dropout=1.5), r"dropout must lie in \[0, 1\], got 1.5"),
        (
            lambda: Pix2PixUNet(width=2, levels=2)(torch.zeros(3, 8, 8)),
            r"x: expected \(batch, 3, height, width\), got \(3, 8, 8\)",
        ),
        (
            lambda: Pix2PixUNet(width=2, levels=2)(torch.zeros(1, 3, 0, 8)),
            r"x: expected \(batch, 3, height, width\), got \(1, 3, 0, 8\)",
        ),
        (lambda: PatchDiscriminator(padding=-1), "padding: expected at least 0, got -1"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()

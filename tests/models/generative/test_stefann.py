"""FANnet and Colornet: counts by layer, what reaches what, sizes."""

import pytest
import torch

from cvcourse.models import Colornet, FANnet
from tests.models import golden

SMALL = {"letters": 5, "side": 16, "width": 4, "hidden": 12}


def test_sizes():
    with torch.device("meta"):
        fan, color = FANnet(), Colornet()
    convolutions = 160 + 2320 + 145 + 2320 + 2320 + 145  # the dossier's sum, of the Keras layers
    dense = 4096 * 512 + 512 + 26 * 512 + 512 + 2 * (1024 * 1024 + 1024)
    assert golden.parameter_count(fan) == convolutions + dense == 4_218_098
    assert golden.parameter_count(color) == 2_180_739
    with torch.device("meta"):
        assert fan(torch.zeros(2, 1, 64, 64), torch.tensor([0, 25])).shape == (2, 1, 64, 64)


def test_the_letter_is_a_one_hot_row():
    torch.manual_seed(0)
    model = FANnet(**SMALL).eval()
    glyph = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        answers = torch.cat([model(glyph, torch.tensor([i])) for i in range(5)])
        together = model(glyph.expand(5, -1, -1, -1), torch.arange(5))
        torch.testing.assert_close(together, answers)
        before = model(glyph, torch.tensor([2]))
        model.letter[0].weight[:, 3] += 1  # another letter's
        assert torch.equal(model(glyph, torch.tensor([2])), before)
        model.letter[0].weight[:, 2] += 1
        assert not torch.equal(model(glyph, torch.tensor([2])), before)
    assert answers.min() >= 0


def test_maps_begin_with_channels_last():
    """As in Keras: neighbouring numbers of the dense layer are channels of one place."""
    torch.manual_seed(0)
    model = FANnet(**SMALL).eval()
    kept = golden.capture(model, ["joint"])
    seen = []
    model.ups[0].register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    model(torch.rand(1, 1, 16, 16), torch.tensor([1]))
    numbers = kept["joint"][0]
    for row in range(2):
        for column in range(2):
            first = 4 * (2 * row + column)
            place = seen[0][0, :, 2 * row, 2 * column]
            assert torch.equal(place, numbers[first : first + 4])


def test_colornet_pads_with_nothing():
    torch.manual_seed(0)
    model = Colornet(width=2).eval()
    colors, mask = torch.rand(1, 3, 10, 13), torch.rand(1, 1, 10, 13)
    larger = [torch.nn.functional.pad(x, (0, 3, 0, 2)) for x in (colors, mask)]
    assert torch.equal(model(colors, mask), model(*larger)[..., :10, :13])


def test_colornet_learns_a_fill():
    torch.manual_seed(0)
    model = Colornet(width=8)
    source, mask = (torch.rand(8, 1, 8, 8) < 0.5 for _ in range(2))
    fill = torch.rand(8, 3, 1, 1)
    given, target = source * fill, mask * fill
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        loss = (model(given, mask.float()) - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize("seed", range(5))
def test_the_last_relu_lets_something_through(seed):
    """With PyTorch's first weights it may give 0 everywhere, and learn nothing."""
    torch.manual_seed(seed)
    model = FANnet(**SMALL)
    glyph = (torch.rand(2, 1, 16, 16) < 0.4).float()
    answer = model(glyph, torch.tensor([1, 3]))
    assert answer.gt(0).float().mean() > 0.1
    answer.sum().backward()
    assert model.glyph[0].weight.grad.abs().sum() > 0


GLYPH, ONE = torch.rand(2, 1, 16, 16), torch.tensor([0, 4])
COLORS = torch.rand(2, 3, 8, 8)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FANnet(**SMALL)(GLYPH[..., :8], ONE), r"glyph: expected \(batch, 1, 16, 16\)"),
        (lambda: FANnet(**SMALL)(GLYPH, ONE[:1]), r"letter: expected 2 integers, got torch.int64"),
        (lambda: FANnet(**SMALL)(GLYPH, ONE.float()), "letter: expected 2 integers, got torch.fl"),
        (lambda: FANnet(**SMALL)(GLYPH, ONE + 1), r"letter: expected 0 to 4, got \[1, 5\]"),
        (lambda: FANnet(**SMALL)(GLYPH, ONE - 1), r"letter: expected 0 to 4, got \[-1, 3\]"),
        (lambda: FANnet(side=20), "side: expected a multiple of 8, got 20"),
        (lambda: FANnet(letters=0), "letters: expected at least 1, got 0"),
        (lambda: Colornet(width=0), "width: expected at least 1, got 0"),
        (
            lambda: Colornet(width=2)(COLORS[:, :1], COLORS[:, :1]),
            r"colors: expected \(batch, 3, height, width\)",
        ),
        (
            lambda: Colornet(width=2)(COLORS, COLORS[:, :1, :4]),
            r"mask: expected \(2, 1, 8, 8\), got \(2, 1, 4, 8\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

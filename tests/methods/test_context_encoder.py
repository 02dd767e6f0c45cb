"""Context encoders: the authors' loss, and the hole."""

import pytest
import torch

from cvcourse.methods import cut_centre, filling_loss
from tests import oracle


@pytest.mark.parametrize(
    "case", oracle.cases("context_encoder_reconstruction", "less_supervision/cases.json")
)
def test_loss_is_the_authors(case):
    def adapted(pred, true, overlap, wtl2):
        return filling_loss(pred, true, overlap, wtl2)

    inputs = {"pred": case["inputs"]["pred"], "true": case["inputs"]["true"]}
    oracle.assert_matches({**case, "inputs": inputs}, adapted)


def test_the_hole_and_what_was_in_it():
    images = torch.rand(2, 3, 16, 16)
    holed, target = cut_centre(images, overlap=1)
    assert torch.equal(target, images[:, :, 4:12, 4:12])
    changed = (holed != images).any(1)[0]
    expected = torch.zeros(16, 16, dtype=torch.bool)
    expected[5:11, 5:11] = True
    assert torch.equal(changed, expected)
    colours = holed[:, :, 6, 6]
    assert colours[0].tolist() == pytest.approx([2 * v / 255 - 1 for v in (117, 104, 123)])
    holed[:] = 0
    assert torch.equal(target, images[:, :, 4:12, 4:12])  # a copy


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cut_centre(torch.zeros(1, 3, 18, 18)), "S divisible by 4"),
        (lambda: cut_centre(torch.zeros(1, 3, 16, 16)), "overlap must be from 0 to 3, got 4"),
        (lambda: filling_loss(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 4, 4)), "target must"),
        (
            lambda: filling_loss(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), 5),
            "overlap must be from 0 to 4, got 5",
        ),
    ],
)
@pytest.mark.as_user
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

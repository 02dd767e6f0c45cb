import pytest
import torch

from cvcourse.classroom.subjects.leaning_digits import COUNTS, crowd, leaning_digits
from tests.data.tiny import write_mnist


def middles(picture):  # where each row has its ink, for the rows that a 1 fills
    columns = torch.arange(picture.shape[-1]) * picture
    return (columns.sum(1) / picture.sum(1))[6:14]


def test_a_slant_moves_each_row_by_so_much():
    upright, leaning = leaning_digits(torch.tensor([1, 1]), torch.tensor([[0.0, 0], [0.4, 0]]))
    assert upright.shape == (1, 20, 20)
    steps = (middles(leaning[0]) - middles(upright[0])).diff()
    assert (steps + 0.4).abs().mean() < 0.05  # to the left, row by row downward: it leans right


def test_a_width_is_a_factor():
    narrow, wide = leaning_digits(torch.tensor([0, 0]), torch.tensor([[0.0, -0.25], [0.0, 0.25]]))
    spans = [(x[0].amax(0) > 0.3).sum().item() for x in (narrow, wide)]
    assert spans[1] / spans[0] == pytest.approx(torch.tensor(0.5).exp().item(), rel=0.15)


def test_the_crowd_is_the_same_each_time_and_the_two_splits_differ():
    (train, digits), (again, _), (held, held_digits) = crowd("train"), crowd("train"), crowd("test")
    assert len(train) == len(digits) == COUNTS["train"]
    assert len(held) == len(held_digits) == 1000
    assert train.equal(again)
    assert torch.cdist(held.flatten(1), train.flatten(1)).min() > 0
    assert train.min() >= 0
    assert train.max() <= 1
    assert set(held_digits.tolist()) == set(range(10))


def test_mnist_in_its_place(tmp_path):
    write_mnist(tmp_path, train=30, test=20)
    images, digits = crowd("test", tmp_path)
    assert images.shape == (20, 1, 28, 28)
    assert images.max() <= 1
    assert digits.dtype == torch.int64


def test_bad_input():
    with pytest.raises(ValueError, match="split"):
        crowd("held out")
    with pytest.raises(ValueError, match="looks"):
        leaning_digits(torch.tensor([1, 2]), torch.zeros(1, 2))

import pytest
import torch

from cvcourse.classroom.figures.pieces import paint_pieces


def test_pieces_differ_in_colour_and_are_outlined():
    image, pieces = torch.rand(1, 12, 20) + 3, torch.zeros(12, 20, dtype=torch.int64)
    pieces[2:8, 2:8], pieces[2:8, 8:16] = 1, 2
    painted = paint_pieces(image, pieces)
    assert painted.shape == (3, 12, 20)
    assert torch.equal(painted[:, 2, 2:16], torch.ones(3, 14))  # outlines
    assert torch.equal(painted[:, 5, 7:9], torch.ones(3, 2))  # also between pieces that touch
    blue = painted[:, 4, 4]  # the first colours are blue and orange
    assert blue[2] > blue[0]
    orange = painted[:, 4, 12]
    assert orange[0] > orange[2]
    assert painted[:, 10, 10].unique().numel() == 1  # background stays grey


def test_without_pieces_the_grey_picture():
    image = torch.linspace(5, 9, 200).view(10, 20)
    painted = paint_pieces(image, torch.zeros(10, 20, dtype=torch.int64))
    assert painted.amin() == 0
    assert painted.amax() == 1
    assert (painted[0] == painted[2]).all()


def test_size_must_fit():
    with pytest.raises(ValueError, match=r"pieces must be \(4, 5\) pixels like the image"):
        paint_pieces(torch.rand(4, 5), torch.zeros(5, 4, dtype=torch.int64))

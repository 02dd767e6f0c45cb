import pytest
import torch

from cvcourse.classroom.subjects.faces import faces
from cvcourse.data.real import CelebA
from tests.data.tiny import write_celeba


def test_the_middle_square_shrunk(tmp_path):
    write_celeba(tmp_path, train=3, val=0, test=1)  # of 40 x 60 pixels
    found = faces(tmp_path, "train", size=20, count=2)
    assert found.shape == (2, 3, 20, 20)
    middle = CelebA(tmp_path)[1][0][:, :, 10:50]
    torch.testing.assert_close(found[1], 2 * middle.view(3, 20, 2, 20, 2).mean((2, 4)) - 1)
    assert len(faces(tmp_path, "train", size=4, count=99)) == 3


def test_refused(tmp_path):
    write_celeba(tmp_path, train=1, val=0, test=1)
    with pytest.raises(ValueError, match="size must be 1 or more"):
        faces(tmp_path, "train", size=0, count=1)
    with pytest.raises(ValueError, match="count must be 1 or more"):
        faces(tmp_path, "train", size=4, count=0)
    with pytest.raises(ValueError, match=r"'val' of .* has none"):
        faces(tmp_path, "val", size=4, count=1)

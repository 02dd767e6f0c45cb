import pytest
import torch

from cvcourse.classroom.subjects.pets import PETS, pet_pictures
from cvcourse.data import real
from tests.data.conftest import pets  # noqa: F401  (a fixture: two tiny pets)


@pytest.fixture
def present(pets, monkeypatch):  # noqa: F811
    home = pets / "home"
    home.mkdir()
    (home / "oxford_pet").symlink_to(pets)
    monkeypatch.setenv("CVCOURSE_DATA", str(home))
    return pets


def test_species_border_and_size(present):
    images, maps = pet_pictures("trainval", 10, side=32)
    count = len(real.OxfordPet(present))
    assert images.shape == (count, 3, 32, 32)
    assert 0 <= images.min() < images.max() <= 1
    assert (maps.shape, maps.dtype) == ((count, 32, 32), torch.int64)
    order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    for index, drawn in zip(order.tolist(), maps, strict=True):
        _, target = real.OxfordPet(present)[index]
        assert drawn.unique().tolist() == [0, target["species"].item(), 255]
        share = (drawn == target["species"]).float().mean()
        assert share == pytest.approx(400 / target["semantic"].numel(), abs=0.02)
    assert PETS[1:] == ("cat", "dog")


def test_count_and_seed(present):
    dogs = [
        (pet_pictures("trainval", 1, side=16, seed=seed)[1] == PETS.index("dog")).any().item()
        for seed in range(8)
    ]
    assert 0 < sum(dogs) < 8


def test_absent(tmp_path, monkeypatch):
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"data_scripts/oxford_pet\.py"):
        pet_pictures("test", 1, side=16)

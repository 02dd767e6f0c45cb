"""Tiny data sets for the tests of readers."""

import pytest

from tests.data.tiny import (
    square_and_others,
    write_cifar,
    write_coco,
    write_coco_captions,
    write_coco_keypoints,
    write_div2k,
    write_mnist,
    write_omniglot,
    write_pets,
    write_set5,
    write_stl10,
    write_svhn,
    write_voc,
)


@pytest.fixture
def coco(tmp_path):
    """Three pictures: one with all kinds of objects, one without any, one with one."""
    all_kinds, one = square_and_others(3), square_and_others(7)[0]
    write_coco(tmp_path, "val2017", (7, 3, 5), [*all_kinds, {**one, "category_id": 1}])
    write_coco_captions(tmp_path, "val2017", (7, 3))
    write_coco_keypoints(tmp_path, "val2017", (7, 5))
    return tmp_path


@pytest.fixture
def voc(tmp_path):
    write_voc(tmp_path, "train", ("2007_000001", "2007_000002"))
    return tmp_path


@pytest.fixture
def pets(tmp_path):
    write_pets(tmp_path, "trainval", ("Abyssinian_100 1 1 1", "great_pyrenees_7 3 2 2"))
    return tmp_path


@pytest.fixture
def cifar(tmp_path):
    write_cifar(tmp_path)
    return tmp_path


@pytest.fixture
def mnist(tmp_path):
    write_mnist(tmp_path)
    return tmp_path


@pytest.fixture
def svhn(tmp_path):
    write_svhn(tmp_path)
    return tmp_path


@pytest.fixture
def stl10(tmp_path):
    write_stl10(tmp_path)
    return tmp_path


@pytest.fixture
def omniglot(tmp_path):
    write_omniglot(tmp_path)
    return tmp_path


@pytest.fixture
def div2k(tmp_path):
    write_div2k(tmp_path)
    return tmp_path


@pytest.fixture
def set5(tmp_path):
    write_set5(tmp_path, [f"img_{number:03}" for number in range(1, 6)])
    return tmp_path

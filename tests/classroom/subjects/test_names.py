import pytest

from cvcourse.classroom.subjects import names


@pytest.fixture(scope="module")
def right():
    return names.names_and_numbers(0)


def test_each_algorithm_reads_in_both_forms(right):
    parts = ("train", "test")
    wanted = {f"{a}, {f}, {p}" for a in names.ALGORITHMS for f in names.FORMS for p in parts}
    assert right.keys() == wanted
    assert all(0 <= share <= 1 for share in right.values())
    assert all(right[f"{name}, class, test"] > 0.85 for name in names.ALGORITHMS)


def test_one_neighbour_is_the_same_algorithm_in_both_forms(right):
    assert right["1 neighbour, class, train"] == right["1 neighbour, number, train"] == 1
    assert right["1 neighbour, class, test"] == right["1 neighbour, number, test"]

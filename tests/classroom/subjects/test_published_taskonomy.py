import json

import pytest

from cvcourse.classroom.subjects.published_taskonomy import SAME_TASK, published
from cvcourse.methods import find_taxonomy
from tests import oracle

RELEASED = json.loads((oracle.FOLDER / "transfer" / "taskonomy.json").read_text(encoding="utf-8"))


def test_holds_what_was_released_in_four_digits():
    ours = published()
    assert (list(ours.sources), list(ours.targets)) == (RELEASED["sources"], RELEASED["targets"])
    for source, row in zip(ours.sources, RELEASED["first_order"], strict=True):
        for target, affinity in zip(ours.targets, row, strict=True):
            assert ours.affinities[source, target] == pytest.approx(affinity, rel=1e-3)
            gain = RELEASED["win_rate_vs_scratch"][f"{source}__{target}"]
            assert ours.gains[source, target] == pytest.approx(gain, rel=1e-3)
    for first, second, target, affinity in RELEASED["second_order"]:
        assert ours.pairs[first, second, target] == pytest.approx(affinity, rel=1e-3)


def test_affinities_of_a_target_sum_to_one():
    ours = published()
    for target in ours.targets:
        single = sum(a for (_, t), a in ours.affinities.items() if t == target)
        pairs = sum(a for (_, _, t), a in ours.pairs.items() if t == target)
        assert single + pairs == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("case", RELEASED["taxonomies"], ids=lambda case: case["budget"])
def test_gives_the_taxonomies_of_the_released_numbers(case):
    found = find_taxonomy(published().transfers(), budget=case["budget"])
    assert list(found.sources) == sorted(case["sources_used"])


def test_the_lessons_tasks_are_among_them():
    assert set(SAME_TASK.values()) <= set(published().sources)

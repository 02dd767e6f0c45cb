import pytest

from tests.lessons.claims import vacuous


@pytest.mark.parametrize(
    "condition",
    [
        "True",
        "1 == 1 or small",
        "bool(photographs or low > 0)",
        "(a > b) | (c > d)",
        "low > 0 if small else True",
        "True and bool(True)",
        "easy",
    ],
)
def test_cannot_fail(condition):
    code = f"easy = large or low > 0\nif x:\n    run.claim('a', holds={condition}, low=low)"
    assert len(vacuous(code)) == len(vacuous(code.replace("run.claim", "claim"))) == 1


@pytest.mark.parametrize(
    "condition",
    [
        "low > 0",
        "low > 0 and (a or b)",
        "all(low > 0 for low in lows)",
        "strict",
        "low > 0 if small else high < 1",
        "unknown",
        "loop",
    ],
)
def test_can_fail(condition):
    code = f"strict = low > 0\nloop = loop\nrun.claim('a', holds={condition}, low=low or 1)"
    assert vacuous(code) == []


def test_each_claim_of_a_cell_counts():
    code = (
        "easy = a or b\nrun.claim('x', holds=easy)\nrun.claim('y', holds=easy)\nprint(holds=True)"
    )
    assert vacuous(code) == ["easy", "easy"]

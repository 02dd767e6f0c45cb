"""Right answers get full marks, no answers get none, and plausible wrong ones what they deserve."""

import pytest

from tests.assignments.helpers import (
    NAMES,
    answered,
    content,
    exercises,
    failed,
    solved,
    without_experiments,
    wrong_answers,
)

WRONG = [(name, wrong) for name in NAMES for wrong in wrong_answers(name)]


@pytest.mark.parametrize("name", NAMES)
def test_the_solution_gets_full_marks(name, load, examiner):
    assignment = load(name)
    result = examiner.examine(content(solved(assignment)), assignment)
    assert not failed(result), result.messages
    assert not result.messages, "a cell of the notebook failed"
    assert not result.notes
    assert result.cpu < 30, "a student's computer is slower than this one: make it smaller"


@pytest.mark.parametrize("name", NAMES)
def test_the_untouched_release_gets_nothing(name, load, examiner):
    assignment = load(name)
    result = examiner.examine(content(assignment.release), assignment)
    assert failed(result) == set(assignment.checks)
    assert all("not answered" in result.messages[check] for check in assignment.checks)


@pytest.mark.parametrize(
    ("name", "wrong"), WRONG, ids=[f"{n}-{w.exercise}-{w.mistake}" for n, w in WRONG]
)
def test_a_wrong_answer_gets_the_marks_it_deserves(name, wrong, load, examiner):
    assignment = load(name)
    notebook = without_experiments(solved(assignment))
    result = examiner.examine(content(answered(notebook, wrong.exercise, wrong.code)), assignment)
    assert failed(result) == wrong.fails, result.messages
    assert all(result.messages[check] for check in wrong.fails)


@pytest.mark.parametrize("name", NAMES)
def test_each_exercise_has_two_wrong_answers(name, load):
    assignment = load(name)
    checks = exercises(assignment)
    found = {exercise: [] for exercise in checks}
    for wrong in wrong_answers(name):
        found[wrong.exercise].append(wrong)
        assert wrong.fails <= set(checks[wrong.exercise]), (
            f"{wrong.mistake}: checks of its exercise"
        )
    few = [exercise for exercise, wrong in found.items() if len(wrong) < 2]
    assert not few, f"fewer than two wrong answers in tests/assignments/answers/{name}.py: {few}"
    never = set(assignment.checks) - {check for w in wrong_answers(name) for check in w.fails}
    assert not never, f"no wrong answer fails these checks: {never}"

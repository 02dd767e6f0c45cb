"""Right answers get full marks, no answers get none, and plausible wrong ones what they deserve."""

from itertools import zip_longest

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


def in_turns(name):
    """One wrong answer to each exercise at a time, so that a notebook need not run for each."""
    of_exercises = {}
    for wrong in wrong_answers(name):
        of_exercises.setdefault(wrong.exercise, []).append(wrong)
    return [list(filter(None, turn)) for turn in zip_longest(*of_exercises.values())]


TURNS = [
    pytest.param(name, turn, id=f"{name}-{i}")
    for name in NAMES
    for i, turn in enumerate(in_turns(name), start=1)
]


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


@pytest.mark.parametrize(("name", "turn"), TURNS)
def test_wrong_answers_get_the_marks_they_deserve(name, turn, load, examiner):
    """An answer fails checks of its own exercise alone, as the last test asks: others tell."""
    assignment = load(name)
    checks = exercises(assignment)
    notebook = without_experiments(solved(assignment))
    for wrong in turn:
        notebook = answered(notebook, wrong.exercise, wrong.code)
    result = examiner.examine(content(notebook), assignment)
    got = {wrong.mistake: failed(result) & set(checks[wrong.exercise]) for wrong in turn}
    assert got == {wrong.mistake: set(wrong.fails) for wrong in turn}, result.messages
    assert failed(result) == set().union(*got.values())
    assert all(result.messages[check] for check in failed(result))


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

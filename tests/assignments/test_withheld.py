"""What an exercise asks for is withheld under every name that leads to it."""

import importlib
import pkgutil
import sys

import pytest

import cvcourse
from grading.student import GENERAL, ROOMS, helpers, resolve
from tests.assignments.helpers import (
    NAMES,
    answered,
    content,
    exercises,
    failed,
    solved,
    without_experiments,
)

# Run in a process of its own, after `withhold`: which names still lead to a withheld object?
OPEN = """
import importlib, sys
for name in {modules!r}:
    importlib.import_module(name)
still = []
for path in {paths!r}:
    *owner, attribute = path.split(".")
    thing = None
    for cut in range(len(owner), 0, -1):
        module = sys.modules.get(".".join(owner[:cut]))
        if module is not None and not callable(module):
            thing = module
            for part in owner[cut:] + [attribute]:
                thing = vars(thing)[part] if isinstance(thing, type) else getattr(thing, part)
            break
    thing = getattr(thing, "__func__", thing)
    if getattr(thing, "__qualname__", "") != "_refusal.<locals>.refuse":
        still.append(path)
print(still)
"""


def modules() -> list[str]:
    found = []
    for module in pkgutil.walk_packages(cvcourse.__path__, "cvcourse."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
            found.append(module.name)
    return found


def paths_to(things: dict[int, object]) -> list[str]:
    """Every name in the course under which one of these objects can be had."""
    found = []
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] != "cvcourse":
            continue
        for attribute, value in vars(module).items():
            if id(value) in things:
                found.append(f"{name}.{attribute}")
            if isinstance(value, type) and value.__module__ == name:
                found += [
                    f"{name}.{attribute}.{inner}"
                    for inner, method in vars(value).items()
                    if id(getattr(method, "__func__", method)) in things
                ]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_to_what_is_withheld(name, load, examiner):
    assignment = load(name)
    known = modules()
    things = {id(resolve(path)[0]): resolve(path)[0] for path in assignment.withheld}
    for thing in list(things.values()):
        if str(getattr(thing, "__module__", "")).startswith("cvcourse"):
            things |= {number: helper for number, (_, helper) in helpers(thing).items()}
    paths = sorted({*paths_to(things), *assignment.withheld})
    assert len(paths) >= len(assignment.withheld)
    student = examiner.zygote.start(examiner.limits)
    try:
        student.ask(60, do="prepare", withheld=assignment.withheld)
        code = OPEN.format(modules=known, paths=paths)
        answer, _ = student.ask(60, do="cell", source=code)
    finally:
        student.end()
    assert not answer["error"], answer["error"]
    assert answer["outputs"][0]["text"].strip() == "[]"


def test_the_parts_of_an_answer_are_found():
    """The enumeration itself, where a reader of the code knows the private parts."""
    for path, part in {
        "cvcourse.ops.box_iou": "cvcourse.ops.box_iou.intersection_and_union",
        "cvcourse.losses.lovasz_hinge_loss": "cvcourse.losses._lovasz.lovasz_extension",
        "cvcourse.losses.sigmoid_focal_loss": "cvcourse.losses.sigmoid_focal._focal",
        "cvcourse.models.separation_weights": "cvcourse.models.segmentation.unet._distance_to",
    }.items():
        found = {name for name, _ in helpers(resolve(path)[0]).values()}
        assert part in found
        assert not any(f".{module}." in name for name in found for module in GENERAL)


def test_public_functions_that_are_no_answer_stay(load):
    public = {
        id(getattr(importlib.import_module(f"cvcourse.{room}"), name))
        for room in ROOMS
        for name in getattr(importlib.import_module(f"cvcourse.{room}"), "__all__", ())
    }
    for name in NAMES:
        for path in load(name).withheld:
            assert not set(helpers(resolve(path)[0])) & public


# Answers that only open the course's own function through another door
DOORS = {
    ("10_optimise_what_you_measure", "hinge"): (
        "from cvcourse.losses.lovasz_hinge import lovasz_hinge_loss as theirs"
    ),
    ("05_no_anchors", "sides"): "from cvcourse.ops.box_distances import encode_distances as theirs",
    ("04_one_stage", "focal"): "from cvcourse.losses.sigmoid_focal import _focal as theirs",
    ("02_boxes", "overlap"): "from cvcourse.ops.box_iou import intersection_and_union as theirs",
}


@pytest.mark.parametrize(("name", "exercise"), DOORS)
def test_another_door_earns_nothing(name, exercise, load, strict):
    assignment = load(name)
    functions = sorted(assignment.functions[exercise])
    code = "\n".join([DOORS[name, exercise], *(f"{function} = theirs" for function in functions)])
    notebook = answered(without_experiments(solved(assignment)), exercise, code)
    result = strict.examine(content(notebook), assignment)
    assert failed(result) == set(exercises(assignment)[exercise])
    assert all("is withheld in this assignment" in result.messages[c] for c in failed(result))

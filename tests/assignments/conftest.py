"""One warm parent of student processes for each of pytest's processes."""

import sys

import pytest

if sys.platform == "win32":  # marking limits processes as POSIX does, and is not offered there
    collect_ignore_glob = ["*.py"]
else:
    from grading.assignment import Assignment
    from grading.examine import Examiner
    from tests.assignments.helpers import PATIENT, STRICT


@pytest.fixture(scope="session")
def examiner():
    examiner = Examiner(PATIENT)
    yield examiner
    examiner.close()


@pytest.fixture(scope="session")
def strict(examiner):
    """The same warm parent, with limits that a test can reach in no time."""
    return Examiner(STRICT, examiner.zygote)


@pytest.fixture(scope="session")
def load():
    loaded = {}

    def get(name):
        if name not in loaded:
            loaded[name] = Assignment.load(name)
        return loaded[name]

    return get

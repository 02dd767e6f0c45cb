"""Shared by all tests: the reference wing is imported with its jaxtyping annotations checked."""

import os
import sys

import hypothesis
import jaxtyping
import pytest
import torch
from filelock import FileLock  # comes with PyTorch

import tests.typecheck  # noqa: F401  (the hook below finds it by name)

REFERENCE_WING = [f"cvcourse.{room}" for room in ("losses", "metrics", "ops", "models", "methods")]
jaxtyping.install_import_hook(REFERENCE_WING, "tests.typecheck.checked")

hypothesis.settings.register_profile("course", deadline=None)  # nothing is timed in a test
hypothesis.settings.load_profile("course")


@pytest.fixture(autouse=True)
def _run_time_shape_checks(request):
    """Check shapes and dtypes at every call, except in tests marked `as_user`."""
    unchecked = request.node.get_closest_marker("as_user") is not None
    jaxtyping.config.update("jaxtyping_disable", unchecked)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
    if unchecked and "torch._dynamo" in sys.modules:
        # the hook runs all functions through one wrapper, which may be compiled eight times only
        torch.compiler.reset()


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def once(tmp_path_factory):
    """`once(name, work)`: a folder that `work(folder)` has filled, by one of pytest's processes."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent

    def fill(name, work):
        folder = root / name
        with FileLock(root / f"{name}.lock"):
            if not folder.exists():
                folder.mkdir()
                work(folder)
        return folder

    return fill

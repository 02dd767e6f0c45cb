"""Packages that come with an extra of the course: where one is missing, which extra brings it."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def extra(name: str, what: str) -> Iterator[None]:
    """Within it imports are made that `what` needs: `with extra("data", "fetch"): import pooch`."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "cvcourse").partition(".")[0]
        if package == "cvcourse":
            raise
        raise ModuleNotFoundError(
            f"{what} needs {package}, which is not installed: pip install 'cvcourse[{name}]'",
            name=error.name,
        ) from error

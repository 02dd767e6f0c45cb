"""What Pillow does not decode, by PyAV (FFmpeg): films, and pictures of three times 16 bits."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np

from cvcourse.data._extras import extra

from . import places


def decode_16_bits(path: Path, what: str) -> np.ndarray:
    """(H, W, 3) uint16 of a PNG of that kind; `ValueError` for any other."""
    with _opened(path, what) as container:
        frame = next(container.decode(video=0))
    if frame.format.name not in ("rgb48be", "rgb48le"):
        raise ValueError(f"{path} must have three channels of 16 bits, got {frame.format.name}")
    return frame.to_ndarray(format="rgb48le")


def decode_film(
    path: Path, what: str, first: int, count: int | None, step: int
) -> tuple[np.ndarray, float]:
    """(T, H, W, 3) uint8 of every `step`-th frame from `first`, and the film's frames a second."""
    last = None if count is None else first + (count - 1) * step + 1
    with _opened(path, what) as container:
        rate = float(container.streams.video[0].average_rate or 0)
        frames = [
            np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
            for frame in islice(container.decode(video=0), first, last, step)
        ]
    if not frames:
        raise ValueError(f"{path} has no frame {first}")
    return np.stack(frames), rate


@contextmanager
def _opened(path: Path, what: str) -> Iterator:
    with extra("video", what):
        import av
    places.existing(path, None)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError(f"{path} has no pictures")
            yield container
    except av.error.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be decoded: damaged, or no film or PNG ({error})"
        ) from error
    except StopIteration:
        raise ValueError(f"{path} has no pictures") from None

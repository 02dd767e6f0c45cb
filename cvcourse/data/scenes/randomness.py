"""Random numbers that are a function of (split, seed, index), and of nothing else.

Philox is a counter-based generator: its key alone decides the whole stream. Here the key is
(split and seed, index), so different splits, seeds and scenes have different streams (and videos
others than stills), and no scene depends on which were drawn before it. NumPy guarantees the raw
64-bit stream for ever, but not what its distributions make of it; so the two distributions needed
are made here.
"""

from math import prod

import numpy as np

SPLITS = {"train": 0, "val": 1, "test": 2}
_IRWIN_HALL = (510.0, 147.8)  # mean and standard deviation of the sum of four uniform bytes


class Stream:
    """An endless supply of numbers for one scene."""

    def __init__(self, split: str, seed: int, index: int, video: bool = False):
        key = np.array([seed * 8 + SPLITS[split] * 2 + video, index], dtype=np.uint64)
        self._raw = np.random.Philox(key=key).random_raw
        self._pool: list[float] = []

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        if not self._pool:
            self._pool = ((self._raw(128) >> np.uint64(11)) * 2.0**-53).tolist()
        return low + (high - low) * self._pool.pop()

    def integer(self, count: int) -> int:
        """One of 0, 1, ..., count - 1."""
        return int(self.uniform() * count)

    def noise(self, shape: tuple[int, ...]) -> np.ndarray:
        """Nearly normal float32, mean 0 and deviation 1: sums of four bytes, exact everywhere."""
        count = prod(shape)
        raw = self._raw(-(-count // 2))  # eight bytes give two sums
        low_bytes, low_halves = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF)
        high = raw >> np.uint64(8)
        high &= low_bytes
        raw &= low_bytes
        raw += high  # sums of two bytes
        np.right_shift(raw, np.uint64(16), out=high)
        raw += high
        raw &= low_halves
        sums = raw.view(np.int32)[:count].astype(np.float32)
        mean, deviation = _IRWIN_HALL
        sums -= mean
        sums *= 1 / deviation
        return sums.reshape(shape)

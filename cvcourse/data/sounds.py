"""Sounds of the simulator's objects: each kind has a timbre, and small ones sound higher.

Colour, place and background are not heard, so that a picture and its sound tell different things of
the same objects. A sound is a function of its scene's split, seed and index alone.
"""

import math

import numpy as np
import torch
from torch import Tensor

from .scenes.options import check
from .scenes.randomness import Stream
from .scenes.stills import Scenes
from .scenes.things import KINDS

RATE = 8000  # samples a second
SAMPLES = 2000  # of a sound: a quarter of a second
HARMONICS = 7
LOWEST, HIGHEST = 110.0, 440.0  # hertz, of the fundamental
BINS, FRAMES = 32, 16  # of a spectrogram
_WINDOW = 256
_SOUNDS = 2**63  # added to a scene's index: random numbers of their own
_USUAL = 0.15  # radius in sides of the picture, which sounds at 220 Hz


def timbre(kind: str) -> np.ndarray:
    """(7,) how loud the fundamental and its harmonics are; no two kinds have the same."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")
    pattern = (37 * KINDS.index(kind) + 11) % 64  # another one for each, as 37 is odd
    loud = [1.0] + [1.0 if pattern >> bit & 1 else 0.05 for bit in range(HARMONICS - 1)]
    return np.array(loud) / np.linalg.norm(loud)


def pitch(radius: float) -> float:
    """Hertz of the fundamental. radius: of an object, in sides of its picture."""
    return min(max(220.0 * _USUAL / radius, LOWEST), HIGHEST)


def scene_sound(
    scenes: Scenes, target: dict, *, noise: float = 1.0, distractors: int = 1
) -> Tensor:
    """(2000,) float32: what the objects of a target of `scenes` sound like together.

    noise: strength of white noise, from 0 to 5. distractors: tones of kinds that need not be in the
    picture, a third as loud, 0 to 8. Each tone begins somewhere in the first third, and dies away.

    Raises ValueError for another strength or count.
    """
    check("noise", noise, "a strength from 0 to 5", (int, float), 0, 5)
    check("distractors", distractors, "a count from 0 to 8", int, 0, 8)
    options = scenes.options
    stream = Stream(options.split, options.seed, int(target["image_id"]) + _SOUNDS)
    sound = np.zeros(SAMPLES)
    for label, pose in zip(target["labels"].tolist(), target["poses"].tolist(), strict=True):
        sound += _tone(stream, scenes.classes[label], pitch(pose[2] / options.size))
    for _ in range(distractors):
        kind = scenes.classes[1 + stream.integer(len(scenes.classes) - 1)]
        sound += _tone(stream, kind, stream.uniform(LOWEST, HIGHEST)) / 3
    sound += 0.02 * noise * stream.noise((SAMPLES,))
    return torch.from_numpy(sound.astype(np.float32))


def log_spectrogram(sounds: Tensor) -> Tensor:
    """Sounds (..., 2000) to (..., 1, 32, 16) float32: log(1 + 10 energy) over pitch and time.

    The 32 rows go from low to high, each a fifth of an octave or a bin wide, from 60 Hz to 4 kHz.

    Raises ValueError for another length.
    """
    if sounds.shape[-1] != SAMPLES or not sounds.is_floating_point():
        raise ValueError(
            f"sounds must be floating point (..., {SAMPLES}), got {sounds.dtype} "
            f"{tuple(sounds.shape)}"
        )
    flat = sounds.float().reshape(-1, SAMPLES)
    window = torch.hann_window(_WINDOW, dtype=torch.float32, device=flat.device)
    hop = (SAMPLES - 1) // (FRAMES - 1)
    spectrum = torch.stft(flat, _WINDOW, hop, window=window, return_complex=True)[..., :FRAMES]
    energy = spectrum.abs().square() / _WINDOW  # (N, 129, 16)
    rows = _rows().to(energy)
    return (1 + 10 * rows @ energy).log().view(*sounds.shape[:-1], 1, BINS, FRAMES)


def _rows() -> Tensor:
    """(32, 129) weights of the bins of a spectrum: triangles between edges that grow evenly."""
    edges = torch.logspace(math.log2(60), math.log2(RATE / 2), BINS + 2, 2, dtype=torch.float64)
    centres = torch.arange(_WINDOW // 2 + 1, dtype=torch.float64) * RATE / _WINDOW
    step = RATE / _WINDOW
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = (centres - low) / (middle - low).clamp(min=step)
    falling = (high - centres) / (high - middle).clamp(min=step)
    rows = torch.minimum(rising, falling).clamp(min=0)
    nearest = (centres - middle).abs().argmin(1)  # a narrow triangle may lie between two bins
    rows[torch.arange(BINS), nearest] = rows[torch.arange(BINS), nearest].clamp(min=0.5)
    return rows


def _tone(stream: Stream, kind: str, hertz: float) -> np.ndarray:
    time = np.arange(SAMPLES) / RATE
    sound = np.zeros(SAMPLES)
    for number, loud in enumerate(timbre(kind), 1):
        sound += loud * np.sin(2 * np.pi * (number * hertz * time + stream.uniform()))
    begin = stream.uniform(0, time[-1] / 3)
    since = np.maximum(time - begin, 0)
    return sound * np.minimum(since / 0.01, 1) * np.exp(-since / 0.15)

"""Other people's numbers, and the formula weights that go with them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.oracles import load as _load
from tests.oracles.fill_weights import (
    detection_batch,
    fill_,
    formula_batch,
    formula_image,
    formula_tensor,
    formula_value,
)

__all__ = [
    "assert_matches",
    "cases",
    "design_language_golden",
    "detection_batch",
    "fill_",
    "formula_batch",
    "formula_image",
    "formula_images",
    "formula_tensor",
    "formula_value",
    "generative_golden",
    "goldens",
    "less_supervision_golden",
    "model_golden",
    "restoration_golden",
    "video_golden",
]

FOLDER = Path(__file__).parent / "oracles"


def cases(function: str, file: str = "losses_metrics_ops.json") -> list:
    """All oracle cases of one function as pytest parameters; fails if there are none."""
    found = [c for c in _load.load(FOLDER / file) if c["function"] == function]
    if not found:
        raise LookupError(f"no oracle case for {function!r}")
    return [pytest.param(c, id=c["case"]) for c in found]


def assert_matches(case: dict, function, keys=None) -> None:
    """`function(**inputs, **params)` gives the oracle's values and gradients within tolerance."""
    result = _load.run(case, function)
    missing = set(keys or case["expected"]) - set(result)
    assert not missing, f"not returned: {missing}"
    error = _load.check(case, result, keys)
    assert error <= case["atol"], f"off by {error}, allowed {case['atol']}: {case['convention']}"


def goldens() -> dict[str, torch.Tensor]:
    """Arrays of `ops_goldens.npz` (described in `oracles/ops_goldens.md`) as tensors."""
    with np.load(FOLDER / "ops_goldens.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


def model_golden(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Meta data and outputs of one torchvision model; see `oracles/torchvision/README.md`."""
    return _golden("torchvision", name)


def restoration_golden(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Meta data and numbers of one golden of part 3; see `oracles/restoration/README.md`."""
    return _golden("restoration", name)


def video_golden(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Meta data and numbers of one golden of part 4; see `oracles/video/README.md`."""
    return _golden("video", name)


def less_supervision_golden(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Meta data and numbers of one golden of part 5; see `oracles/less_supervision/README.md`."""
    return _golden("less_supervision", name)


def generative_golden(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Meta data and numbers of one golden of part 6; see `oracles/generative/README.md`."""
    return _golden("generative", name)


def design_language_golden(name: str) -> tuple[dict, dict[str, np.ndarray]]:
    """Meta data and numbers of one golden of parts 7, 8; `oracles/design_language/README.md`."""
    return _golden("design_language", name)


def _golden(folder: str, name: str) -> tuple[dict, dict[str, np.ndarray]]:
    meta = json.loads((FOLDER / folder / f"{name}.json").read_text(encoding="utf-8"))
    with np.load(FOLDER / folder / f"{name}.npz") as arrays:
        return meta, {key: arrays[key] for key in arrays.files}


def formula_images(tag: str, n: int, height: int, width: int, channels: int) -> torch.Tensor:
    """(n, channels, height, width) of float64 in [0, 1]: the pictures tag0, tag1, ..."""
    pictures = [formula_image(f"{tag}{i}", height, width, channels, block=8) for i in range(n)]
    return torch.stack(pictures).double()

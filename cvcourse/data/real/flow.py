"""Optical flow in Middlebury's .flo files, the format of FlyingChairs and Sintel.

Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011: the number
202021.25, width and height as 32-bit integers, then u and v of each pixel, all little-endian.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

_TAG = np.float32(202021.25)
_UNKNOWN = 1e9  # larger values mean: not known


def read_flow(path: str | Path) -> Tensor:
    """Flow (2, H, W) float32, x and y in pixels.

    Both are nan where it is not known: where u or v is nan or beyond 1e9, as Middlebury's own code
    has it.
    """
    content = Path(path).expanduser().read_bytes()
    width, height = np.frombuffer(content[4:12], "<i4") if len(content) >= 12 else (0, 0)
    expected = 12 + 8 * int(width) * int(height)
    if np.frombuffer(content[:4], "<f4") != _TAG or min(width, height) < 1:
        raise ValueError(f"{path} is not a .flo file")
    if len(content) != expected:
        raise ValueError(f"{path} is damaged: {len(content)} bytes of {expected}")
    values = np.frombuffer(content, "<f4", offset=12).reshape(height, width, 2)
    flow = torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1).contiguous()
    known = (flow.abs() <= _UNKNOWN).all(0)  # (H, W); false for nan
    return flow.masked_fill_(~known, torch.nan)


def write_flow(path: str | Path, flow: Tensor) -> None:
    """Write flow (2, H, W) as `read_flow` reads it."""
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise ValueError(f"flow must be (2, H, W), got {tuple(flow.shape)}")
    values = flow.detach().cpu().float().nan_to_num(nan=1e10).permute(1, 2, 0).numpy()
    height, width, _ = values.shape
    head = _TAG.astype("<f4").tobytes() + np.array([width, height], "<i4").tobytes()
    Path(path).expanduser().write_bytes(head + values.astype("<f4").tobytes())

"""Optical flow in files: Middlebury's .flo, which FlyingChairs and Sintel use too, and KITTI's PNG.

Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 2011: the number
202021.25, width and height as 32-bit integers, then u and v of each pixel, all little-endian.
KITTI 2012 and 2015 (Menze and Geiger, CVPR 2015): a PNG of three times 16 bits, u and v as
64 u + 2^15, and 0 in the third channel where the flow is not known.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ._av import decode_16_bits

_TAG = np.float32(202021.25)
_UNKNOWN = 1e9  # larger values mean: not known
_PNG = b"\x89PNG\r\n\x1a\n"


def read_flow(path: str | Path) -> Tensor:
    """Flow (2, H, W) float32, x and y in pixels, of a .flo file or of KITTI's PNG.

    Both are nan where it is not known: in .flo where u or v is nan or beyond 1e9, as Middlebury's
    own code has it. KITTI's files need the extra `video`.
    """
    path = Path(path).expanduser()
    content = path.read_bytes()
    return _kitti(path) if content.startswith(_PNG) else _middlebury(path, content)


def write_flow(path: str | Path, flow: Tensor) -> None:
    """Write flow (2, H, W) as a .flo file; nan is written as not known."""
    if flow.ndim != 3 or flow.shape[0] != 2:
        raise ValueError(f"flow must be (2, H, W), got {tuple(flow.shape)}")
    values = flow.detach().cpu().float().nan_to_num(nan=1e10).permute(1, 2, 0).numpy()
    height, width, _ = values.shape
    head = _TAG.astype("<f4").tobytes() + np.array([width, height], "<i4").tobytes()
    Path(path).expanduser().write_bytes(head + values.astype("<f4").tobytes())


def _middlebury(path: Path, content: bytes) -> Tensor:
    width, height = np.frombuffer(content[4:12], "<i4") if len(content) >= 12 else (0, 0)
    expected = 12 + 8 * int(width) * int(height)
    if np.frombuffer(content[:4], "<f4") != _TAG or min(width, height) < 1:
        raise ValueError(f"{path} is neither a .flo file nor a PNG")
    if len(content) != expected:
        raise ValueError(f"{path} is damaged: {len(content)} bytes of {expected}")
    values = np.frombuffer(content, "<f4", offset=12).reshape(height, width, 2)
    flow = torch.from_numpy(values.astype(np.float32)).permute(2, 0, 1).contiguous()
    known = (flow.abs() <= _UNKNOWN).all(0)  # (H, W); false for nan
    return flow.masked_fill_(~known, torch.nan)


def _kitti(path: Path) -> Tensor:
    stored = torch.from_numpy(decode_16_bits(path, "read_flow").astype(np.float32)).permute(2, 0, 1)
    flow = (stored[:2] - 2**15) / 64
    return flow.masked_fill_(stored[2] == 0, torch.nan)

"""How methods draw with a generator of the CPU."""

import torch

DRAWN = {"device": "cpu", "dtype": torch.float32}  # whatever PyTorch's defaults are

"""Euclidean distances within a batch, and which pairs of it are positive or negative."""

import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.losses._reduce import accumulator, at_least_float32, inner_products
from cvcourse.ops._checks import is_transformed


def prepare(embeddings: Tensor, normalize: bool) -> Tensor:
    """At least float32 (a zero vector in float16 would become nan), and unit length if asked."""
    embeddings = at_least_float32(embeddings)
    return F.normalize(embeddings, dim=1) if normalize else embeddings


def pair_masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Boolean (N, N): same label but not the same item; different label."""
    same = labels[:, None] == labels
    return same.clone().fill_diagonal_(False), ~same


def pairwise_distances(x: Tensor) -> Tensor:
    """(N, D) -> (N, N), exact enough for pairs that are close together and far from the origin."""
    if is_transformed():
        return distances(x[:, None], x)
    return _PairwiseDistances.apply(x)


def distances(x: Tensor, y: Tensor) -> Tensor:
    """(..., D), (..., D) -> (...), with gradient 0 where the two coincide."""
    squared = (x - y).square().sum(-1)
    tiny = torch.finfo(squared.dtype).tiny
    return squared.clamp(min=tiny).sqrt().masked_fill(squared <= tiny, 0)


def nearest(d: Tensor, among: Tensor) -> Tensor:
    """(N, M) -> (N,) place of the smallest in each row among those marked, the first of equals."""
    if not d.numel():
        return torch.zeros(len(d), dtype=torch.int64, device=d.device)
    return d.masked_fill(~among, torch.inf).argmin(1)


def farthest(d: Tensor, among: Tensor) -> Tensor:
    """(N, M) -> (N,) place of the largest in each row among those marked, the first of equals."""
    if not d.numel():
        return torch.zeros(len(d), dtype=torch.int64, device=d.device)
    return d.masked_fill(~among, -torch.inf).argmax(1)


class _PairwiseDistances(torch.autograd.Function):
    """sqrt(|x_i|² + |x_j|² - 2 x_i·x_j) needs one matrix product, but cancels in float32.

    There d(x, x) is 0.09 for vectors of norm 110. So the squares are taken in float64 (where the
    device has it), and what is left of rounding counts as 0: equal vectors have distance 0. The
    gradient is 0 there, and elsewhere it is two products in the dtype of `x`.
    """

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        wide = x.to(accumulator(x))
        squared = wide @ wide.T
        norms = squared.diagonal().clone()
        scale = norms[:, None] + norms
        squared.mul_(-2).add_(scale)
        noise = 64 * torch.finfo(wide.dtype).eps
        squared.masked_fill_(squared <= scale.mul_(noise), 0)
        result = squared.to(x.dtype).sqrt_()
        ctx.save_for_backward(x, result)
        return result

    @staticmethod
    def backward(ctx, grad_output: Tensor) -> Tensor:
        x, result = ctx.saved_tensors
        weights = grad_output / result.masked_fill(result == 0, torch.inf)
        weights = weights + weights.T
        return weights.sum(1, keepdim=True) * x - inner_products(weights, x.T)

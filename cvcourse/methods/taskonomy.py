"""Taskonomy: which tasks teach which, and which few to label (Zamir et al. 2018, 1804.08328).

    losses of transfers ─ win rates ─ ratios ─ principal eigenvector ─ affinities of one target
    affinities of all targets ─ integer programme under a budget of sources ─ taxonomy

A transfer goes from one source (first order) or several (higher order) into one target. Losses of
two targets cannot be compared, so per target only *how often* a source beats another counts
(`win_rates`), turned into affinities by the analytic hierarchy process (`ordinal_affinities`).
"""

from collections.abc import Collection, Iterable, Mapping
from math import isfinite
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


def win_rates(losses: Float[Tensor, "sources images"]) -> Float[Tensor, "sources sources"]:
    """W[i, j]: the share of held-out images on which source i has a lower loss than source j.

    losses: of the transfers into one target, each on the same images, at least one.

    **Conventions**: an equal loss is half a win for both, so W + Wᵀ = 1 and the diagonal is 1/2.
    nan counts as infinite. float64.

    Raises ValueError where there is no image.
    """
    if losses.ndim != 2 or not losses.shape[1]:
        raise ValueError(f"losses must be (sources, images >= 1), got {tuple(losses.shape)}")
    losses = losses.double().nan_to_num(torch.inf, torch.inf, -torch.inf)
    lower = losses[:, None] < losses  # (S, S, images): i against j
    equal = losses[:, None] == losses
    return lower.double().mean(2) + equal.double().mean(2) / 2


def ordinal_affinities(
    win_rates: Float[Tensor, "sources sources"], *, clip: float = 0.001
) -> Float[Tensor, "sources"]:
    r"""How well each source serves one target: positive numbers of sum 1, larger is better.

    .. math:: W' = W / W^T, \qquad W' p = λ_{max} p, \qquad \sum_i p_i = 1

    Args:
        win_rates: W of one target, as from `win_rates`.
        clip: W is first kept within [clip, 1 - clip], so that a source which always wins does so
            1 / clip times rather than infinitely often.

    **Conventions**: where W is of a Bradley-Terry model, W[i, j] = p_i / (p_i + p_j), p is found
    exactly. Affinities of different targets are shares, not comparable amounts. float64.

    Raises ValueError for a W that is not square or not within [0, 1], and a clip outside (0, 1/2).
    """
    if win_rates.ndim != 2 or win_rates.shape[0] != win_rates.shape[1] or not len(win_rates):
        raise ValueError(f"win_rates must be square, got {tuple(win_rates.shape)}")
    if not ((win_rates >= 0) & (win_rates <= 1)).all():
        raise ValueError("win_rates must lie in [0, 1]")
    if not 0 < clip < 0.5:
        raise ValueError(f"clip must lie in (0, 0.5), got {clip}")
    clipped = win_rates.double().clamp(clip, 1 - clip)
    values, vectors = torch.linalg.eig(clipped / clipped.T)  # complex, of any sign and order
    principal = vectors[:, values.real.argmax()].real.abs()
    return principal / principal.sum()


class Transfer(NamedTuple):
    """One way into `target`: from the encoders of `sources` at once, worth `affinity`."""

    sources: tuple[str, ...]
    target: str
    affinity: float


class Taxonomy(NamedTuple):
    """What to label (`sources`), the transfer into each target, and the sum of their affinities."""

    value: float
    sources: tuple[str, ...]
    transfers: dict[str, Transfer]


def find_taxonomy(
    transfers: Iterable[Transfer],
    *,
    budget: float,
    targets: Collection[str] | None = None,
    costs: Mapping[str, float] | None = None,
    importance: Mapping[str, float] | None = None,
) -> Taxonomy:
    r"""The sources within the budget, and one transfer into each target, of largest total affinity.

    .. math:: \max_x \sum_e r_{target(e)} \, p_e \, x_e
              \quad \text{with } |S_e| \, x_e \le \sum_{s \in S_e} x_s, \;
              \sum_{e \to t} x_e = 1, \; \sum_s c_s \, x_s \le γ

    over x in {0, 1}, one for each transfer e (of sources S) and one for each source s.

    Args:
        transfers: to choose from. A target that is trained itself is a transfer whose only source
            is the target; a source that is nobody's target (colorization, say) is source-only.
        budget: γ, what all sources may cost together.
        targets: which must be served; by default each one that a transfer leads to.
        costs: c > 0 of a source, 1 where not given: then the budget counts distinct sources.
        importance: r >= 0 of a target, 1 where not given.

    **Conventions**: solved exactly (SciPy's `milp`, without a gap). Which of several equally good
    taxonomies is returned is not said. Sources that no chosen transfer uses are not listed.

    Raises ValueError where a transfer has no source, an affinity is not finite, a target has no
    transfer, a cost is not above 0, an importance is below 0 or not finite, or the budget serves no
    taxonomy; ImportError without SciPy.

    Reference: Zamir et al., Taskonomy, CVPR 2018, arXiv:1804.08328, section 3.4.
    """
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import lil_array
    except ImportError as error:
        raise ImportError("find_taxonomy needs SciPy: pip install scipy") from error
    costs, importance = costs or {}, importance or {}
    edges = list(map(Transfer._make, transfers))
    if without := [edge for edge in edges if not edge.sources]:
        raise ValueError(f"transfers must each have a source, got {without[0]}")
    if unknown := [edge for edge in edges if not isfinite(edge.affinity)]:
        raise ValueError(f"transfers must have finite affinities, got {unknown[0]}")
    goals = sorted({edge.target for edge in edges} if targets is None else set(targets))
    edges = [edge for edge in edges if edge.target in goals]
    unserved = sorted(set(goals) - {edge.target for edge in edges})
    if unserved or not goals:
        raise ValueError(f"targets must each have a transfer, missing for {unserved or 'all'}")
    names = sorted({source for edge in edges for source in edge.sources})
    prices = [float(costs.get(name, 1)) for name in names]
    if not all(price > 0 for price in prices):
        raise ValueError(f"costs must be above 0, got {dict(costs)}")
    if not all(0 <= value < float("inf") for value in importance.values()):
        raise ValueError(f"importance must be finite and not below 0, got {dict(importance)}")

    source_at = {name: len(edges) + i for i, name in enumerate(names)}
    goal_at = {name: len(edges) + i for i, name in enumerate(goals)}
    rows = lil_array((len(edges) + len(goals) + 1, len(edges) + len(names)))
    for e, edge in enumerate(edges):
        rows[e, e] = len(set(edge.sources))  # needs all its sources
        for source in edge.sources:
            rows[e, source_at[source]] = -1
        rows[goal_at[edge.target], e] = 1  # one transfer into each target
    rows[-1, len(edges) :] = prices
    lower = [-float("inf")] * len(edges) + [1] * len(goals) + [-float("inf")]
    upper = [0] * len(edges) + [1] * len(goals) + [budget]
    worth = [edge.affinity * importance.get(edge.target, 1) for edge in edges]
    solution = milp(
        [-value for value in worth] + [0] * len(names),
        constraints=LinearConstraint(rows.tocsr(), lower, upper),
        integrality=[1] * rows.shape[1],
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": 0},
    )
    if not solution.success:
        raise ValueError(f"budget {budget} serves no taxonomy of {goals}: {solution.message}")
    chosen = [edge for edge, x in zip(edges, solution.x, strict=False) if x > 0.5]
    return Taxonomy(
        value=sum(v for v, x in zip(worth, solution.x, strict=False) if x > 0.5),
        sources=tuple(sorted({source for edge in chosen for source in edge.sources})),
        transfers={edge.target: edge for edge in chosen},
    )

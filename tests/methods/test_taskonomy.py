import itertools
import json
import sys

import pytest
import torch

from cvcourse.methods import Transfer, find_taxonomy, ordinal_affinities, win_rates
from tests import oracle

FOLDER = oracle.FOLDER / "transfer"
AHP = json.loads((FOLDER / "ahp.json").read_text(encoding="utf-8"))["cases"]
PUBLISHED = json.loads((FOLDER / "taskonomy.json").read_text(encoding="utf-8"))


def tensor(rows) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def published() -> list[Transfer]:
    """All first- and second-order transfers of the paper's data, "self" by its own name."""
    edges = []
    for source, row in zip(PUBLISHED["sources"], PUBLISHED["first_order"], strict=True):
        for target, affinity in zip(PUBLISHED["targets"], row, strict=True):
            if source != "random" and affinity is not None:
                edges.append(Transfer((target if source == "self" else source,), target, affinity))
    for first, second, target, affinity in PUBLISHED["second_order"]:
        edges.append(Transfer((first, second), target, affinity))
    return edges


@pytest.mark.parametrize("case", AHP, ids=lambda c: c["kind"])
def test_oracle_affinities(case):
    found = ordinal_affinities(tensor(case["win_rates"]))
    torch.testing.assert_close(found, tensor(case["affinity"]), atol=1e-9, rtol=0)


def test_oracle_win_rates_of_losses():
    [case] = [case for case in AHP if case["losses"] is not None]
    torch.testing.assert_close(win_rates(tensor(case["losses"])), tensor(case["win_rates"]))


def test_win_rates_by_a_loop_with_ties_and_nan():
    losses = tensor([[1, 2, 3], [1, 3, 2], [float("nan"), 0, 9]])
    rates = win_rates(losses)
    expected = [[1 / 2, 1 / 2, 2 / 3], [1 / 2, 1 / 2, 2 / 3], [1 / 3, 1 / 3, 1 / 2]]
    torch.testing.assert_close(rates, tensor(expected))
    torch.testing.assert_close(rates + rates.T, torch.ones(3, 3, dtype=torch.float64))


def test_affinities_do_not_depend_on_the_order_of_sources():
    rates = win_rates(torch.rand(5, 40))
    order = torch.randperm(5)
    shuffled = ordinal_affinities(rates[order][:, order])
    torch.testing.assert_close(shuffled, ordinal_affinities(rates)[order])


@pytest.mark.parametrize("case", PUBLISHED["taxonomies"], ids=lambda c: f"budget {c['budget']}")
def test_published_taxonomies(case):
    found = find_taxonomy(published(), budget=case["budget"])
    assert found.value == pytest.approx(case["objective"], abs=1e-9)
    assert list(found.sources) == sorted(case["sources_used"])
    assert sum(edge.affinity for edge in found.transfers.values()) == pytest.approx(found.value)


def best_by_search(edges, goals, *, budget, costs, importance):
    """Every set of sources within the budget, and the best transfer into each target from it."""
    names = sorted({source for edge in edges for source in edge.sources})
    best = None
    for size in range(len(names) + 1):
        for chosen in itertools.combinations(names, size):
            if sum(costs.get(name, 1) for name in chosen) > budget:
                continue
            into = {goal: [] for goal in goals}
            for edge in edges:
                if edge.target in into and set(edge.sources) <= set(chosen):
                    into[edge.target].append(edge.affinity * importance.get(edge.target, 1))
            if all(into.values()):
                value = sum(max(values) for values in into.values())
                best = value if best is None else max(best, value)
    return best


@pytest.mark.parametrize("seed", range(8))
def test_equals_exhaustive_search(seed):
    """With source-only tasks, a set of targets, costs, importances and second-order transfers."""
    g = torch.Generator().manual_seed(seed)
    names = "abcdef"
    goals = names[: 2 + seed % 3]
    edges = [
        Transfer(sources, target, float(torch.rand((), generator=g)))
        for order in (1, 2)
        for sources in itertools.combinations(names, order)
        for target in names[:5]
        if torch.rand((), generator=g) < 0.7
    ]
    costs = {name: float(torch.randint(1, 4, (), generator=g)) for name in names}
    importance = {name: float(torch.rand((), generator=g)) for name in names}
    options = {"budget": 2 + seed % 4, "costs": costs, "importance": importance}
    expected = best_by_search(edges, goals, **options)
    if expected is None:
        with pytest.raises(ValueError, match=r"serves no taxonomy|must each have a transfer"):
            find_taxonomy(edges, targets=goals, **options)
        return
    found = find_taxonomy(edges, targets=goals, **options)
    assert found.value == pytest.approx(expected)
    assert set(found.transfers) == set(goals)
    assert sum(costs[name] for name in found.sources) <= options["budget"]
    for edge in found.transfers.values():
        assert set(edge.sources) <= set(found.sources)


class TestRefuses:
    def test_a_target_that_nothing_leads_to(self):
        with pytest.raises(ValueError, match=r"missing for \['b'\]"):
            find_taxonomy([Transfer(("a",), "a", 1.0)], targets=["a", "b"], budget=1)

    def test_nothing_at_all(self):
        with pytest.raises(ValueError, match="missing for all"):
            find_taxonomy([], budget=1)

    def test_a_budget_that_is_too_small(self):
        with pytest.raises(ValueError, match="budget 0 serves no taxonomy"):
            find_taxonomy([Transfer(("a",), "a", 1.0)], budget=0)

    def test_a_transfer_from_nowhere(self):
        with pytest.raises(ValueError, match="must each have a source"):
            find_taxonomy([Transfer((), "a", 1.0)], budget=1)

    def test_sources_for_nothing(self):
        with pytest.raises(ValueError, match="costs must be above 0"):
            find_taxonomy([Transfer(("a",), "a", 1.0)], budget=1, costs={"a": 0})

    @pytest.mark.parametrize("value", [-0.1, float("nan"), float("inf")])
    def test_an_importance_that_is_no_weight(self, value):
        with pytest.raises(
            ValueError, match=r"importance must be finite and not below 0, got {'a'"
        ):
            find_taxonomy([Transfer(("a",), "a", 1.0)], budget=1, importance={"a": value})

    @pytest.mark.parametrize("value", [float("nan"), -float("inf")])
    def test_an_unknown_affinity(self, value):
        with pytest.raises(ValueError, match="transfers must have finite affinities, got Transfer"):
            find_taxonomy([Transfer(("a",), "a", value)], budget=1)

    @pytest.mark.as_user
    @pytest.mark.parametrize("rates", [[[0.5, 0.5]], [[1.5]], [[float("nan")]]])
    def test_win_rates_that_are_none(self, rates):
        with pytest.raises(ValueError, match="win_rates must"):
            ordinal_affinities(tensor(rates))

    @pytest.mark.parametrize("clip", [0, 0.5, -1])
    def test_a_clip_out_of_range(self, clip):
        with pytest.raises(ValueError, match="clip must lie in"):
            ordinal_affinities(tensor([[0.5]]), clip=clip)

    def test_losses_of_no_image(self):
        with pytest.raises(ValueError, match="losses must be"):
            win_rates(torch.zeros(3, 0))

    def test_says_that_scipy_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "scipy.optimize", None)
        with pytest.raises(ImportError, match="pip install scipy"):
            find_taxonomy([Transfer(("a",), "a", 1.0)], budget=1)

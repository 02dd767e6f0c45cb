import json
import math

import pytest
import torch

from cvcourse.methods import AutomaticDomainRandomization, Boundary
from tests import oracle

TRACE = json.loads((oracle.FOLDER / "transfer" / "adr_trace.json").read_text(encoding="utf-8"))


def scripted() -> AutomaticDomainRandomization:
    return AutomaticDomainRandomization(
        list(zip(TRACE["init"]["low"], TRACE["init"]["high"], strict=True)),
        step=TRACE["step"],
        limits=[tuple(limits) for limits in TRACE["hard"]],
        t_low=TRACE["t_low"],
        t_high=TRACE["t_high"],
        buffer=TRACE["buffer"],
    )


def simple(**changed) -> AutomaticDomainRandomization:
    options = {"step": [1.0, 0.5], "limits": [(-3, 3), (0, 1)], "t_low": 0.4, "t_high": 0.8}
    return AutomaticDomainRandomization([0.0, 0.0], **{**options, "buffer": 2, **changed})


def test_oracle_trace_of_scripted_performances():
    adr = scripted()
    for (parameter, side, performance), expected in zip(
        TRACE["events"], TRACE["after_each_event"], strict=True
    ):
        adr.record(Boundary(parameter, side), performance)
        assert adr.low.tolist() == pytest.approx(expected["low"])
        assert adr.high.tolist() == pytest.approx(expected["high"])
        entropy = -math.inf if expected["entropy"] is None else expected["entropy"]
        assert adr.entropy() == pytest.approx(entropy)


def test_a_one_sided_parameter_moves_at_its_free_end_only():
    adr = simple()
    assert adr.boundaries == [(0, "low"), (0, "high"), (1, "high")]
    with pytest.raises(ValueError, match="boundary must be one of"):
        adr.record(Boundary(1, "low"), 1.0)
    moved = [adr.record(Boundary(1, "high"), 1.0) for _ in range(6)]
    assert moved == [0, 0.5, 0, 0.5, 0, 0]  # to its limit
    assert adr.high.tolist() == [0, 1]


def test_notes_are_cleared_and_thresholds_belong_to_the_deed():
    adr = simple()
    end = Boundary(0, "high")
    assert [adr.record(end, p) for p in (0.9, 0.7)] == [0, 1]  # mean 0.8: outwards
    assert [adr.record(end, p) for p in (0.7, 0.5)] == [0, 0]  # 0.6: stays, and is forgotten
    assert [adr.record(end, p) for p in (0.5, 0.3)] == [0, -1]  # 0.4: inwards
    assert [adr.record(end, p) for p in (0.0, 0.0)] == [0, 0]  # not beyond the other end
    low = Boundary(0, "low")
    assert [adr.record(low, p) for p in (0.9, 0.7)] == [0, 1]  # outwards is downwards
    assert adr.low[0] == -1


def test_boundary_samples_are_pinned_and_the_rest_is_within_the_ranges():
    adr = AutomaticDomainRandomization(
        [(-1.0, 2.0), (0.0, 1.0)], step=[1, 1], limits=[(-3, 3), (0, 2)], t_low=0, t_high=1
    )
    g = torch.Generator().manual_seed(0)
    seen = {}
    for _ in range(300):
        boundary, x = adr.sample_boundary(3, generator=g)
        seen[boundary] = seen.get(boundary, 0) + 1
        end = getattr(adr, boundary.side)[boundary.parameter]
        assert (x[:, boundary.parameter] == end).all()
        assert ((x >= adr.low) & (x <= adr.high)).all()
    # a parameter in two, then one of its sides: 75, 75 and 150 of 300, four deviations either way
    assert set(seen) == set(adr.boundaries)
    assert abs(seen[Boundary(1, "high")] - 150) < 4 * math.sqrt(300 / 4)
    assert abs(seen[Boundary(0, "low")] - 75) < 4 * math.sqrt(300 * 3 / 16)


def test_samples_are_uniform_in_the_box():
    adr = AutomaticDomainRandomization(
        [(-1.0, 3.0), 0.5], step=[1, 1], limits=[(-3, 3), (0, 1)], t_low=0, t_high=1
    )
    x = adr.sample(20_000, generator=torch.Generator().manual_seed(0))
    assert (x[:, 1] == 0.5).all()
    assert x[:, 0].mean() == pytest.approx(1, abs=0.05)
    assert x[:, 0].var() == pytest.approx(16 / 12, rel=0.05)
    assert x[:, 0].aminmax().min >= -1
    assert x[:, 0].aminmax().max <= 3


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"step": [1.0]}, "start, step and limits must be as long"),
        ({"step": [1.0, 0.0]}, "step must be above 0"),
        ({"limits": [(1, 3), (0, 1)]}, "start must lie within limits"),
        ({"t_low": 0.8}, "t_low must be below t_high"),
        ({"buffer": 0}, "buffer must be a whole number, at least 1"),
        ({"buffer": 2.5}, "buffer must be a whole number, at least 1, got 2.5"),
        ({"buffer": math.nan}, "buffer must be a whole number"),
        ({"buffer": math.inf}, "buffer must be a whole number"),
    ],
)
def test_refuses(changed, message):
    with pytest.raises(ValueError, match=message):
        simple(**changed)


@pytest.mark.parametrize("performance", [math.nan, math.inf])
def test_refuses_a_performance_that_is_no_number(performance):
    adr = simple()
    with pytest.raises(ValueError, match=f"performance must be a finite number, got {performance}"):
        adr.record(Boundary(0, "high"), performance)
    moved = [adr.record(Boundary(0, "high"), 1.0) for _ in range(2)]
    assert moved[0] == 0 < moved[1]  # it was not noted


def test_says_that_nothing_can_move():
    adr = AutomaticDomainRandomization([0.0], step=[1], limits=[(0, 0)], t_low=0, t_high=1)
    with pytest.raises(ValueError, match="an end that can move"):
        adr.sample_boundary(1)

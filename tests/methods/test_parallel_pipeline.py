import pytest
import torch
from torch import nn

from cvcourse.methods import DepthParallel, pipeline_schedule


def modules():
    torch.manual_seed(0)
    return [nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(3)]


def test_answers_are_the_networks_two_frames_late():
    parts, frames = modules(), torch.rand(7, 2, 4)
    whole, pipeline = nn.Sequential(*parts), DepthParallel(parts)
    for _ in range(2):  # the second video does not see the first
        answers = [pipeline.step(frame) for frame in frames]
        assert answers[:2] == [None, None]
        for answer, frame in zip(answers[2:], frames, strict=False):
            torch.testing.assert_close(answer, whole(frame))
        pipeline.reset()


class Recorder(nn.Module):
    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append(int(x))
        return x


def test_slow_clocks_hold_what_they_made():
    fast, middle, slow = (Recorder() for _ in range(3))
    pipeline = DepthParallel([fast, middle, slow], every=[1, 2, 4])
    answers = [pipeline.step(torch.tensor(float(frame))) for frame in range(10)]
    assert fast.seen == list(range(10))
    assert middle.seen == [1, 3, 5, 7]  # at ticks 2, 4, 6, 8: the frame of the tick before
    assert slow.seen == [1, 5]  # at ticks 4 and 8: what the middle one made at 2 and 6
    assert answers[:4] == [None] * 4
    assert [int(answer) for answer in answers[4:]] == [1, 1, 1, 1, 5, 5]


def test_schedule_by_hand():
    costs = [1.0, 3.0, 2.0, 2.0]
    assert pipeline_schedule(costs, [4]) == (8, 8)
    assert pipeline_schedule(costs) == (3, 12)
    assert pipeline_schedule(costs, [2, 2]) == (4, 8)  # balanced: twice as fast, no later
    assert pipeline_schedule(costs, [1, 3]) == (7, 14)


@pytest.mark.as_user
def test_bad_input():
    with pytest.raises(ValueError, match="every: expected a number >= 1 for each"):
        DepthParallel(modules(), every=[1, 2])
    with pytest.raises(ValueError, match="every: expected a number >= 1 for each"):
        DepthParallel([])
    with pytest.raises(ValueError, match="units: expected to add up to 2 modules, got"):
        pipeline_schedule([1.0, 2.0], [3])
    with pytest.raises(ValueError, match="costs: expected at least one, all >= 0"):
        pipeline_schedule([1.0, -2.0])

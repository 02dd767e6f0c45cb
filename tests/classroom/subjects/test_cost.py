import time

import pytest
import torch
from torch import nn

from cvcourse.classroom.subjects.cost import milliseconds, multiply_adds
from cvcourse.models import ResNet
from cvcourse.models.backbones.resnet import BasicBlock


class Clock:
    """A clock that only calls move on."""

    def __init__(self, monkeypatch, name):
        self.seconds = 0.0
        monkeypatch.setattr(time, name, lambda: self.seconds)

    def call_that_takes(self, *milliseconds):
        def call():
            assert not torch.is_grad_enabled()
            self.seconds += next(left) / 1000

        left = iter(milliseconds)
        return call


def test_median_and_middle_half_without_the_first_call(monkeypatch):
    call = Clock(monkeypatch, "process_time").call_that_takes(500, 3, 1, 2, 5, 4)
    assert milliseconds(call, repeats=5) == pytest.approx((3, 2, 4))


def test_one_thread_while_it_is_measured():
    before, seen = torch.get_num_threads(), []
    torch.set_num_threads(3)
    try:
        milliseconds(lambda: seen.append(torch.get_num_threads()), repeats=2)
        with pytest.raises(ZeroDivisionError):
            milliseconds(lambda: 1 / 0)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1, 1]


def test_a_gpu_is_waited_for(monkeypatch):
    clock = Clock(monkeypatch, "perf_counter")
    monkeypatch.setattr(torch.cuda, "synchronize", clock.call_that_takes(*[7] * 8))
    assert milliseconds(lambda: None, repeats=4, device="cuda") == pytest.approx((7, 7, 7))


def test_more_work_takes_longer():
    small, large = torch.rand(100, 100), torch.rand(1000, 1000)
    assert milliseconds(lambda: large @ large)[0] > 5 * milliseconds(lambda: small @ small)[0]


def test_no_repeats():
    with pytest.raises(ValueError, match="repeats must be at least 1, but is 0"):
        milliseconds(lambda: None, repeats=0)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        (nn.Conv2d(64, 64, 3, padding=1), (1, 64, 10, 10), 100 * 64 * 64 * 9),
        (nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8), (2, 8, 9, 9), 2 * 25 * 8 * 9),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (1, 4, 5, 7), 35 * 4 * 6 * 4),
        (nn.Linear(30, 7), (3, 30), 3 * 30 * 7),
        (nn.Sequential(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2)), (2, 3, 8, 8), 0),
    ],
)
def test_multiply_adds_by_hand(layer, shape, expected):
    assert multiply_adds(layer, torch.rand(shape)) == expected


@pytest.mark.parametrize(
    ("options", "published"),
    [
        ({"block": BasicBlock, "depths": (2, 2, 2, 2)}, 1.814),  # torchvision's ResNet18_Weights
        ({}, 4.089),  # ResNet50_Weights
    ],
)
def test_multiply_adds_as_torchvision_says(options, published):
    with torch.device("meta"):
        model, image = ResNet(**options), torch.empty(1, 3, 224, 224)
    assert round(multiply_adds(model, image) / 1e9, 3) == published


def test_model_is_left_as_it_was():
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4).eval())
    before = {name: value.clone() for name, value in model.state_dict().items()}
    multiply_adds(model, torch.rand(2, 3, 4, 4))
    assert [module.training for module in model] == [True, True, False]
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])

import pytest
import torch

from cvcourse.classroom.device import choose_device, choose_scale, describe_device, fewer

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def machine(monkeypatch):
    """Pretend to have some devices and no wishes."""

    def have(*, cuda=False, mps=False):
        monkeypatch.delenv("CVCOURSE_DEVICE", raising=False)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return have


@pytest.mark.parametrize(
    ("present", "chosen"),
    [({}, "cpu"), ({"mps": True}, "mps"), ({"cuda": True, "mps": True}, "cuda")],
)
def test_best_device_that_is_present(machine, present, chosen):
    machine(**present)
    assert choose_device().type == chosen


def test_wish_overrides(machine, monkeypatch):
    machine(cuda=True)
    monkeypatch.setenv("CVCOURSE_DEVICE", "cpu")
    assert choose_device() == CPU


@pytest.mark.parametrize("absent", ["cuda", "mps"])
def test_absent_device_is_one_clear_sentence(machine, monkeypatch, absent):
    machine()
    monkeypatch.setenv("CVCOURSE_DEVICE", absent)
    with pytest.raises(RuntimeError, match=rf"CVCOURSE_DEVICE={absent}, but .* \(usable: cpu\)\.$"):
        choose_device()


def test_unknown_device_names_the_variable(monkeypatch):
    monkeypatch.setenv("CVCOURSE_DEVICE", "tpu")
    with pytest.raises(ValueError, match="CVCOURSE_DEVICE must be one of cpu, cuda, mps, not 'tpu"):
        choose_device()


def test_each_process_of_a_launcher_has_its_own_gpu(machine, monkeypatch):
    machine(cuda=True)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert choose_device() == torch.device("cuda", 1)


def test_scale_follows_device_unless_asked(monkeypatch):
    assert choose_scale(CPU) == "small"
    assert choose_scale(CUDA) == "full"
    monkeypatch.setenv("CVCOURSE_SCALE", "full")
    assert choose_scale(CPU) == "full"


def test_unknown_scale_names_the_variable(monkeypatch):
    monkeypatch.setenv("CVCOURSE_SCALE", "huge")
    with pytest.raises(ValueError, match="CVCOURSE_SCALE must be one of small, full, not 'huge'"):
        choose_scale(CPU)


def test_device_in_words(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Some GPU")
    assert describe_device(CPU) == "cpu"
    assert describe_device(CUDA) == "cuda (Some GPU)"


def test_fewer_in_a_rehearsal_of_lines_alone(monkeypatch):
    monkeypatch.delenv("CVCOURSE_REHEARSE", raising=False)
    assert fewer(10, 4) == 10
    monkeypatch.setenv("CVCOURSE_REHEARSE", "claims")
    assert fewer(10, 4) == 10
    monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
    assert (fewer(10, 4), fewer(3, 4)) == (4, 3)

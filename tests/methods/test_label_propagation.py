import pytest
import torch

from cvcourse.methods import compose_flows, flow_is_consistent, propagate
from tests import oracle


def constant_flow(x, y, size=(6, 8), batch=1):
    return torch.tensor([x, y]).view(1, 2, 1, 1).expand(batch, 2, *size)


def a_frame():
    image = oracle.formula_image("propagate", 6, 8, block=2)[None]
    return image, (image[:, 0] * 4).long().clamp(max=3)


def test_whole_pixels_move_picture_and_labels_alike():
    image, labels = a_frame()
    moved, found = propagate(image, labels, constant_flow(-2.0, 1.0))
    torch.testing.assert_close(moved[..., :5, 2:], image[..., 1:, :6])
    assert torch.equal(found[:, :5, 2:], labels[:, 1:, :6])
    assert (found[:, 5] == 255).all()
    assert (found[:, :, :2] == 255).all()
    assert not torch.isnan(moved).any()


def test_labels_are_never_mixed():
    labels = torch.tensor([[[0, 0, 0, 7, 7, 7]]])
    image = labels[:, None].float()
    for shift, edge in ((0.4, 3), (0.6, 2)):  # of the nearest pixel
        moved, found = propagate(image, labels, constant_flow(shift, 0.0, (1, 6)))
        assert found[0, 0, :5].tolist() == [0] * edge + [7] * (5 - edge)
        assert moved[0, 0, 0, 2] == pytest.approx(7 * shift)


def test_what_is_hidden_or_unknown_is_ignored():
    image, labels = a_frame()
    visible = torch.ones(1, 6, 8, dtype=torch.bool)
    visible[:, 2, 3] = False
    flow = torch.zeros(1, 2, 6, 8)
    flow[:, :, 4, 4] = torch.nan
    _, found = propagate(image, labels, flow, visible=visible, ignore_index=99)
    assert found[0, 2, 3] == found[0, 4, 4] == 99
    assert (found == 99).sum() == 2


def test_flows_compose():
    there = constant_flow(1.5, -1.0, (9, 11))
    onwards = torch.stack((torch.arange(11.0).expand(9, 11) * 0.1, torch.ones(9, 11)))[None]
    both = compose_flows(there, onwards)
    x = torch.arange(9.0)  # where the first flow arrives inside
    torch.testing.assert_close(both[0, 0, 4, :9], 1.5 + 0.1 * (x + 1.5))
    torch.testing.assert_close(both[0, 1, 4, :9], torch.zeros(9))


def test_there_and_back():
    forward, backward = constant_flow(2.0, 0.0), constant_flow(-2.0, 0.0)
    sure = flow_is_consistent(forward, backward)
    assert sure[:, :, :6].all()
    assert not sure[:, :, 6:].any()  # they leave the picture
    assert not flow_is_consistent(forward, constant_flow(-1.0, 0.0)).any()
    assert flow_is_consistent(forward, constant_flow(-1.5, 0.0))[:, :, :6].all()  # .25 < .5 + ...


@pytest.mark.as_user
def test_bad_input():
    image, labels = a_frame()
    with pytest.raises(ValueError, match=r"labels: expected shape \(1, 6, 8\), got \(1, 5, 8\)"):
        propagate(image, labels[:, 1:], constant_flow(0.0, 0.0))
    with pytest.raises(ValueError, match=r"flow must have shape \(1, 2, 6, 8\)"):
        propagate(image, labels, constant_flow(0.0, 0.0, (5, 8)))

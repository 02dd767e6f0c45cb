import torch

from cvcourse.classroom.subjects.digit_detector import (
    DigitDetector,
    box_around,
    detector_losses,
    found_and_read,
)
from cvcourse.data.cluttered_digits import cluttered_digits


def pictures(count):
    images, labels, centres = cluttered_digits(count, "train", torch.Generator().manual_seed(0))
    return images, labels, centres + 20


def test_places_are_the_middles_of_cells_in_the_order_of_the_map():
    net = DigitDetector(2)
    assert net.places[0].tolist() == [2, 2]
    assert net.places[1].tolist() == [6, 2]  # x first, as the map's columns
    assert net.places[99].tolist() == [38, 38]


def test_proposals_are_shifted_boxes_best_first():
    net = DigitDetector(2)
    scores, shifts = torch.zeros(1, 100), torch.zeros(1, 100, 2)
    scores[0, 55], scores[0, 12] = 2.0, 1.0
    shifts[0, 55] = torch.tensor([1.0, -1.0])
    best, second = net.propose(scores, shifts, count=2)[0]
    assert best.tolist() == [13, 11, 33, 31]  # around (23, 21)
    assert second.tolist() == [0, -4, 20, 16]  # around (10, 6)


def test_losses_by_hand():
    images, labels, centres = pictures(4)
    net = DigitDetector(2).eval()
    for weights in (net.rpn, net.head[1]):
        torch.nn.init.zeros_(weights.weight)
        torch.nn.init.zeros_(weights.bias)
    losses, proposals = detector_losses(net, net.trunk(images), labels, centres)
    torch.testing.assert_close(losses["where"], torch.tensor(100.0).log())
    torch.testing.assert_close(losses["what"], torch.tensor(10.0).log())
    far = torch.stack([(centres[i] - net.places).abs().amin(0) for i in range(4)])  # below 2
    smooth = torch.where(far < 1, far**2 / 2, far - 0.5).mean()
    torch.testing.assert_close(losses["shift"], smooth)
    assert proposals.shape == (4, 8, 4)
    assert not proposals.requires_grad


def test_found_and_read_needs_place_and_digit():
    images, labels, centres = pictures(6)
    net = DigitDetector(2)
    found = found_and_read(net, images, labels, centres)
    assert net.training
    middle = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2
    again = found_and_read(net, images, found.digits, middle)
    assert again.right.all()
    assert not found_and_read(net, images, (found.digits + 1) % 10, middle).right.any()
    beside = found_and_read(net, images, found.digits, middle + torch.tensor([8.0, 0]))
    assert not beside.right.any()  # IoU 12 / 28
    torch.testing.assert_close(found.boxes, box_around(middle))


def test_one_step_lowers_the_loss():
    torch.manual_seed(0)
    images, labels, centres = pictures(32)
    net = DigitDetector(4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    totals = []
    for _ in range(2):
        losses, _ = detector_losses(net, net.trunk(images), labels, centres)
        totals.append(sum(losses.values()))
        optimizer.zero_grad()
        totals[-1].backward()
        optimizer.step()
    assert totals[1] < totals[0]

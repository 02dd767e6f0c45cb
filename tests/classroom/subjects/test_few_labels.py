import matplotlib.pyplot as plt
import pytest
import torch

from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects import few_labels
from cvcourse.data import digits


def generator():
    return torch.Generator().manual_seed(3)


class TestMoved:
    def test_not_at_all(self):
        images = torch.rand(5, 2, 8, 8, generator=generator())
        torch.testing.assert_close(few_labels.moved(images, 0.0, generator()), images)

    def test_each_picture_by_itself_and_alike_for_a_seed(self):
        images = torch.rand(1, 1, 8, 8, generator=generator()).expand(2, -1, -1, -1)
        one, other = few_labels.moved(images, 1.0, generator())
        assert not torch.equal(one, other)
        again = few_labels.moved(images, 1.0, generator())
        torch.testing.assert_close(again, torch.stack([one, other]))

    def test_farther_where_stronger(self):
        images = digits.load("val")[0]
        harm = [
            (few_labels.moved(images, s, generator()) - images).abs().mean()
            for s in (0.2, 0.5, 1.0)
        ]
        assert harm == sorted(harm)
        assert harm[0] > 0


class TestCorrupted:
    @pytest.fixture
    def images(self):
        return digits.load("val")[0][:50]

    def test_each_kind_grows_and_keeps_the_shape(self, images):
        found = few_labels.corrupted(images)
        assert list(found) == ["noise", "turned", "blurred", "pale", "barred"]
        for pictures in found.values():
            assert len(pictures) == few_labels.STRENGTHS
            assert all(p.shape == images.shape for p in pictures)
            harm = [(p - images).abs().mean().item() for p in pictures]
            assert harm == sorted(harm)
            assert harm[0] > 0

    def test_values(self, images):
        found = few_labels.corrupted(images)
        for k, pictures in enumerate(found["barred"], 1):
            assert (pictures[:, :, 4 : 4 + k] == 0).all()
            torch.testing.assert_close(pictures[:, :, :4], images[:, :, :4])
        torch.testing.assert_close(found["pale"][1], 0.25 + images / 2)
        middle = images[:, :, 1:4, 2:5].mean((2, 3))
        torch.testing.assert_close(found["blurred"][2][:, :, 2, 3], middle)
        again = few_labels.corrupted(images)
        torch.testing.assert_close(again["noise"][0], found["noise"][0])

    def test_bars_of_larger_pictures_are_as_high(self):
        images = torch.ones(1, 3, 32, 32)
        for k, pictures in enumerate(few_labels.corrupted(images)["barred"], 1):
            assert (pictures == 0).float().mean() == k / 8


def test_graph_knows_what_it_was_told_and_no_more():
    images, labels = digits.load("val")
    known = torch.cat([(labels == k).nonzero()[:3, 0] for k in range(10)])
    graphs = [few_labels.graph_of(images, labels, known)]
    chances = few_labels.graphs_say(graphs, images)
    assert chances.shape == (1, len(images), 10)
    right = (chances[0].argmax(1) == labels).float()
    assert right.mean() > 0.8
    hidden = labels.clone()
    hidden[torch.isin(torch.arange(len(labels)), known, invert=True)] = 0  # those it may not see
    blind = few_labels.graph_of(images, hidden, known)
    torch.testing.assert_close(few_labels.graphs_say([blind], images), chances)


def test_graph_of_few_classes_names_them_by_their_numbers():
    images, labels = digits.load("val")
    some = torch.isin(labels, torch.tensor([2, 7]))
    images, labels = images[some], labels[some]
    known = torch.cat([(labels == k).nonzero()[:3, 0] for k in (2, 7)])
    graphs = [few_labels.graph_of(images, labels, known)]
    own = few_labels.graphs_say(graphs, classes=8)
    assert own.shape == (1, len(images), 8)
    assert set(own[0].argmax(1).tolist()) == {2, 7}
    assert (own[0].argmax(1) == labels).float().mean() > 0.9
    torch.testing.assert_close(own.sum(2), torch.ones(1, len(images)))


@pytest.mark.parametrize(("rehearsed", "steps"), [("", 400), ("lines", 4), ("claims", 400)])
def test_steps(monkeypatch, rehearsed, steps):
    monkeypatch.setenv("CVCOURSE_REHEARSE", rehearsed)
    run = Run("99 steps", seed=0, device=torch.device("cpu"), scale="small")
    assert few_labels.training_steps(run, small=400, full=9) == steps


def test_windows_have_their_pixel_in_the_middle():
    images, around, is_cell = few_labels.cell_windows(3, "val", side=32, window=5)
    assert around.shape == (3, 32 * 32, 25)
    assert is_cell.shape == (3, 32, 32)
    assert is_cell.unique().tolist() == [0, 1]
    torch.testing.assert_close(around[:, :, 12].view_as(images), images)
    inside = around.view(3, 32, 32, 5, 5)[1, 10, 20]
    torch.testing.assert_close(inside, images[1, 0, 8:13, 18:23])
    brightness = [images[:, 0][is_cell == k].mean() for k in (0, 1)]
    assert brightness[0] < brightness[1]


def test_two_rows():
    figure, cell = plt.subplots()
    asked = []

    def loss(logits):
        asked.append(logits.exp())
        return logits.exp()[0, 0]  # p alone

    path = torch.tensor([[0.2, 0.4], [0.9, 0.1]]).numpy()
    few_labels.draw_two_rows(cell, loss, path, title="p")
    assert len(asked) == 2500
    torch.testing.assert_close(torch.stack(asked).sum(2), torch.ones(2500, 2))
    torch.testing.assert_close(asked[1][:, 0], torch.tensor([0.03, 0.01]))  # p runs to the right
    start, end = (line.get_xydata()[0].tolist() for line in cell.lines[1:])
    assert start == pytest.approx([0.2, 0.4])
    assert end == pytest.approx([0.9, 0.1])
    plt.close(figure)

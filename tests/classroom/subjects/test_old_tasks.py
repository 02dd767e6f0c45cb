import matplotlib.pyplot as plt
import pytest
import torch

from cvcourse.classroom import begin
from cvcourse.classroom.subjects import old_tasks
from cvcourse.classroom.subjects.notes import PAPERS
from cvcourse.data import digits


def generator():
    return torch.Generator().manual_seed(3)


def test_digits_of_16_pixels_and_a_line_about_them(capsys):
    parts = old_tasks.inked_digits(begin("33 Test", minutes=1))
    ink, labels = parts["val"]
    assert ink.shape == (258, 1, 16, 16)
    assert ink.min() >= 0
    assert ink.max() <= 1
    assert torch.equal(labels, digits.load("val")[1])
    assert "data: digits, 1,157 train, 258 val, 382 test" in capsys.readouterr().out


class TestOnPaper:
    def test_paper_is_coloured_and_ink_is_dark(self):
        ink = torch.zeros(40, 1, 16, 16)
        ink[:, :, 3:13, 3:13] = 1
        pictures = old_tasks.on_paper(ink, generator())
        assert pictures.shape == (40, 3, 16, 16)
        assert pictures[:, :, 7:9, 7:9].max() < 0.2
        corner = pictures[:, :, 0, 0]
        assert (corner.amax(1) > 0.7).all()
        hues = torch.nn.functional.normalize(torch.tensor(list(PAPERS.values())), dim=1)
        apart = torch.cdist(torch.nn.functional.normalize(corner, dim=1), hues)
        assert apart.min(1).values.max() < 0.1
        assert len(apart.argmin(1).unique()) == 5

    def test_each_differently_and_alike_for_a_seed(self):
        ink = digits.load("val", 16)[0][:1].expand(2, -1, -1, -1)
        one, other = old_tasks.on_paper(ink, generator())
        assert not torch.equal(one, other)
        assert torch.equal(old_tasks.on_paper(ink, generator()), torch.stack([one, other]))


def test_pictures_of_a_task():
    pictures = torch.arange(20)
    found, labels = old_tasks.of_task((pictures, pictures % 10), 2)
    assert labels.tolist() == [4, 5, 4, 5]
    assert found.tolist() == [4, 5, 14, 15]


def test_a_course_has_a_line_for_each_task_from_when_it_began():
    moments = [[0.5], [0.9], [0.8, 0.6], [0.7, 0.9]]
    figure = old_tasks.show_courses({"a": moments, "b": moments[:2]}, every=30, title="Courses")
    first, second = figure.axes
    marked = [line for line in first.lines if line.get_marker() in old_tasks.MARKERS]
    assert [list(line.get_xdata()) for line in marked] == [[30, 60, 90, 120], [90, 120]]
    assert list(marked[1].get_ydata()) == [0.6, 0.9]
    assert len([line for line in second.lines if line.get_marker() in old_tasks.MARKERS]) == 1
    plt.close(figure)


def test_owners_are_dark_and_later_users_light():
    used = [
        [torch.tensor([True, True, False])],
        [torch.tensor([False, True, True])],
    ]
    figure = old_tasks.show_owners(used, title="Owners")
    shades = torch.from_numpy(figure.axes[0].images[0].get_array().data).sum(2)
    assert shades[0, 0] == shades[0, 1] == shades[1, 2]  # first to use them
    assert shades[0, 0] < shades[1, 1] < shades[0, 2] == pytest.approx(3)
    plt.close(figure)


class TestLearning:
    @pytest.fixture
    def five(self):
        return old_tasks.FiveTasks(begin("33 Test", minutes=1), steps=4)

    def test_looks_four_times_a_source_in_evaluation_mode(self, five):
        seen = []
        five.learn(
            0, 0.01, five.sequence[:2], look=lambda net, task: seen.append((task, net.training))
        )
        assert seen == [(0, False)] * 4 + [(1, False)] * 4

    def test_memory_is_balanced_and_alike_for_a_seed(self, five):
        ink, digits = five.remembered(1, 3)
        assert digits.bincount().tolist() == [3] * 10
        assert torch.equal(ink, five.remembered(1, 3)[0])
        assert not torch.equal(ink, five.remembered(2, 3)[0])

    def test_kept_convolutions_stay_after_the_first_source(self, five):
        kept = []
        five.learn(
            0, 0.01, five.sequence[:2], keep=True,
            look=lambda net, task: kept.append([c.weight.detach().clone() for c in net.convs]),
        )  # fmt: skip
        assert all(torch.equal(a, b) for a, b in zip(kept[3], kept[-1], strict=True))
        assert not torch.equal(kept[0][0], kept[3][0])

    def test_scores_by_counting(self, five):
        network = five.learn(0, 0.01, [(five.ink["train"], 8)], among_ten=True)
        pictures, labels = five.shown["val"]
        with torch.no_grad():
            logits = network.every(pictures)
        ten = (logits.argmax(1) == labels).double().mean()
        assert five.among_ten(network, "val") == pytest.approx(ten)
        pairs = logits.view(-1, 5, 2)[torch.arange(len(labels)), labels // 2].argmax(1)
        right = (pairs == labels % 2).double()
        of_each = [right[labels // 2 == task].mean() for task in range(5)]
        assert five.accuracies(network, "val") == pytest.approx([float(x) for x in of_each])

    def test_other_steps_are_a_copy(self, five):
        other = five.with_steps(7)
        assert [steps for _, steps in other.sequence] == [7] * 5
        assert other.shown is five.shown
        assert (other.steps, five.steps, five.sequence[0][1]) == (7, 4, 4)

    def test_networks_apart(self, five):
        apart = old_tasks.Apart(
            [five.learn(s, 0.01, five.sequence[:1], filters=4) for s in range(5)]
        )
        pictures = five.shown["val"][0][:7]
        with torch.no_grad():
            features = apart.all_features(pictures)
            assert features.shape == (7, 5, 4)
            for task in range(5):
                theirs = apart.heads[task](features[:, task])
                torch.testing.assert_close(apart(pictures, task), theirs)

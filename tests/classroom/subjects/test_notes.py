"""Sticky notes: what is on them is where it is said to be, and looks are of the same note."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from cvcourse.classroom import begin
from cvcourse.classroom.subjects.notes import (
    DIGIT,
    PAPERS,
    SIDE,
    contents,
    draw_contents,
    looks,
    show_clusters,
    show_contents,
    sticky_notes,
    turned_looks,
    write_notes,
)
from cvcourse.data import digits, real
from tests.data.tiny import write_mnist


def test_paper_has_its_colour_and_ink_is_dark_and_inside():
    ink = torch.ones(40, 1, 8, 8)
    images, papers = write_notes(ink, torch.Generator().manual_seed(0))
    assert images.shape == (40, 3, SIDE, SIDE)
    assert images.min() >= 0
    assert images.max() <= 1
    assert papers.unique().tolist() == list(range(len(PAPERS)))
    dark = images.mean(1) < 0.4
    assert dark.flatten(1).sum(1).float().mean() == pytest.approx(DIGIT**2, rel=0.1)
    colours = torch.tensor(list(PAPERS.values()))
    for image, inked, paper in zip(images, dark, papers, strict=True):
        rows, columns = inked.nonzero().unbind(1)
        assert rows.max() - rows.min() < DIGIT + 1
        assert columns.max() - columns.min() < DIGIT + 1
        bright = image[:, ~inked].median(1).values
        nearest = torch.nn.functional.cosine_similarity(bright[None], colours).argmax()
        assert nearest == paper
    places = torch.stack([inked.nonzero().float().mean(0) for inked in dark])
    assert (places.amin(0) < SIDE / 2 - 2).all()
    assert (places.amax(0) > SIDE / 2 + 1).all()


def test_the_same_seed_gives_the_same_notes():
    ink = digits.load("val")[0]
    first, second = (write_notes(ink, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_splits(monkeypatch, tmp_path):
    monkeypatch.setenv("CVCOURSE_DEVICE", "cpu")
    monkeypatch.setenv("CVCOURSE_RECORDS", str(tmp_path))
    notes = sticky_notes(begin("91 Notes"))
    for split, (images, labels, papers) in notes.items():
        assert torch.equal(labels, digits.load(split)[1])
        assert len(images) == len(labels) == len(papers)
    write_mnist(tmp_path / "mnist", train=60, test=20)
    monkeypatch.setenv("CVCOURSE_DATA", str(tmp_path))
    monkeypatch.setenv("CVCOURSE_SCALE", "full")
    notes = sticky_notes(begin("91 Notes"))
    assert [len(labels) for _, labels, _ in notes.values()] == [50, 10, 20]
    wanted = real.Mnist(tmp_path / "mnist", "train").labels
    np.testing.assert_array_equal(torch.cat([notes["train"][1], notes["val"][1]]), wanted)


def test_a_look_is_near_the_note_and_each_is_another():
    images, _ = write_notes(digits.load("val")[0][:30], torch.Generator().manual_seed(0))
    generator = torch.Generator().manual_seed(1)
    first, second = looks(images, generator), looks(images, generator)
    assert first.shape == images.shape
    assert first.min() >= 0
    assert first.max() <= 1
    assert (first != second).flatten(1).any(1).all()
    assert (first.mean((2, 3)) - images.mean((2, 3))).abs().max() < 0.12  # no border comes in
    flat = torch.full((5, 3, SIDE, SIDE), 0.6)
    torch.testing.assert_close(looks(flat, generator), flat)


def test_looks_that_are_turned_by_quarters():
    images, _ = write_notes(digits.load("val")[0][:40], torch.Generator().manual_seed(0))
    turned, quarters = turned_looks(images, torch.Generator().manual_seed(1))
    upright = looks(images, torch.Generator().manual_seed(1))
    back = [picture.rot90(-int(k), (1, 2)) for picture, k in zip(turned, quarters, strict=True)]
    assert torch.equal(torch.stack(back), upright)
    assert quarters.unique().tolist() == [0, 1, 2, 3]


def test_contents_and_clusters_that_are_shown():
    found, labels = torch.tensor([0, 0, 0, 2, 2]), torch.tensor([7, 7, 1, 3, 3])
    counts = contents(found, labels, 4)
    assert counts.shape == (4, 10)
    assert counts[0, 7] == 2
    assert counts[0, 1] == 1
    assert counts[2, 3] == 2
    assert counts.sum() == 5
    images = torch.rand(5, 3, 8, 8)
    figure = show_clusters(images, found, labels, torch.tensor([2, 0]), title="T")
    assert [axes.get_ylabel() for axes in figure.axes if axes.get_ylabel()] == ["3: 100%", "7: 67%"]


def test_bars_of_contents_have_their_heights_in_the_order_of_digits():
    counts = torch.zeros(3, 10, dtype=torch.long)
    counts[0, 5], counts[0, 1], counts[1, 2], counts[2, 2] = 4, 1, 3, 6
    figure = Figure()
    axes = figure.subplots()
    draw_contents(axes, counts)
    tops = [0.0, 0.0, 0.0]
    for bars in axes.containers:
        for place, bar in enumerate(bars):
            tops[place] = max(tops[place], bar.get_y() + bar.get_height())
    assert tops == [6, 3, 5]
    assert [bar.get_height() for bar in axes.containers[0]] == [6, 3, 4]
    assert [text.get_text() for text in axes.texts] == ["2", "2", "5"]


def test_panels_of_contents_bear_their_names_and_one_scale():
    counts = torch.zeros(2, 10, dtype=torch.long)
    counts[0, 3], counts[1, 7] = 5, 2
    figure = show_contents({"before": counts, "after": 2 * counts}, title="Sorted")
    assert [axes.get_title() for axes in figure.axes] == ["before", "after"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "the cluster's commonest digit",
        "other digits",
    ]

"""Digits, rules and costs of lesson 41's small networks."""

import json
from itertools import pairwise

import pytest
import torch

from cvcourse.classroom import records
from cvcourse.classroom.subjects import designing
from cvcourse.classroom.subjects.designing import RULES
from cvcourse.models import quantized_widths


def test_crooked_digits_are_the_same_for_the_same_seed():
    images, labels = designing.crooked("test", 50, seed=1)
    again, _ = designing.crooked("test", 50, seed=1)
    other, _ = designing.crooked("test", 50, seed=2)
    assert images.shape == (50, 3, 8, 8)
    assert torch.equal(images[:, 0], images[:, 2])
    assert set(labels.tolist()) == set(range(10))
    assert torch.equal(images, again)
    assert not torch.equal(images, other)


@pytest.mark.parametrize("rule", RULES)
def test_what_each_rule_forbids(rule):
    generator = torch.Generator().manual_seed(5)
    designs = [designing.draw(rule, generator) for _ in range(60)]
    for design in designs:
        if rule != "A":
            assert len(set(design.bottlenecks)) == len(set(design.group_widths)) == 1
        if rule not in ("A", "C"):
            assert all(a <= b for a, b in pairwise(design.widths))
        if rule == "RegNet, b 1":
            assert set(design.bottlenecks) == {1.0}
    if rule == "A":
        assert any(len(set(d.bottlenecks)) > 1 for d in designs)
    if rule == "C":
        assert any(d.widths != sorted(d.widths) for d in designs)


def test_the_line_of_a_regnet():
    generator = torch.Generator().manual_seed(7)
    design = designing.draw("RegNet", generator)
    line = designing.draw_line(**designing.LINES, generator=torch.Generator().manual_seed(7))
    assert (design.depths, design.widths) == quantized_widths(
        line.depth, line.w_0, line.w_a, line.w_m
    )


def test_only_what_is_in_the_window_is_kept():
    design, share = designing.drawn("D", 3)
    assert len(design.depths) == 3
    assert designing.WINDOW[0] <= designing.cost_of(design).flops <= designing.WINDOW[1]
    assert 0 < share <= 1
    wide = design._replace(widths=[64, 64, 72])
    assert not designing.fits(wide)
    assert not designing.fits(design._replace(depths=[3, 3, 4]))
    with pytest.raises(ValueError, match="rule must be"):
        designing.draw("E", torch.Generator())


def test_a_seed_draws_what_the_table_holds():
    table = json.loads(
        (records.course() / "lessons/tables/41-populations.json").read_text(encoding="utf-8")
    )
    place = table["seeds"].index(18)
    for rule in ("A", "C", "D"):
        design, share = designing.drawn(rule, 18)
        assert table["values"][f"{rule} cost"][place] == designing.cost_of(design).flops
        assert table["values"][f"{rule} drawn"][place] == pytest.approx(1 / share)


def test_a_short_training_learns():
    design, _ = designing.drawn("D", 16)
    net = designing.train(design, 16, epochs=2)
    assert not net.training
    assert designing.share_wrong(net, "train") < 0.8
    assert 0 <= designing.share_wrong(net, "test") < 0.85


def test_grey_squares_are_pieces_of_the_photographs_of_a_split():
    squares = designing.grey_squares("test", 3, torch.Generator().manual_seed(0))
    assert squares.shape == (9, 1, 20, 20)
    assert 0 <= squares.min() <= squares.max() <= 1
    first = designing.pictures.load(designing.PICTURES["test"][0]).mean(0)
    windows = first.unfold(0, 20, 1).unfold(1, 20, 1)
    assert (windows == squares[0, 0]).all((2, 3)).any()
    assert not set(designing.PICTURES["train"]) & set(designing.PICTURES["test"])

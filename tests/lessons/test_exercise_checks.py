"""The checks of exercises: silent praise for no work, or for the plausible mistake, is none."""

import ast
import math

import nbformat
import pytest
import torch

from cvcourse import ops
from cvcourse.classroom.subjects import detecting
from cvcourse.classroom.subjects.regions import random_boxes
from cvcourse.models import FasterRCNN
from tests.lessons.notebooks import LESSONS


def cell(lesson, identity, *, functions_only=False, **names):
    """The names that a cell of a lesson defines, given those that it needs."""
    (path,) = (p for p in LESSONS if p.stem.startswith(f"{lesson}_"))
    cells = nbformat.read(path, as_version=4).cells
    (source,) = (c.source for c in cells if c.id == identity)
    tree = ast.parse(source)
    if functions_only:
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    exec(compile(tree, f"{lesson} {identity}", "exec"), names)
    return names


def test_the_cells_that_roipool_takes():
    names = cell("03b", "the-idea-in-pictures-2", functions_only=True, torch=torch)
    pixels = names["rounded_region"](torch.tensor([20.0, 20, 44, 44]), 8)
    assert pixels.tolist() == [24, 24, 56, 56]  # cells 3 to 6; the centre is 40 instead of 32


class TestUndoAFrame:
    @pytest.fixture
    def check(self):
        return cell("03b", "exercises-2", torch=torch)["check_undo"]

    def undone(self, theta, *, shift_first=True, transpose=False):
        back = theta[:, :, :2].mT if transpose else theta[:, :, :2].inverse()
        shift = back @ theta[:, :, 2:] if shift_first else theta[:, :, 2:]
        return torch.cat([back, -shift], 2)

    def test_right(self, check):
        assert check(self.undone) == "right"

    def test_no_work(self, check):
        assert check(lambda theta: None).startswith("not written yet")

    def test_the_shift_taken_off_last(self, check):
        told = check(lambda theta: self.undone(theta, shift_first=False))
        assert "before the scale" in told

    def test_a_transposed_matrix_for_the_inverse(self, check):
        assert "still scale" in check(lambda theta: self.undone(theta, transpose=True))

    def test_another_shape(self, check):
        assert "(2, 2, 2)" in check(lambda theta: self.undone(theta)[:, :, :2])


class TestFinalBoxes:
    @pytest.fixture
    def check(self):
        torch.manual_seed(0)
        model = FasterRCNN(5, backbone=detecting.small_backbone(), box_representation_size=8)
        names = {"torch": torch, "model": model.eval(), "random_boxes": random_boxes, "SIDE": 96}
        return cell("03", "exercises-2", **names)["check_final_boxes"]

    def final(self, names, moves, boxes, size, *, weights=(10, 10, 5, 5), together=False, first=1):
        p = names.softmax(1)
        region, label = (p[:, first:] > 0.05).nonzero(as_tuple=True)
        label = label + first
        found = ops.decode_boxes(moves[region, label], boxes[region], weights=weights)
        found, scores = ops.clip_boxes(found, size), p[region, label]
        kept = ops.batched_nms(found, scores, label * 0 if together else label, 0.5)[:100]
        return found[kept], scores[kept], label[kept]

    def test_right(self, check):
        assert check(self.final) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("not written yet")

    def test_background_reported(self, check):
        assert "background" in check(lambda *given: self.final(*given, first=0))

    def test_classes_suppress_each_other(self, check):
        assert "each class" in check(lambda *given: self.final(*given, together=True))

    def test_weights_of_the_offsets_forgotten(self, check):
        assert check(lambda *given: self.final(*given, weights=(1, 1, 1, 1))) != "right"


class TestMining:
    @pytest.fixture
    def check(self):
        def share_of_negatives(prior, count):
            no = -count * math.log1p(-prior)
            return no / (no - math.log(prior))

        names = {"torch": torch, "hardest": self.hardest, "share_of_negatives": share_of_negatives}
        return cell("04", "exercises-2", **names)["check_mining"]

    def hardest(self, loss, positive, ratio=3):
        order = loss.masked_fill(positive, -math.inf).argsort(descending=True)
        return positive.index_fill(0, order[: ratio * int(positive.sum())], True)

    def mine(self, loss, positive, undecided, ratio, *, few=True, whole=True):
        negative = ~positive & ~undecided
        order = loss.masked_fill(~negative, -math.inf).argsort(descending=True)
        count = ratio * (max(1, int(positive.sum())) if few else int(positive.sum()))
        count = min(count, int(negative.sum())) if whole else count
        return positive.index_fill(0, order[:count], True)

    def test_right(self, check):
        assert check(self.mine) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("not written yet")

    def test_undecided_anchors_taken_for_negatives(self, check):
        assert "undecided" in check(lambda loss, positive, _, ratio: self.hardest(loss, positive))

    def test_a_picture_without_objects_left_out(self, check):
        assert "without objects" in check(lambda *given: self.mine(*given, few=False))

    def test_a_place_in_the_order_taken_for_a_right_to_be_kept(self, check):
        assert "only one negative" in check(lambda *given: self.mine(*given, whole=False))

"""The checks of exercises: silent praise for no work, or for the plausible mistake, is none."""

import ast
import itertools
import math
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from unittest.mock import Mock

import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from cvcourse import losses, methods, models, ops
from cvcourse.classroom.subjects import chalk, detecting, foreground, gains, mixing
from cvcourse.classroom.subjects.cost import multiply_adds
from cvcourse.classroom.subjects.gains import gain_between
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


def greedy(boxes, scores, threshold):
    """Suppression with one table and a mask."""
    order = scores.argsort(descending=True)
    over = ops.box_iou(boxes[order], boxes[order]) > threshold
    fallen, kept = torch.zeros(len(boxes), dtype=torch.bool), []
    for i in range(len(boxes)):
        if not fallen[i]:
            kept.append(int(order[i]))
            fallen |= over[i]
    return torch.tensor(kept)


class TestSoftTargetsOnARing:
    @pytest.fixture
    def names(self):
        return cell("01", "exercises-2", torch=torch)

    def ring(self, number, k, sigma, power=2):
        d = (torch.arange(k) - number[:, None]).abs()
        d = torch.minimum(d, k - d)
        return (-(d**2) / (2 * sigma**power)).softmax(1)

    def test_right(self, names):
        assert names["check"](self.ring) == "right"

    def test_as_it_stands(self, names):
        assert names["check"](names["soft_targets"]).startswith("not yet: rows")

    def test_sigma_not_squared(self, names):
        told = names["check"](lambda number, k, sigma: self.ring(number, k, sigma, power=1))
        assert "with sigma 2" in told


class TestSharedOffset:
    @pytest.fixture
    def test(self):
        return chalk.canvases("test", 200, seed=0)

    @pytest.fixture
    def check(self, test):
        names = {"torch": torch, "chalk": chalk, "hit": chalk.hit, "distance": chalk.distance}
        formula = cell("01", "from-formula-to-code-4", torch=torch, SIDE=chalk.SIDE)
        reading = {name: formula[name] for name in ("bin_centres", "encode")} | {
            "torch": torch,
            "SIDE": chalk.SIDE,
        }
        reading["split"] = lambda o, k: (
            o.view(-1, k * k, 3)[..., 0],
            o.view(-1, k * k, 3)[..., 1:],
        )
        reading = cell("01", "build-it-6", functions_only=True, **reading)
        names |= {"decode": reading["decode"], "TEST": 200, "test": test}
        names |= {"fine_far": 2.5, "coarse_far": 4.5}
        return cell("01", "exercises-4", **names)["check_shared"]

    def outputs(self, test, share):
        """Those of a network that finds so large a share of the digits, and else the bin 0."""
        x, y = (test.centres[:, 0] * 4 / chalk.SIDE).long().T
        bins = torch.where(torch.arange(len(x)) < share * len(x), 4 * y + x, 0)
        offset = 0.05 * torch.randn(len(x), 2, generator=torch.Generator().manual_seed(0))
        return torch.cat([5 * F.one_hot(bins, 16), offset], 1)

    @pytest.mark.parametrize("share", [1, 0.5])  # well trained, and half way
    def test_right(self, check, test, share):
        assert check(self.outputs(test, share)).startswith("right")

    def test_no_work(self, check):
        assert check(torch.zeros(0, 18)).startswith("not yet: raw outputs")

    def test_untrained(self, check, test):
        assert "is it trained" in check(self.outputs(test, 0))

    def test_logits_last(self, check, test):
        assert "logits first" in check(self.outputs(test, 1).roll(2, 1))

    def test_offsets_of_nothing(self, check, test):
        outputs = self.outputs(test, 1)
        outputs[:, 16:] = 0
        assert "not in use" in check(outputs)


class TestSuppression:
    @pytest.fixture
    def names(self):
        corner = 20 * torch.rand(40, 2, generator=torch.Generator().manual_seed(0))
        given = {"crowd": torch.cat([corner, corner + 10], 1), "confidence": torch.rand(40)}
        return cell("02", "exercises-2", torch=torch, ops=ops, suppress=ops.nms, **given)

    def test_right(self, names):
        assert names["check_nms"](greedy) == "right"

    def test_as_it_stands_a_suppressed_box_suppresses(self, names):
        assert names["check_nms"](names["my_nms"]).endswith("of a chain of three you keep [0]")

    def test_places_in_the_order_and_not_boxes(self, names):
        def places(boxes, scores, threshold):
            order = scores.argsort(descending=True)
            return greedy(boxes[order], scores[order], threshold)

        assert "the crowd of 200 boxes is not" in names["check_nms"](places)

    def test_all_kept(self, names):
        told = names["check_nms"](lambda boxes, scores, _: scores.argsort(descending=True))
        assert told.startswith("not yet")


class TestFewerSizes:
    @pytest.fixture
    def check(self):
        given = {"methods": {"detector": None}, "test_targets": None, "objects": 4}
        given |= {"ranked": lambda *_: None, "curve": lambda *_: (None, [0.5, 0.75])}
        return cell("02", "exercise-experiment", **given)["check_recalls"]

    def test_right(self, check):
        told = check(((0.5, 1.0), (0.2, 0.9)))
        assert told == "possible: the small half lost 0.30, the large half 0.10"

    def test_no_work(self, check):
        assert check(None).startswith("not yet: measure")

    def test_after_before_before(self, check):
        assert check(((0.2, 0.9), (0.5, 1.0))).startswith("not yet: the mean of the first pair")


class TestBoxLoss:
    @pytest.fixture
    def check(self):
        pair = {"a": torch.tensor([[0.0, 0, 4, 4]]), "b": torch.tensor([[2.0, 1, 6, 5]])}
        return cell("02", "exercise-loss", torch=torch, **pair)["check_box_loss"]

    def test_right(self, check):
        assert check(lambda a, b: losses.generalized_box_iou_loss(a, b)) == "right"

    def test_no_work(self, check):
        assert check(lambda a, b: None).startswith("not yet: my_box_loss returns None")

    def test_a_table_of_all_pairs(self, check):
        assert "two pairs" in check(lambda a, b: 1 - ops.generalized_box_iou(a, b))

    def test_iou_alone(self, check):
        assert "1 - IoU" in check(lambda a, b: 1 - ops.box_iou(a, b).diagonal())

    def test_the_gain_and_not_the_loss(self, check):
        told = check(lambda a, b: ops.generalized_box_iou(a, b).diagonal())
        assert told.startswith("not yet: the pair by hand")


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

    def test_sides_of_the_picture_swapped(self, check):
        told = check(lambda *given: self.final(*given[:3], given[3][::-1]))
        assert "height first" in told or "instead of" in told

    def test_weights_of_the_offsets_forgotten(self, check):
        assert check(lambda *given: self.final(*given, weights=(1, 1, 1, 1))) != "right"


class TestMining:
    @pytest.fixture
    def check(self):
        return cell("04", "exercises-2", torch=torch, hardest=self.hardest)["check_mining"]

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


class TestPriorOfTheFirstLoss:
    @pytest.fixture
    def check(self):
        def share_of_negatives(prior, count):
            no = -count * math.log1p(-prior)
            return no / (no - math.log(prior))

        return cell("04", "exercises-1b", share_of_negatives=share_of_negatives)["check_prior"]

    def test_right(self, check):
        assert check(0.126, 0.0053) == "right"

    @pytest.mark.parametrize("given", [(None, None), (0.126, None)])
    def test_no_work(self, check, given):
        assert check(*given).startswith("not answered yet")

    @pytest.mark.parametrize("given", [(12.6, 0.0053), (0.126, 0), (0.126, 1)])
    def test_numbers_that_are_no_share_and_no_prior(self, check, given):
        assert "between 0 and 1" in check(*given)

    def test_the_prior_of_the_paper(self, check):
        assert "0.01, the paper's" in check(0.69, 0.0053)

    def test_a_share_of_anchors_taken_for_one_of_the_loss(self, check):
        assert "of the anchors" in check(0.999, 0.0053)

    def test_a_share_that_is_wrong(self, check):
        assert check(0.3, 0.0053).startswith("not yet")

    @pytest.mark.parametrize("half", [0.5, 0.001, 0.01])
    def test_a_prior_that_does_not_give_a_half(self, check, half):
        assert "for a half is not" in check(0.126, half)


class TestFalsePositivesAPicture:
    @pytest.fixture
    def check(self):
        return cell("04b", "exercises-1b", math=math)["check_counts"]

    def test_right(self, check):
        assert check(1, 0.75) == check(1.0, 3 / 4) == "right"

    @pytest.mark.parametrize("given", [(None, None), (1, None)])
    def test_no_work(self, check, given):
        assert check(*given).startswith("not answered yet")

    def test_counts_over_all_pictures(self, check):
        assert "each picture" in check(4, 3)

    def test_one_face_too_few(self, check):
        assert "the sixth" in check(0.75, 0.75)

    def test_a_window_that_equals_the_threshold_left_out(self, check):
        assert "exactly the threshold" in check(1, 0.5)

    def test_another_number(self, check):
        assert check(1.25, 0.75).startswith("not yet")


class TestSpreadOfMinedWindows:
    @pytest.fixture
    def check(self):
        return cell("04b", "exercises-2", torch=torch)["check_spread"]

    def spread(self, crops, count, *, centred=True, sign=True, guarded=True, least=0.8, back=9):
        x = crops.flatten(1)
        x = x - x.mean(1, keepdim=True) if centred else x
        length = x.norm(dim=1, keepdim=True)
        x = x / (length.clamp(min=1e-6) if guarded else length)
        alike = x @ x.T if sign else (x @ x.T).abs()
        taken = []
        for i in range(len(x)):
            if all(alike[i, j] <= least for j in taken[-back:]) and len(taken) < count:
                taken.append(i)
        return taken

    def test_right(self, check):
        assert check(self.spread) == "right"
        assert check(lambda *given: torch.tensor(self.spread(*given))) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("not written yet")

    def test_the_first_ones(self, check):
        assert "crop 2 is crop 0" in check(lambda crops, count: range(count))

    def test_no_mean_taken_away(self, check):
        assert "crop 2 is crop 0" in check(lambda *given: self.spread(*given, centred=False))

    def test_only_the_last_one_looked_at(self, check):
        assert "crop 2 is crop 0" in check(lambda *given: self.spread(*given, back=1))

    @pytest.mark.parametrize(("least", "crop"), [(0.95, "crop 4"), (0.5, "crop 5")])
    def test_another_threshold(self, check, least, crop):
        assert check(lambda *given: self.spread(*given, least=least)).startswith(crop)

    def test_compared_with_those_left_out_as_well(self, check):
        def wrong(crops, count):
            x = crops.flatten(1) - crops.flatten(1).mean(1, keepdim=True)
            x = x / x.norm(dim=1, keepdim=True).clamp(min=1e-6)
            alike = (x @ x.T).tril(-1)
            return (alike.amax(1) <= 0.8).nonzero()[:count, 0]

        assert "that was not taken" in check(wrong)

    def test_the_absolute_correlation(self, check):
        assert "-1, not above 0.8" in check(lambda *given: self.spread(*given, sign=False))

    def test_more_than_asked_for(self, check):
        assert "five at most" in check(lambda crops, count: self.spread(crops, 9))

    def test_a_flat_crop_divided_by_its_length(self, check):
        assert "flat crops" in check(lambda *given: self.spread(*given, guarded=False))


class TestWholeLoss:
    @pytest.fixture
    def check(self):
        return cell("15", "exercises-2", torch=torch, F=F)["check_whole_loss"]

    def loss(self, z, v, y, T, alpha):
        return losses.distillation_loss(z, v, T, y, alpha=alpha)

    def test_right(self, check):
        assert check(self.loss) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("to do")

    def test_plausible_mistakes(self, check):
        def exchanged(z, v, y, T, alpha):
            soft = losses.distillation_loss(v, z, T)
            return alpha * soft + (1 - alpha) * F.cross_entropy(z, y)

        def quiet(z, v, y, T, alpha):
            soft = losses.distillation_loss(z, v, T) / T**2
            return alpha * soft + (1 - alpha) * F.cross_entropy(z, y)

        assert check(exchanged) == "student and teacher are exchanged"
        assert check(quiet) == "T² is missing"
        assert "wrong by" in check(lambda z, v, y, T, alpha: 2 * self.loss(z, v, y, T, alpha))


class TestEnvironmentsForAnExam:
    @pytest.fixture
    def check(self):
        return cell("14", "exercises-2", torch=torch)["check_pinned"]

    def drawn(self, low, high, i, side, n, generator, *, share=None):
        share = (n, len(low)) if share is None else share
        drawn = low + torch.rand(share, generator=generator).double() * (high - low)
        drawn = drawn.expand(n, -1).clone()
        drawn[:, i] = (low if side == "low" else high)[i]
        return drawn

    def test_right(self, check):
        assert check(self.drawn) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("to do")

    def test_plausible_mistakes(self, check):
        assert "ties them together" in check(partial(self.drawn, share=(4000, 1)))
        assert "are drawn, too" in check(partial(self.drawn, share=(4,)))
        assert check(lambda *a: self.drawn(*a).float()).startswith("float64")
        assert "low end" in check(lambda low, high, i, *a: self.drawn(low, high, 0, *a))


class TestMimicOfAFinerMap:
    @pytest.fixture
    def check(self):
        generator = torch.Generator().manual_seed(0)
        return cell("15b", "exercises-2", torch=torch, losses=losses, g=generator)["check_mimic"]

    def cut(self, of, boxes, scale):
        return ops.roi_align(of, boxes, 5, scale, aligned=True)

    def test_right(self, check):
        def mine(ours, theirs, boxes):
            finer = theirs.shape[3] / ours.shape[3]
            return (self.cut(theirs, boxes, finer) - self.cut(ours, boxes, 1)).square().mean() / 2

        assert check(mine) == "right"
        assert check(lambda *a: 2 * mine(*a)).startswith("2 times too large")

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("to do")

    def test_one_scale_for_both(self, check):
        def mine(ours, theirs, boxes):
            return (self.cut(theirs, boxes, 1) - self.cut(ours, boxes, 1)).square().mean() / 2

        assert "another scale" in check(mine)


class TestShareOfNotesThatKeepTheirCluster:
    @pytest.fixture
    def check(self):
        return cell("30", "exercises-2", torch=torch)["check_share"]

    def counts(self, old, new, clusters):
        return torch.bincount(clusters * old + new, minlength=clusters**2).view(clusters, clusters)

    def test_right(self, check):
        def mine(old, new, clusters):
            counts = self.counts(old, new, clusters)
            ways = itertools.permutations(range(clusters))
            return max(sum(int(counts[i, c]) for i, c in enumerate(way)) for way in ways) / len(old)

        assert check(mine) == "right"

    def test_no_work(self, check):
        assert check(lambda old, new, clusters: None).startswith("to do")

    def test_names_as_they_are(self, check):
        assert "names do not" in check(lambda old, new, k: (old == new).double().mean())

    def test_many_to_one(self, check):
        def mine(old, new, clusters):
            return self.counts(old, new, clusters).max(1).values.sum() / len(old)

        assert "one to one" in check(mine)

    def test_the_best_pair_first(self, check):
        def mine(old, new, clusters):
            counts, kept = self.counts(old, new, clusters), 0
            for _ in range(clusters):
                best = int(counts.argmax())
                kept += int(counts.flatten()[best])
                counts[best // clusters] = counts[:, best % clusters] = -1
            return kept / len(old)

        assert "best pair first" in check(mine)
        assert "not 12" in check(lambda old, new, clusters: 1.0)


class TestDeepClusterWithoutLooks:
    @pytest.fixture
    def check(self):
        rows = {"DeepCluster": np.full(5, 0.85), "untrained": np.full(5, 0.55)}
        names = {"row": rows.get, "DEEP": "DeepCluster", "NONE": "untrained", "np": np}
        names["AUTHOR"] = {"without looks": np.array([0.7, 0.64, 0.76, 0.61])}
        return cell("30", "exercises-3b", **names)["check_looks"]

    def test_right(self, check):
        told = check(0.67)
        assert told.startswith("right: 40% of the gain are left")
        assert told.endswith("seeds 1 to 4: 50%, 30%, 70%, 20%")

    def test_no_work(self, check):
        assert check(None).startswith("to do")

    def test_looks_left_on(self, check):
        assert "look=False" in check(0.85)

    def test_the_untrained_network_probed(self, check):
        assert "the trunk that you trained" in check(0.55)


class TestLabelsOfTheSortingHalfWay:
    FIRST, HALF, LAST = torch.arange(12) % 4, torch.arange(12) // 3, torch.arange(12) % 3

    @pytest.fixture
    def check(self):
        names = {"trunk": "trunk", "DEEP": "DeepCluster", "NONE": "untrained", "EPOCHS": 2}
        scores = {"trunk": 0.8, "fresh": 0.825, "untrained": 0.58}
        names |= {"probed": lambda network, seed: scores[network]}
        names |= {"labelled": [self.FIRST, self.HALF, self.LAST], "run": SimpleNamespace(seed=0)}
        names["row"] = {"DeepCluster": np.full(5, 0.8), "untrained": np.full(5, 0.55)}.get
        names["nmi"] = methods.normalized_mutual_information
        names["AUTHOR"] = {"half-way": np.array([0.81, 0.79, 0.8, 0.85])}
        return cell("30", "exercises-4b", **names)["check_half"]

    def test_right(self, check):
        told = check(self.HALF.clone(), "fresh")
        assert told.startswith("right: +0.025 from")
        assert told.endswith("+0.010, -0.010, +0.000, +0.050")

    def test_no_work(self, check):
        assert check(None, None).startswith("to do")
        assert check(self.HALF, None).startswith("to do")

    def test_another_sorting(self, check):
        for labels in (self.FIRST, self.LAST):
            assert "take its own" in check(labels, "fresh")

    def test_the_network_of_deepcluster(self, check):
        assert "DeepCluster's own network" in check(self.HALF, "trunk")

    def test_an_untrained_network(self, check):
        assert "as untrained" in check(self.HALF, "untrained")


class TestWhoPullsAndWhoPushes:
    @pytest.fixture
    def check(self):
        return cell("31", "exercises-2", torch=torch, F=F)["check_push"]

    def slopes(self, z, partner, temperature):
        p = (z[1:] @ z[0] / temperature).softmax(0)
        p[partner - 1] -= 1
        return p

    def test_right(self, check):
        assert check(lambda z, i, t: self.slopes(z, i, t) / t) == "right"

    def test_no_work(self, check):
        assert check(lambda z, i, t: None).startswith("to do")

    def test_slope_of_the_logits(self, check):
        assert "divided by T" in check(self.slopes)

    def test_the_other_sign(self, check):
        assert "sign" in check(lambda z, i, t: -self.slopes(z, i, t) / t)

    def test_no_temperature_in_the_softmax(self, check):
        assert "partner 1: it is" in check(lambda z, i, t: self.slopes(z, i, 1.0) / t)

    def test_the_partner_forgotten(self, check):
        assert "partner 3: it is" in check(lambda z, i, t: self.slopes(z, 1, t) / t)


class TestTargetsOfAHistory:
    @pytest.fixture
    def check(self):
        return cell("32", "exercises-2", torch=torch)["check_te_targets"]

    def shares(self, history, alpha):
        return (1 - alpha) * alpha ** torch.arange(len(history) - 1, -1, -1.0)

    def test_right(self, check):
        def mine(history, alpha):
            shares = self.shares(history, alpha)
            return shares @ history / (1 - alpha ** len(history))

        assert check(mine) == "right"

    def test_no_work(self, check):
        assert check(lambda history, alpha: None).startswith("to do")

    def test_without_the_division(self, check):
        told = check(lambda history, alpha: self.shares(history, alpha) @ history)
        assert told == "divide by the sum of the weights"

    def test_the_oldest_weighs_most(self, check):
        def mine(history, alpha):
            shares = self.shares(history, alpha).flip(0)
            return shares @ history / shares.sum()

        assert "newest" in check(mine)
        assert "off by" in check(lambda history, alpha: history[0])


class TestAlignedPatches:
    @pytest.fixture
    def check(self):
        return cell("27", "exercises-2", torch=torch, PATCH=24)["check_aligned"]

    def mended(self, patches, *, back=-1, alike=False):
        made = patches.clone()
        for patch in made:  # by the peak of a cross-correlation that wraps round
            of = patches[0] if alike else patch
            peak = torch.fft.ifft2(torch.fft.fft2(of[0]) * torch.fft.fft2(of[2]).conj()).real
            rows, columns = divmod(int(peak.argmax()), 24)
            patch[0] = patch[0].roll((back * rows, back * columns), (0, 1))
        return made

    def test_right(self, check):
        assert check(self.mended) == "right"

    def test_no_work(self, check):
        assert check(lambda patches: None).startswith("to do")

    def test_red_moved_on(self, check):
        assert "minus the shift" in check(lambda patches: self.mended(patches, back=1))

    def test_one_shift_for_all(self, check):
        assert "a shift of its own" in check(lambda patches: self.mended(patches, alike=True))

    def test_other_channels_touched(self, check):
        assert "green and blue" in check(lambda patches: patches.flip(2))


class TestChoiceOfPseudoLabels:
    @pytest.fixture
    def check(self):
        names = {"torch": torch, "select_pseudo_labels": methods.select_pseudo_labels}
        return cell("32b", "exercises-2", **names)["check_choose"]

    def choice(self, t, least, each, *, repeat=True, descending=True):
        sure, label = t.max(1)
        kept = []
        for k in range(t.shape[1]):
            mine = ((label == k) & (sure > least)).nonzero()[:, 0]
            mine = mine[sure[mine].argsort(descending=descending)].tolist()
            count = each if repeat else min(each, len(mine))
            kept += [mine[i % len(mine)] for i in range(count)] if mine else []
        return kept

    def test_right(self, check):
        assert check(self.choice) == "right"

    def test_no_work(self, check):
        assert check(lambda t, least, each: None).startswith("to do")

    def test_unsure_ones(self, check):
        assert check(lambda t, least, each: self.choice(t, 0, 40)) == "some are not sure enough"

    def test_not_repeated(self, check):
        mine = lambda *given: self.choice(*given, repeat=False)  # noqa: E731
        assert check(mine).startswith("of the classes there are")

    def test_the_least_sure(self, check):
        mine = lambda *given: self.choice(*given, descending=False)  # noqa: E731
        assert "not the surest" in check(mine)
        assert "another order" in check(lambda *given: self.choice(*given)[::-1])


class TestAcceptedForARate:
    @pytest.fixture
    def check(self):
        return cell("43b", "exercises-2")["check_accepted"]

    def counts(self, rate, submitted, *, number=Fraction, up=math.ceil, half=True):
        last = number(1) / 10 ** len(rate.partition(".")[2]) / (2 if half else 1)
        low = up((number(rate) - last) * submitted / 100)
        high = math.floor((number(rate) + last) * submitted / 100)
        return (low, high) if low <= high else None

    def test_right(self, check):
        assert check(self.counts) == "right"

    def test_no_work(self, check):
        assert check(lambda rate, submitted: None).startswith("not written yet")

    def test_rounding_the_lower_end_down(self, check):
        assert check(lambda *given: self.counts(*given, up=math.floor)).startswith("25.2 %")

    def test_a_whole_place_to_either_side(self, check):
        assert check(lambda *given: self.counts(*given, half=False)).startswith("25.2 %")

    def test_an_empty_range(self, check):
        def mine(rate, submitted):
            return self.counts(rate, submitted) or (1, 0)

        assert "half a paper" in check(mine)


class TestHolesOfARow:
    @pytest.fixture
    def stepped(self):
        return cell("20", "formula-2", functions_only=True, torch=torch)["stepped"]

    @pytest.fixture
    def check(self, stepped):
        return cell("20", "exercises-2", torch=torch, stepped=stepped)["check_holes"]

    def landed(self, z, way):
        to = (torch.arange(len(z)) - way / z + 0.5).floor().long()
        return torch.isin(torch.arange(len(z)), to)

    def test_right(self, check):
        assert check(lambda z, way: ~self.landed(z, way)) == "right"

    def test_no_work(self, check):
        assert check(lambda z, way: None).startswith("to do")

    def test_the_wrong_way_and_the_wrong_columns(self, check):
        assert "camera that goes right" in check(lambda z, way: ~self.landed(z, -way))
        assert "that something lands on" in check(self.landed)

    def test_without_rounding(self, check):
        def mine(z, way):
            to = (torch.arange(len(z)) - way / z).long()
            return ~torch.isin(torch.arange(len(z)), to)

        assert "expected" in check(mine)

    def test_what_lands_beyond_an_end(self, check):
        def clamped(z, way):
            to = (torch.arange(len(z)) - way / z + 0.5).floor().long().clamp(0, len(z) - 1)
            return ~torch.isin(torch.arange(len(z)), to)

        def cut_off(z, way):
            to = (torch.arange(len(z)) - way / z + 0.5).long()
            return ~torch.isin(torch.arange(len(z)), to)

        assert "beyond an end" in check(clamped)
        assert "towards 0" in check(cut_off)


class TestNearestWithAThumbnail:
    @pytest.fixture
    def check(self):
        return cell("18", "exercises-2", torch=torch, F=F)["check_corrected"]

    def spread(self, missing, like):
        return F.interpolate(missing, like.shape[2:], mode="nearest")

    def test_right(self, check):
        def mine(pictures, low):
            missing = low - F.adaptive_avg_pool2d(pictures, low.shape[2:])
            return pictures + self.spread(missing, pictures)

        assert check(mine) == "right"
        assert "not the given one" in check(lambda *both: mine(*both).clamp(0, 1))

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("to do")

    def test_plausible_mistakes(self, check):
        def scaled(pictures, low):
            return pictures * self.spread(
                low / F.adaptive_avg_pool2d(pictures, low.shape[2:]), pictures
            )

        assert "nearer picture" in check(scaled)
        assert "nearer picture" in check(lambda pictures, low: self.spread(low, pictures))
        assert "8 × 12" in check(lambda pictures, low: pictures + (low - F.avg_pool2d(pictures, 4)))


class TestCoverageOfARow:
    @pytest.fixture
    def check(self):
        names = cell("40", "formula-3", torch=torch)
        return cell("40", "exercises-2", torch=torch, splat_row=names["splat_row"])[
            "check_coverage"
        ]

    def alphas(self, x, r, width):
        return (1 - (torch.arange(float(width))[:, None] - x).abs() / r).clamp(min=0)

    def test_right(self, check):
        assert check(lambda *row: 1 - (1 - self.alphas(*row)).prod(1)) == "right"

    def test_no_work(self, check):
        assert check(lambda *row: None).startswith("to do")

    def test_sums_and_a_radius_of_one(self, check):
        assert "more than all" in check(lambda *row: self.alphas(*row).sum(1))
        assert "0.92 together" in check(lambda *row: self.alphas(*row).sum(1).clamp(max=1))
        told = check(lambda x, r, width: 1 - (1 - self.alphas(x, 1.0, width)).prod(1))
        assert told.startswith("radius 1.7")


class TestHinge:
    @pytest.fixture
    def check(self):
        return cell("34", "exercises-2", torch=torch)["check_hinge"]

    def test_right(self, check):
        assert check(lambda r, m: (1 - r).relu().mean() + (1 + m).relu().mean()) == "right"
        assert check(lambda r, m: float((1 - r).relu().mean() + (1 + m).relu().mean())) == "right"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (lambda r, m: None, "to do"),
            (lambda r, m: (1 - r).relu(), "one number"),
            (lambda r, m: (1 - r).mean() + (1 + m).mean(), "costs 0, not less"),
            (lambda r, m: torch.cat([1 - r, 1 + m]).relu().mean(), "a mean of each side"),
            (lambda r, m: (1 + r).relu().mean() + (1 - m).relu().mean(), "got"),
        ],
    )
    def test_wrong(self, check, wrong, told):
        assert told in check(wrong)


class TestToldApart:
    @pytest.fixture
    def check(self):
        return cell("34", "exercises-6", functions_only=True, torch=torch)["check_told"]

    @staticmethod
    def share(x, y, itself=math.inf):
        both, mine = torch.cat([x, y]), torch.arange(len(x) + len(y)) < len(x)
        near = torch.cdist(both, both).fill_diagonal_(itself).argmin(1)
        return (mine[near] == mine).float().mean()

    def test_right(self, check):
        assert check(self.share) == "right"
        assert check(lambda x, y: self.share(x, y).item()) == "right"

    def test_no_work(self, check):
        assert check(lambda x, y: None).startswith("to do")

    def test_itself_is_not_left_out(self, check):
        assert "leave it out" in check(lambda x, y: self.share(x, y, itself=0.0))

    def test_one_crowd_only(self, check):
        assert "4/7" in check(lambda x, y: 1 / 3)


class TestSlerp:
    @pytest.fixture
    def check(self):
        return cell("35", "exercises-2", torch=torch)["check_slerp"]

    @staticmethod
    def norms(a, b):
        return a.norm(dim=-1, keepdim=True), b.norm(dim=-1, keepdim=True)

    @staticmethod
    def angle(x, y):
        return (x * y).sum(-1, keepdim=True).clamp(-1, 1).acos()

    @staticmethod
    def turned(x, y, share, angle):
        return (((1 - share) * angle).sin() * x + (share * angle).sin() * y) / angle.sin()

    @classmethod
    def slerp(cls, a, b, share, *, angle=None, length=torch.lerp):
        p, q = cls.norms(a, b)
        angle = cls.angle(a / p, b / q) if angle is None else angle(a, b)
        return cls.turned(a / p, b / q, share, angle) * length(p, q, share)

    def test_right(self, check):
        assert check(self.slerp) == "right"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (lambda a, b, t: None, "to do"),
            (lambda a, b, t: torch.lerp(a, b, t)[0], "one code for each pair"),
            (lambda a, b, t: torch.lerp(a, b, t), "straight line"),
            (lambda a, b, t: torch.lerp(a, b, t) * 0.9, "each pair's own θ"),
        ],
    )
    def test_wrong(self, check, wrong, told):
        assert told in check(wrong)

    def test_a_straight_line_of_directions(self, check):
        def function(a, b, t):
            p, q = self.norms(a, b)
            return F.normalize(torch.lerp(a / p, b / q, t)) * torch.lerp(p, q, t)

        assert "of the angle" in check(function)

    def test_an_angle_that_is_none_of_the_pair(self, check):
        def always_right(a, b):
            return torch.full((len(a), 1), math.pi / 2)

        def of_all(a, b):
            return self.angle(F.normalize(a), F.normalize(b)).mean()

        def of_the_first(a, b):
            return self.angle(F.normalize(a), F.normalize(b))[0]

        for angle in (always_right, of_all, of_the_first):
            assert "each pair's own θ" in check(partial(self.slerp, angle=angle))
        told = check(partial(self.slerp, angle=self.angle))
        assert "between the unit vectors" in told

    @pytest.mark.parametrize(
        "length",
        [
            lambda p, q, t: 1.0,
            lambda p, q, t: torch.lerp(q, p, t),
            lambda p, q, t: (p + q) / 2,
            lambda p, q, t: p ** (1 - t) * q**t,
        ],
    )
    def test_a_length_that_does_not_go_linearly(self, check, length):
        told = check(partial(self.slerp, length=length))
        assert "the length is" in told


class TestHowFarABlockLooks:
    @pytest.fixture
    def check(self):
        return cell("28", "exercises-2")["check_field"]

    def looks_at(self, layers, *, stride_first=False, strides=True):
        field = step = 1
        for side, stride in layers:
            if stride_first:
                step *= stride
            field += (side - 1) * step
            if strides and not stride_first:
                step *= stride
        return field

    def test_right(self, check):
        assert check(self.looks_at) == "right"

    def test_no_work(self, check):
        assert check(lambda layers: None).startswith("to do")

    def test_a_stride_before_its_layer(self, check):
        assert "only the layers after it" in check(lambda x: self.looks_at(x, stride_first=True))

    def test_strides_left_out(self, check):
        assert "two pixels each, 6, not 4" in check(lambda x: self.looks_at(x, strides=False))

    def test_sides_added_up(self, check):
        assert "5 pixels, not 6" in check(lambda layers: sum(side for side, _ in layers))


class TestTurnedFlow:
    @pytest.fixture
    def check(self):
        return cell("21", "exercises-3", torch=torch)["check_turned"]

    @staticmethod
    def moved(flow):
        return torch.rot90(flow, 1, (-2, -1))

    def test_right(self, check):
        assert (
            check(lambda f: torch.stack((self.moved(f)[:, 1], -self.moved(f)[:, 0]), 1)) == "right"
        )

    def test_wrong(self, check):
        assert "to do" in check(lambda f: None)
        assert "the numbers turn" in check(self.moved)
        assert "the picture turns" in check(lambda f: torch.stack((f[:, 1], -f[:, 0]), 1))
        assert "negative v" in check(
            lambda f: torch.stack((-self.moved(f)[:, 1], self.moved(f)[:, 0]), 1)
        )
        told = check(lambda f: torch.stack((-self.moved(f)[:, 1], -self.moved(f)[:, 0]), 1))
        assert "what went down" in told


class TestFiltersOfEarlierTasks:
    @pytest.fixture
    def check(self):
        return cell("33", "exercises-2", torch=torch)["check_reused"]

    @staticmethod
    def shares(used, *, since=0, divide=lambda of_task, frozen: of_task.sum()):
        found = []
        for task, of_task in enumerate(used):
            earlier = used[max(since and task - since, 0) : task]
            frozen = torch.stack(earlier).any(0) if task else torch.zeros_like(of_task)
            found.append(float((of_task & frozen).sum() / max(divide(of_task, frozen), 1)))
        return found

    def test_right(self, check):
        assert check(self.shares) == "right"
        assert check(lambda used: torch.tensor(self.shares(used))) == "right"

    def test_no_work(self, check):
        assert check(lambda used: None).startswith("to do")

    def test_the_task_before_alone(self, check):
        assert "not only the one before" in check(lambda used: self.shares(used, since=1))

    def test_another_divisor(self, check):
        divided = {"of all six": lambda a, b: len(a), "frozen so far": lambda a, b: b.sum()}
        for told, divide in divided.items():
            assert told in check(lambda used, divide=divide: self.shares(used, divide=divide))

    def test_nothing_by_nothing(self, check):
        assert "0 / 0" in check(lambda used: [*self.shares(used)[:3], math.nan])

    def test_its_own_filters(self, check):
        assert "its own filters" in check(lambda used: [float(x.any()) for x in used])


class TestColourfulness:
    @pytest.fixture
    def check(self):
        return cell("29", "exercises-2", torch=torch)["check_colourful"]

    @staticmethod
    def colourful(rgb, *, share=0.3, unbiased=False, root=True):
        red, green, blue = rgb.flatten(2).unbind(1)
        both = torch.stack([red - green, (red + green) / 2 - blue])
        spread = both.var(2, unbiased=unbiased).sum(0)
        return (spread.sqrt() if root else spread) + share * both.mean(2).norm(dim=0)

    def test_right(self, check):
        assert check(self.colourful) == "right"

    def test_no_work(self, check):
        assert check(lambda rgb: None).startswith("to do")

    def test_plausible_mistakes(self, check):
        assert "by their number" in check(partial(self.colourful, unbiased=True))
        assert "count 0.3" in check(partial(self.colourful, share=1.0))
        assert "the means" in check(partial(self.colourful, share=0.0))
        assert "the root" in check(partial(self.colourful, root=False))
        assert "none: 0" in check(lambda rgb: rgb.mean((1, 2, 3)))


class TestSharesByColour:
    @pytest.fixture
    def check(self):
        names = {"torch": torch, "fusion_weights": ops.fusion_weights}
        return cell("19", "exercises-2", **names)["check_by_colour"]

    @staticmethod
    def shares(weights, dim=0):
        return weights / weights.sum(dim, keepdim=True)

    def test_right(self, check):
        assert check(lambda x: self.shares(x.std(1, correction=0) + 1e-12)) == "right"

    def test_no_work(self, check):
        assert check(lambda x: None).startswith("to do")

    def test_plausible_mistakes(self, check):
        assert "they are all alike" in check(lambda x: self.shares(x.std(1)))
        assert "its root" in check(lambda x: self.shares(x.var(1) + 1e-12))
        assert "over the exposures" in check(lambda x: self.shares(x.std(1) + 1e-12, (1, 2)))
        assert "(3, 4, 5)" in check(lambda x: self.shares(x.std(1, keepdim=True) + 1e-12))
        assert "expected" in check(lambda x: self.shares(x.amax(1) - x.amin(1) + 1e-12))


class TestRestored:
    @pytest.fixture
    def check(self):
        return cell("19b", "exercises-2", torch=torch)["check_restored"]

    @staticmethod
    def wiener(blurred, factors, noise):
        below = factors.abs() ** 2 + noise
        return torch.where(below > 0, blurred * factors.conj() / below.clamp(min=1e-30), 0)

    def test_right(self, check):
        assert check(self.wiener) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("to do")

    def test_plausible_mistakes(self, check):
        assert "conjugate" in check(lambda y, h, n: y * h / (h.abs() ** 2 + n))
        assert "size squared" in check(lambda y, h, n: y / (h + n))
        assert "not yet" in check(lambda y, h, n: y * h.conj() / (h.abs() + n))
        assert "not yet" in check(lambda y, h, n: y / h)
        assert "0 / 0" in check(lambda y, h, n: y * h.conj() / (h.abs() ** 2 + n))


class TestFirstZeros:
    @pytest.fixture
    def check(self):
        return cell("19b", "exercises-1b")["check_answers"]

    def test_right(self, check):
        assert check("downwards", 1 / 12, 0.61 / 4, 2) == "right"
        assert check("downwards", 0.083, 0.15, 2) == "right"

    def test_no_work(self, check):
        assert check(None, None, None, None).startswith("to do")

    def test_plausible_mistakes(self, check):
        assert "across" in check("right", 1 / 12, 0.61 / 4, 2)
        assert "line: not" in check("downwards", 1 / 6, 0.61 / 4, 2)
        assert "line: not" in check("downwards", 1 / 24, 0.61 / 4, 2)
        assert "line: not" in check("downwards", 12, 0.61 / 4, 2)
        assert "ring: not" in check("downwards", 1 / 12, 0.61 / 8, 2)
        assert "ring: not" in check("downwards", 1 / 12, 1 / 4, 2)
        assert "half as many" in check("downwards", 1 / 12, 0.61 / 4, 0.5)


class TestEdgesByHand:
    @pytest.fixture
    def check(self):
        return cell("19c", "exercises-1b")["check_recall"]

    def test_right(self, check):
        assert check([2, 3.5, 1.5, 0], 0, 0.072) == "right"
        assert check(torch.tensor([2, 3.5, 1.5, 0]), 0, 0.72 * 0.1) == "right"

    def test_no_work(self, check):
        assert check(None, None, None).startswith("to do")
        assert check([2, 3.5, 1.5, 0], None, None).startswith("to do")

    def test_plausible_mistakes(self, check):
        assert "half of each" in check([4, 7, 3, 0], 0, 0.072)
        assert "one neighbour" in check([4, 3.5, 1.5, 0], 0, 0.072)
        assert "absolute" in check([2, 0.5, -1.5, 0], 0, 0.072)
        assert "neighbours are" in check([4, 3, 0], 0, 0.072)
        assert "both sides" in check([2, 3.5, 1.5, 0], 4, 0.072)
        assert "offset" in check([2, 3.5, 1.5, 0], 0, 0.032)
        assert "times what was added" in check([2, 3.5, 1.5, 0], 0, 0.72)


class TestFullEdges:
    @pytest.fixture
    def check(self):
        names = {"torch": torch, "edge_map": ops.edge_map}
        return cell("19c", "exercises-2", **names)["check_full_edges"]

    @staticmethod
    def edges(images, *, ends=True, absolute=True, half=0.5, join=torch.sum, axes=(2, 3)):
        total = torch.zeros_like(images[:, :1])
        for dim in axes:
            steps = images.diff(dim=dim)
            steps = join(steps.abs() if absolute else steps, 1, keepdim=True)
            first, last = steps.narrow(dim, 0, 1), steps.narrow(dim, -1, 1)
            if not ends:
                first, last = 0 * first, 0 * last
            before, after = torch.cat([first, steps], dim), torch.cat([steps, last], dim)
            total = total + half * (before + after)
        return total

    def test_right(self, check):
        assert check(self.edges) == "right"
        assert check(partial(ops.edge_map, border="full")) == "right"

    def test_the_hint(self, check):
        def hinted(images):
            across = F.pad(images.diff(dim=3).abs(), (1, 1, 0, 0), mode="replicate")
            down = F.pad(images.diff(dim=2).abs(), (0, 0, 1, 1), mode="replicate")
            twice = across[..., 1:] + across[..., :-1] + down[..., 1:, :] + down[..., :-1, :]
            return twice.sum(1, keepdim=True) / 2

        assert check(hinted) == "right"

    def test_no_work(self, check):
        assert check(lambda images: None).startswith("to do")

    def test_plausible_mistakes(self, check):
        assert "CEILNet's" in check(partial(self.edges, ends=False))
        assert "the absolute" in check(partial(self.edges, absolute=False))
        assert "half of each" in check(partial(self.edges, half=1.0))
        assert "half of each" in check(partial(self.edges, half=1.0, ends=False))
        assert "not their mean" in check(partial(self.edges, join=torch.mean))
        assert "both axes" in check(partial(self.edges, axes=(3,)))
        assert "one map" in check(lambda images: self.edges(images).expand(-1, 3, -1, -1))


class TestSlowMotion:
    @pytest.fixture
    def check(self):
        return cell("22", "exercises-3")["check_slow_motion"]

    @classmethod
    def frames(cls, between, first, second, times):
        if not times:
            return [first, second]
        middle = between(first, second)
        before = cls.frames(between, first, middle, times - 1)
        return before + cls.frames(between, middle, second, times - 1)[1:]

    def test_right(self, check):
        assert check(self.frames) == "right"
        assert check(lambda *asked: tuple(self.frames(*asked))) == "right"

    def test_wrong(self, check):
        assert "to do" in check(lambda *asked: None)
        assert "stands twice" in check(self.doubled)
        assert "not in the order" in check(lambda *asked: self.frames(*asked)[::-1])
        assert "5 frames, not 3" in check(lambda f, a, b, times: [a, f(a, b), b])
        assert "1, 2, 4, 8, 16" in check(lambda f, a, b, times: [a, f(a, b), f(a, b), f(a, b), b])
        assert "times = 0" in check(lambda f, a, b, times: self.twice_only(f, a, b))
        assert "1, 2, 4, 8, 16" in check(self.blended)

    @staticmethod
    def twice_only(between, first, second):
        if between is None:
            return [first]
        middle = between(first, second)
        return [first, between(first, middle), middle, between(middle, second), second]

    @staticmethod
    def blended(between, first, second, times):  # asks nobody
        return [first + (second - first) * i / 2**times for i in range(2**times + 1)]

    @classmethod
    def doubled(cls, between, first, second, times):
        middle = between(first, second)
        if times == 1:
            return [first, middle, second]
        return [
            *cls.doubled(between, first, middle, times - 1),
            *cls.doubled(between, middle, second, times - 1),
        ]


class TestTruncate:
    @pytest.fixture
    def check(self):
        return cell("36", "exercises-2", torch=torch)["check_truncate"]

    @staticmethod
    def drawn(ws, mean, psi, layers):
        return torch.cat([torch.lerp(mean.expand_as(ws), ws, psi)[:, :layers], ws[:, layers:]], 1)

    def test_right(self, check):
        assert check(self.drawn) == "right"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (lambda ws, mean, psi, layers: None, "to do"),
            (lambda ws, mean, psi, layers: ws[:, :layers], "one w for each layer"),
            (lambda ws, mean, psi, layers: mean + psi * (ws - mean), "stay as they were"),
            (lambda ws, mean, psi, layers: ws * torch.tensor([psi, psi, 1, 1])[:, None], "to 0"),
            (lambda ws, mean, psi, layers: TestTruncate.drawn(ws, mean, 1 - psi, layers), "ψ = 1"),
            (
                lambda ws, mean, psi, layers: TestTruncate.drawn(ws, ws.mean(1), psi, layers),
                "mean +",
            ),
        ],
    )
    def test_wrong(self, check, wrong, told):
        assert told in check(wrong)

    def test_in_place(self, check):
        def function(ws, mean, psi, layers):
            ws[:, :layers] = mean + psi * (ws[:, :layers] - mean)
            return ws

        assert "make a copy" in check(function)


class TestFront:
    @pytest.fixture
    def check(self):
        return cell("39", "exercises-2")["check_front"]

    @staticmethod
    def kept(costs, scores):
        points = list(zip(costs, scores, strict=True))
        unbeaten = [
            k for k, p in enumerate(points)
            if not any(c <= p[0] and s <= p[1] and (c, s) != p for c, s in points)
        ]  # fmt: skip
        return sorted(unbeaten, key=lambda k: costs[k])

    def test_right(self, check):
        assert check(self.kept) == "right"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (lambda costs, scores: None, "to do"),
            (lambda costs, scores: [min(range(len(costs)), key=lambda i: scores[i])], "cheapest"),
            (lambda costs, scores: list(range(len(costs))), "beaten"),
            (
                lambda costs, scores: [
                    i
                    for i in range(len(costs))
                    if not any(
                        c < costs[i] and s < scores[i] for c, s in zip(costs, scores, strict=True)
                    )
                ],
                "equal",
            ),
            (lambda costs, scores: TestFront.kept(costs, [-s for s in scores]), "smaller"),
            (lambda costs, scores: sorted(TestFront.kept(costs, scores)), "cheapest first"),
            (
                lambda costs, scores: [
                    k
                    for k in TestFront.kept(costs, scores)
                    if (costs[k], scores[k]) not in zip(costs[:k], scores[:k], strict=True)
                ],
                "twins",
            ),
        ],
    )
    def test_wrong(self, check, wrong, told):
        assert told in check(wrong)


class TestThereAndBack:
    @pytest.fixture
    def check(self):
        return cell("24b", "exercises-2", torch=torch)["check_agree"]

    @staticmethod
    def agree(there, back, *, inside=True, arrives=True, sign=1, limit=1):
        height, width = there.shape[1:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        x, y = (x + there[0]).long(), (y + there[1]).long()
        within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        if arrives:
            back = back[:, y.clamp(0, height - 1), x.clamp(0, width - 1)]
        near = (there + sign * back).square().sum(0) <= limit
        return near & within if inside else near

    def test_right(self, check):
        assert check(self.agree) == "right"

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"inside": False}, "left the picture"),
            ({"arrives": False}, "where the first motion arrives"),
            ({"sign": -1}, "opposite"),
            ({"limit": 0}, "up to one pixel"),
            ({"limit": 2}, "a length"),
        ],
    )
    def test_wrong(self, check, options, told):
        assert told in check(lambda there, back: self.agree(there, back, **options))

    def test_no_work(self, check):
        assert check(lambda there, back: None).startswith("to do")

    def test_x_and_y_exchanged(self, check):
        mine = lambda there, back: self.agree(there.flip(0), back.flip(0))  # noqa: E731
        assert "columns" in check(mine)

    def test_not_booleans(self, check):
        assert "True or False" in check(lambda there, back: there[0])


class TestRecall:
    @pytest.fixture
    def check(self):
        return cell("43", "exercises-1b")["check_recall"]

    def test_no_work(self, check):
        assert check(None, None, None).startswith("to do")

    def test_right(self, check):
        assert check(0, -5 / 8, 4) == "right"

    @pytest.mark.parametrize(
        ("row", "column", "feature", "said"),
        [
            (-1, -5 / 8, 4, "above and below"),
            (0, 5 / 8, 4, "left edge"),
            (0, -5 / 8, 5, "the target's map"),
            (0, -5 / 8, 7, "erased"),
        ],
    )
    def test_plausible_mistakes(self, check, row, column, feature, said):
        assert said in check(row, column, feature)


class TestFollowers:
    @pytest.fixture
    def check(self):
        return cell("43", "exercises-2", torch=torch)["check_followers"]

    def followers(self, points, places, *, offset=True, each=True):
        off = points[:, :, None] - places[:, None]  # (N, K, M, 2)
        if offset:
            off = off - off.median(0).values
        if not each:
            return off.mean(0).norm(dim=2).argmin(0)
        return off.norm(dim=3).median(0).values.argmin(0)

    def test_right(self, check):
        assert check(self.followers) == "right"

    def test_no_work(self, check):
        assert check(lambda points, places: None).startswith("to do")

    def test_distance_without_the_offset(self, check):
        mine = lambda *given: self.followers(*given, offset=False)  # noqa: E731
        assert "take each offset's median off" in check(mine)

    def test_means_of_places_alone(self, check):
        mine = lambda *given: self.followers(*given, offset=False, each=False)  # noqa: E731
        assert check(mine) != "right"

    def test_one_for_each_picture(self, check):
        assert "one index for each thing" in check(lambda points, places: places[..., 0].long())


class TestBestCut:
    @pytest.fixture
    def check(self):
        names = {"pipeline_schedule": methods.pipeline_schedule}
        return cell("24", "exercises-2", **names)["check_cut"]

    @staticmethod
    def tried(costs, units):
        cuts = itertools.combinations(range(1, len(costs)), units - 1)
        sizes = [[b - a for a, b in itertools.pairwise([0, *cut, len(costs)])] for cut in cuts]
        return min(sizes, key=lambda each: methods.pipeline_schedule(costs, each).period)

    @staticmethod
    def filled(costs, units):  # each up to the mean, as long as modules are left for the others
        sizes, load = [0], 0
        for i, cost in enumerate(costs):
            left, to_open = len(costs) - i, units - len(sizes)
            full = load + cost > sum(costs) / units
            if to_open and sizes[-1] and (full or left <= to_open):
                sizes.append(0)
                load = 0
            sizes[-1] += 1
            load += cost
        return sizes

    def test_right(self, check):
        assert check(self.tried) == "right"

    def test_wrong(self, check):
        assert check(lambda costs, units: None).startswith("to do")
        assert "in all: got" in check(lambda costs, units: [len(costs)] + [0] * (units - 1))
        assert "is possible" in check(self.filled)


class TestSeenAs:
    @pytest.fixture
    def check(self):
        return cell("23", "exercises-3")["check_seen_as"]

    @pytest.mark.parametrize(
        "right",
        [
            lambda degrees, stride: 180 - (180 - degrees * stride) % 360,
            lambda degrees, stride: -((180 - degrees * stride) % 360 - 180),
        ],
    )
    def test_right(self, check, right):
        assert check(right) == "right"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (lambda degrees, stride: None, "to do"),
            (lambda degrees, stride: degrees * stride, "like 60 back"),
            (lambda degrees, stride: degrees * stride % 360, "like 60 back"),
            (lambda degrees, stride: degrees, "not 60"),
            (lambda degrees, stride: (degrees * stride + 180) % 360 - 180, "here it is 180"),
            (lambda degrees, stride: abs((degrees * stride + 180) % 360 - 180), "not 60"),
        ],
    )
    def test_wrong(self, check, wrong, told):
        assert told in check(wrong)


class TestManyLovasz:
    @pytest.fixture
    def check(self):
        needs = {
            "torch": torch,
            "lovasz": cell("10", "from-formula-to-code-4", functions_only=True, torch=torch)[
                "lovasz"
            ],
        }
        return cell("10", "exercises-2", **needs)["check_many"]

    @staticmethod
    def loss(errors, foreground, *, descending=True, shared=False):
        errors, order = errors.sort(dim=1, descending=descending)
        truth = foreground.gather(1, order).float()
        total = foreground.sum() if shared else foreground.sum(1, keepdim=True)
        rises = torch.arange(1, errors.shape[1] + 1) / (total + (1 - truth).cumsum(1))
        return (errors * rises.diff(dim=1, prepend=torch.zeros(len(errors), 1))).sum(1)

    def test_right(self, check):
        assert check(self.loss) == "right"

    def test_as_it_stands(self, check):
        assert check(lambda errors, foreground: None).startswith("to do")

    def test_plausible_mistakes(self, check):
        assert "smallest" in check(partial(self.loss, descending=False))
        assert "without foreground" in check(partial(self.loss, shared=True))
        assert "shape (5,)" in check(lambda *given: self.loss(*given).mean())
        assert "whole rows" in check(lambda e, f: f[e.sort(dim=1, descending=True).indices])

    def test_rows_that_share_a_number_of_true_pixels(self, check):
        def mean_number(errors, foreground):
            fixed = self.loss(errors, foreground)
            return torch.where(foreground.any(1), fixed * 0.9, fixed)

        assert "its own" in check(mean_number)


class TestLightOfAnAnswer:
    @pytest.fixture
    def check(self):
        return cell("37", "exercises-2", torch=torch, F=F)["check_light"]

    @staticmethod
    def best(bright, normals, lit):
        return torch.linalg.lstsq(normals[lit], bright[lit, None]).solution[:, 0]

    def test_right(self, check):
        assert check(lambda *given: F.normalize(self.best(*given), dim=0)) == "right"

    def test_right_by_the_normal_equations(self, check):
        def function(bright, normals, lit):
            a, b = normals[lit], bright[lit]
            light = torch.linalg.solve(a.T @ a, a.T @ b)
            return light / light.norm()

        assert check(function) == "right"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (lambda bright, normals, lit: None, "to do"),
            (
                lambda *given: TestLightOfAnAnswer.best(*given)[:, None],
                "one light, (3,)",
            ),
            (lambda *given: TestLightOfAnAnswer.best(*given), "length 1"),
            (
                lambda bright, normals, lit: F.normalize(
                    TestLightOfAnAnswer.best(bright, normals, torch.ones_like(lit)), dim=0
                ),
                "in the dark say nothing",
            ),
            (
                lambda bright, normals, lit: normals[bright.argmax()],
                "another light",
            ),
        ],
    )
    def test_wrong(self, check, wrong, told):
        assert told in check(wrong)


class TestMasksAroundARegion:
    @pytest.fixture
    def check(self):
        return cell("38", "exercises-2", torch=torch, F=F, methods=methods)["check_masks"]

    @staticmethod
    def masks(features, level, region, *, pool=F.adaptive_max_pool2d, early=1, own=1, late=0):
        inside = [pool(region[:, None].float(), x.shape[2:]) for x in features]
        first = [early - m if early else m for m in inside[:level]]
        rest = [
            torch.full_like(m, value) for m, value in zip(inside[level:], (own, late), strict=True)
        ]
        return first + rest

    def test_right(self, check):
        assert check(self.masks) == "right"

    def test_right_by_the_package(self, check):
        assert check(methods.pyramid_masks) == "right"

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            ({"pool": F.adaptive_avg_pool2d}, "1 outside, 0 inside"),
            ({"early": 0}, "other way round"),
            ({"own": 0}, "told everywhere"),
            ({"late": 1}, "told nowhere"),
            (
                {"pool": lambda x, size: F.interpolate(x, size) * 0},
                "one pixel in the region is enough",
            ),
        ],
    )
    def test_wrong(self, check, changes, told):
        assert told in check(partial(self.masks, **changes))

    def test_untouched_and_of_another_shape(self, check):
        assert "to do" in check(lambda *given: None)
        assert "one mask for each map" in check(lambda *given: self.masks(*given)[:2])


class TestRecallOfStages:
    @pytest.fixture
    def check(self):
        return cell("38", "exercises-1b")["check_recall"]

    def test_right_by_the_formula(self, check):
        second = 0.5 * 1 + -0.5 * (1 - 1)
        half = 0.9 * 0.5 + second * (1 - 0.5)
        assert check(second, half, "zpc") == check(second, half, "cpz") == "right"

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ((None, None, ""), "to do"),
            ((0.5, 0.7, ""), "to do"),
            ((-0.5, 0.7, "zpc"), "what is behind"),
            ((0.9, 0.7, "zpc"), "what is behind"),
            ((0.5, 0.9, "zpc"), "the mean"),
            ((0.5, 0.7, "zbpc"), "first stage"),
            ((0.5, 0.7, "zc"), "missing"),
        ],
    )
    def test_wrong(self, check, given, told):
        assert told in check(*given)


class TestFourSources:
    @pytest.fixture
    def check(self):
        return cell("38b", "exercises-2", torch=torch)["check_mix"]

    @staticmethod
    def best(read, pose, ground, outline, paint, *, order=(0, 1, 2, 3), softmax=True):
        sources = [(pose, 0), (ground, 1), (outline, 2), (paint, 3)]
        return [read(x, softmax=softmax)[k] for x, k in (sources[i] for i in order)]

    def test_right(self, check):
        assert check(self.best) == "right"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (lambda *given: None, "to do"),
            (lambda *given: TestFourSources.best(*given)[:3], "four codes"),
            (lambda *given: TestFourSources.best(*given, order=(0, 2, 1, 3)), "of that place"),
            (
                lambda read, *four: [read(four[0], softmax=True)[k] for k in range(4)],
                "another picture than its own",
            ),
            (
                lambda read, pose, ground, outline, paint: TestFourSources.best(
                    read, pose, outline, ground, paint
                ),
                "another picture than its own",
            ),
            (lambda *given: TestFourSources.best(*given, softmax=False), "ask for softmax"),
        ],
    )
    def test_wrong(self, check, wrong, told):
        assert told in check(wrong)


class TestRecallOfDrawings:
    @pytest.fixture
    def check(self):
        return cell("38b", "exercises-1b")["check_recall"]

    def test_right_by_the_package(self, check):
        left, right = ((0.2, 0.5, -0.3), (0.4, 0.1, -0.3))
        picture = torch.empty(1, 3, 4, 6)
        picture[..., :3] = torch.tensor(left)[:, None, None]
        picture[..., 3:] = torch.tensor(right)[:, None, None]
        e, s = (f(picture)[0, 0, 1, 2].item() for f in (mixing.edges, mixing.drawn))
        assert check(round(e, 6), round(s, 6), "pz") == "right"

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ((None, None, ""), "to do"),
            ((0.4, 0.2, ""), "to do"),
            ((0.2, 0.6, "zp"), "changes most"),
            ((0.6, -0.2, "zp"), "largest step"),
            ((0.4, 0.6, "zp"), "white paper"),
            ((0.4, 0.2, "zpc"), "survive"),
            ((0.4, 0.2, "bc"), "survive"),
        ],
    )
    def test_wrong(self, check, given, told):
        assert told in check(*given)


class TestRecallOfFalseAlarms:
    @pytest.fixture
    def check(self):
        alarms = cell("43b", "formula-6", product=itertools.product, pairwise=itertools.pairwise)[
            "false_alarms"
        ]
        return cell("43b", "exercises-1b", false_alarms=alarms)["check_recall"]

    def test_right_by_counting(self, check):
        # of 1,000: 100 positives, 75 found, 25 false of 900; 400 positives, 300 found, 100 of 600
        times = (100 / 600) / (25 / 900)
        # equal alarms: 600 / 36 false, three times as many found, of 400
        assert check(times, 1 - 3 * (600 / 36) / 400) == "right"

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ((None, None), "to do"),
            ((6, None), "to do"),
            ((4, 0.875), "ratio of the shares"),
            ((5, 0.875), "another number"),
            ((6, 87.5), "between 0 and 1"),
            ((6, 0.125), "share found"),
            ((6, 0.25), "still differ"),
        ],
    )
    def test_wrong(self, check, given, told):
        assert told in check(*given)


class TestPicturesThatAgree:
    @pytest.fixture
    def check(self):
        return cell("43b", "exercises-4b", torch=torch, F=F)["check_agree"]

    @staticmethod
    def agree(large, small, mode="nearest"):
        rest = small - F.avg_pool2d(large, 2)
        return large + F.interpolate(rest, scale_factor=2, mode=mode)

    def test_right(self, check):
        assert check(self.agree) == "right"

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            (lambda large, small: None, "to do"),
            (lambda large, small: large.mul_(0.5), "has changed"),
            (lambda large, small: F.avg_pool2d(large, 2), "large picture's shape"),
            (lambda large, small: large, "not the small one"),
            (lambda large, small: F.interpolate(small, scale_factor=2), "details"),
            (lambda *given: TestPicturesThatAgree.agree(*given, mode="bilinear"), "not the small"),
        ],
    )
    def test_wrong(self, check, wrong, told):
        assert told in check(wrong)


class TestRecallOfSentences:
    @pytest.fixture
    def check(self):
        return cell("33b", "exercises-2", torch=torch)["check_recall_of_sentences"]

    @staticmethod
    def hits(s, owner, k):
        return owner[s.topk(k, 1).indices] == torch.arange(len(s))[:, None]

    def test_right(self, check):
        assert check(lambda *given: self.hits(*given).any(1).float().mean()) == "right"
        assert check(lambda *given: self.hits(*given).any(1).double().mean().item()) == "right"

    def test_no_work(self, check):
        assert check(lambda s, owner, k: None).startswith("to do")

    def test_precision(self, check):
        assert "precision" in check(lambda *given: self.hits(*given).double().mean())

    def test_two_hits_counted_twice(self, check):
        assert "counts once" in check(lambda *given: self.hits(*given).double().sum(1).mean())

    def test_only_one_sentence_each(self, check):
        def row_by_row(s, owner, k):
            places = (s > s.diagonal()[:, None]).sum(1)
            return (places < k).double().mean()

        assert "compare owner" in check(row_by_row)


class TestAlphaOfTwo:
    @pytest.fixture
    def check(self):
        return cell("20b", "exercises-2", torch=torch)["check_alpha_of_two"]

    @staticmethod
    def projected(image1, image2, wall1, wall2, *, alike=1.0):
        apart = wall1 - wall2
        size = apart.square().sum(1, keepdim=True)
        share = ((image1 - image2) * apart).sum(1, keepdim=True) / size.clamp(min=1e-12)
        return torch.where(size > 0, 1 - share, torch.full_like(share, alike)).clamp(0, 1)

    @staticmethod
    def colour_by_colour(image1, image2, wall1, wall2):
        return (1 - (image1 - image2) / (wall1 - wall2)).mean(1, keepdim=True)

    @staticmethod
    def by_lengths(image1, image2, wall1, wall2):
        across = (image1 - image2).abs().sum(1, keepdim=True)
        return 1 - 0.5 * across / (wall1 - wall2).abs().sum(1, keepdim=True)

    def test_right(self, check):
        assert check(self.projected) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("to do")

    def test_what_the_walls_still_show(self, check):
        assert "1 - alpha" in check(lambda *given: 1 - self.projected(*given))

    def test_a_share_for_each_colour(self, check):
        assert "before you divide" in check(self.colour_by_colour)

    def test_colours_left_apart(self, check):
        told = check(lambda *given: self.projected(*given).expand(-1, 3, -1, -1))
        assert "(1, 1, 1, 4)" in told

    def test_another_ratio(self, check):
        assert "project" in check(self.by_lengths)

    def test_walls_that_are_alike(self, check):
        assert "alike" in check(lambda *given: self.projected(*given, alike=0.0))

    def test_noise_that_leads_out_of_the_range(self, check):
        def unlimited(image1, image2, wall1, wall2):
            apart = wall1 - wall2
            size = apart.square().sum(1, keepdim=True)
            share = ((image1 - image2) * apart).sum(1, keepdim=True) / size.clamp(min=1e-12)
            return torch.where(size > 0, 1 - share, torch.ones_like(share))

        assert "limit" in check(unlimited)


class TestRoomAround:
    @pytest.fixture
    def check(self):
        def from_the_left(boxes, index, width):
            return methods.shift_boxes(boxes, index, width, "left")

        names = {"torch": torch, "methods": methods, "make_room": from_the_left}
        return cell("37b", "exercises-2", **names)["check_room"]

    @staticmethod
    def around(boxes, index, width, *, others=True, after=1):
        moved = boxes.clone()
        half = (width - int(boxes[index, 2] - boxes[index, 0])) // 2
        moved[(0 if others else index) : index + 1, ::2] -= half
        moved[index + 1 :, ::2] += after * half
        moved[index, 2] = moved[index, 0] + width
        return moved

    def test_right(self, check):
        assert check(self.around) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("to do")

    def test_the_left_side_kept(self, check):
        told = check(lambda boxes, index, width: methods.shift_boxes(boxes, index, width, "left"))
        assert "keeps the left side" in told

    def test_the_whole_change_after_the_letter(self, check):
        assert "whole change" in check(lambda *given: self.around(*given, after=2))

    def test_letters_before_it_kept(self, check):
        assert "give way" in check(lambda *given: self.around(*given, others=False))

    def test_boxes_changed_in_place(self, check):
        def in_place(boxes, index, width):
            return boxes.copy_(self.around(boxes, index, width))

        assert "clone" in check(in_place)


class TestLargestGap:
    @pytest.fixture
    def check(self):
        return cell("41", "exercises-2", torch=torch)["check_gap"]

    @staticmethod
    def gap(errors, others, at=None, order=torch.sort):
        errors, others = order(errors)[0].contiguous(), order(others)[0].contiguous()
        at = torch.cat([errors, others]) if at is None else at
        below = [torch.searchsorted(some, at) / len(some) for some in (errors, others)]
        return (below[0] - below[1]).abs().max()

    def test_right(self, check):
        assert check(self.gap) == "right"

    def test_no_work(self, check):
        assert check(lambda errors, others: None).startswith("to do")

    def test_unsorted(self, check):
        assert "sorted" in check(partial(self.gap, order=lambda some: (some,)))

    def test_on_a_grid(self, check):
        assert "not at a grid" in check(partial(self.gap, at=torch.arange(0, 1, 0.01)))

    def test_with_a_sign(self, check):
        def signed(errors, others):
            at = torch.cat([errors, others])
            return (
                (errors < at[:, None]).float().mean(1) - (others < at[:, None]).float().mean(1)
            ).max()

        assert "no sign" in check(signed)


class TestCeiling:
    @pytest.fixture
    def check(self):
        return cell("42", "exercises-2")["check_ceiling"]

    @staticmethod
    def same(options, answer, bag):
        return 1 / sum(bag(option) == bag(options[answer]) for option in options)

    def test_right(self, check):
        assert check(lambda o, a: self.same(o, a, lambda s: sorted(s.split()))) == "right"

    def test_no_work(self, check):
        assert check(lambda o, a: None).startswith("to do")

    def test_only_names_exchanged(self, check):
        told = check(lambda o, a: self.same(o, a, lambda s: sorted(s.split(" and "))))
        assert "the same words, too" in told

    def test_all_options_confused(self, check):
        assert "only options" in check(lambda o, a: 1 / len(o))

    def test_words_as_a_set(self, check):
        told = check(lambda o, a: self.same(o, a, lambda s: frozenset(s.split())))
        assert "how often" in told


class TestTilesOfAPicture:
    @pytest.fixture
    def check(self):
        return cell("08", "exercises-2", torch=torch, F=F, partial=partial)["check_tiles"]

    def in_tiles(self, model, image, tile, margin, *, alone=False, mode="reflect"):
        width = [margin] * 4
        rows = []
        for top in range(0, image.shape[-2], tile):
            row = []
            for left in range(0, image.shape[-1], tile):
                if alone:
                    window = image[..., top : top + tile, left : left + tile]
                    window = F.pad(window, width, mode=mode)
                else:
                    side = tile + 2 * margin
                    around = F.pad(image, width, mode=mode)
                    window = around[..., top : top + side, left : left + side]
                row.append(model(window))
            rows.append(torch.cat(row, -1))
        return torch.cat(rows, -2)

    def test_right(self, check):
        assert check(self.in_tiles) == "right"
        assert check(partial(models.overlap_tile, stride=1)) == "right"

    def test_no_work(self, check):
        assert check(lambda model, image, tile, margin: None).startswith("nothing yet")

    def test_each_tile_mirrored_by_itself(self, check):
        with pytest.raises(AssertionError, match="mirrored at a seam"):
            check(partial(self.in_tiles, alone=True))

    @pytest.mark.parametrize("mode", ["constant", "replicate"])
    def test_another_edge(self, check, mode):
        with pytest.raises(AssertionError, match="near the picture's edge"):
            check(partial(self.in_tiles, mode=mode))

    def test_no_tiles_at_all(self, check):
        with pytest.raises(AssertionError, match="tile \\+ 2 margin"):
            check(lambda m, x, tile, margin: m(F.pad(x, [margin] * 4, mode="reflect")))

    def test_rows_and_columns_exchanged(self, check):
        with pytest.raises(AssertionError, match="not a square"):
            check(lambda *given, **sizes: self.in_tiles(*given, **sizes).mT)

    def test_trainings_are_asked_for_until_they_are_there(self, capsys):
        rows = ("U-Net", "ridge of 40", "three classes")
        table = {f"{name}: F1": np.array([0.9, 0.91, 0.92]) for name in rows}
        cell("08", "exercises-5", gains=gains, table=table)
        assert capsys.readouterr().out.count("nothing yet") == 2


class TestWelcome:
    masks = torch.zeros(2, 6, 8, dtype=torch.bool)
    masks[0, 1:3, 2:7] = masks[1, 4, 0] = True

    @pytest.fixture
    def check_boxes(self):
        boxes = ops.masks_to_boxes(self.masks, inclusive=False)
        return cell("00", "exercises-2", torch=torch, instances=self.masks, boxes=boxes)[
            "check_boxes"
        ]

    def test_boxes(self, check_boxes):
        assert check_boxes(partial(ops.masks_to_boxes, inclusive=False)) == "right"
        assert check_boxes(lambda m: ops.masks_to_boxes(m, inclusive=False).long()) == "right"
        assert check_boxes(lambda masks: None).startswith("not written yet")
        told = check_boxes(partial(ops.masks_to_boxes, inclusive=True))
        assert "[3.0, 2.0, 3.0, 2.0]" in told
        assert "which edges" in told

    @pytest.fixture
    def check_gaps(self):
        images = torch.zeros(4, 1, 2, 2)
        images[:, 0, 0] = torch.tensor([1.0, -2, 3, -4])[:, None]
        objects = torch.zeros(4, 2, 2, dtype=torch.bool)
        objects[:, 0] = True
        scores = {"network": torch.tensor([0.9, 0.8, 0.7, 0.6]), "tuned pipeline": torch.zeros(4)}
        names = {"test": (images, objects), "scores": scores, "foreground": foreground}
        names |= {"gain_between": gain_between, "run": Mock()}
        return cell("00", "exercises-4", **names)["check_gaps"]

    def test_gaps(self, check_gaps):
        told = check_gaps({"faint": 0.85, "strong": 0.65})
        assert told.startswith("right")
        assert told.endswith("faint minus strong, 95 % interval over scenes: 0.10 to 0.30")
        assert check_gaps({"faint": 0.0, "strong": 0.0}).startswith("not filled yet")
        assert "must be 0.750" in check_gaps({"faint": 0.9, "strong": 0.9})
        signed = check_gaps({"faint": 0.7, "strong": 0.8})  # split by the sign: bright ones strong
        assert "signed contrast" in signed

    @pytest.fixture
    def check_dice(self):
        prediction = torch.tensor([[1, 1, 0], [1, 1, 0]]).bool()
        target = torch.tensor([[0, 1, 1], [0, 1, 0]]).bool()
        test = torch.stack([target, prediction])
        names = {"torch": torch, "prediction": prediction, "target": target, "test": (None, test)}
        names["answers"] = {"network": torch.stack([prediction, prediction])}
        scores = {"network": torch.tensor([0.4, 1.0]), "tuned pipeline": torch.zeros(2)}
        return cell("00", "exercises-6", scores=scores, **names)["check_dice"]

    def dice(self, prediction, target, twice=2, axes=(-2, -1)):
        shared = (prediction & target).sum(axes)
        return twice * shared / (prediction.sum(axes) + target.sum(axes))

    def test_dice(self, check_dice):
        assert check_dice(self.dice) == "right: network 0.79"
        assert check_dice(lambda prediction, target: None).startswith("not written yet")
        assert "made 0.286" in check_dice(partial(self.dice, twice=1))
        assert "for each scene" in check_dice(partial(self.dice, axes=None))


class TestFlipBack:
    @pytest.fixture
    def check(self):
        return cell("42b", "exercises-2", torch=torch)["check_flip_back"]

    def test_right(self, check):
        assert check(lambda maps, mirrored: maps.flip(3)[:, list(mirrored)]) == "right"

    def test_no_work(self, check):
        assert check(lambda maps, mirrored: None).startswith("to do")

    def test_hands_not_exchanged(self, check):
        assert "a left hand is a right one" in check(lambda maps, mirrored: maps.flip(3))

    def test_maps_not_turned(self, check):
        assert "turn them back" in check(lambda maps, mirrored: maps[:, list(mirrored)])

    def test_upside_down(self, check):
        told = check(lambda maps, mirrored: maps.flip(2)[:, list(mirrored)])
        assert "not above and below" in told


class TestInconsistency:
    @pytest.fixture
    def check(self):
        return cell("13", "exercises-2", torch=torch)["check_inconsistency"]

    def of(self, wins, clip=0.001, ratios=True):
        wins = wins.double().clamp(clip, 1 - clip)
        values = torch.linalg.eigvals(wins / wins.T if ratios else wins)
        return ((values.real.max() - len(wins)) / (len(wins) - 1)).item()

    def test_right(self, check):
        assert check(self.of) == "right"

    def test_no_work(self, check):
        assert check(lambda wins: None).startswith("to do")

    @pytest.mark.parametrize("clip", [0, 1e-9, 1e-4])
    def test_not_kept_away_from_0_and_1(self, check, clip):
        assert "keep the table within 0.001" in check(partial(self.of, clip=clip))

    def test_eigenvalues_of_the_wins(self, check):
        assert "of ratios" in check(partial(self.of, ratios=False))

    def test_not_divided(self, check):
        assert check(lambda wins: 2 * self.of(wins)).startswith("0.500 instead of 0.25")


class TestOneUpdateOfMeanField:
    @pytest.fixture
    def check(self):
        given = cell("11", "from-formula-to-code-2", functions_only=True)
        return cell("11", "exercises-1b", functions_only=True, torch=torch, **given)["check_update"]

    def test_right(self, check):
        own = [0.3 * math.exp(0.9), 0.7 * math.exp(0.1)]
        assert check([value / sum(own) for value in own]) == "right"

    def test_no_work(self, check):
        assert check().startswith("to do")

    def test_not_divided(self, check):
        assert "divide" in check([0.3 * math.exp(0.9), 0.7 * math.exp(0.1)])

    def test_a_vote_for_oneself(self, check):
        own = [0.3 * math.exp(1.2), 0.7 * math.exp(0.8)]
        assert "voted on itself" in check([value / sum(own) for value in own])

    def test_votes_for_the_other_label(self, check):
        own = [0.3 * math.exp(0.1), 0.7 * math.exp(0.9)]
        assert check([value / sum(own) for value in own]).startswith("not yet")


class TestPointsToTrainOn:
    @pytest.fixture
    def check(self):
        return cell("11", "exercises-2", functions_only=True, torch=torch)["check_choice"]

    def choice(self, candidates, doubt, anywhere, hard, *, sure=False):
        index = doubt.topk(hard, dim=1, largest=not sure).indices
        index = index[..., None].expand(-1, -1, 2)
        return torch.cat([candidates.gather(1, index), anywhere], 1)[:, : anywhere.shape[1]]

    def test_right(self, check):
        assert check(self.choice) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("to do")

    def test_the_surest(self, check):
        assert check(partial(self.choice, sure=True)).startswith("these are the surest")

    def test_the_first_candidates(self, check):
        torch.manual_seed(0)
        first = check(lambda c, _, a, hard: torch.cat([c[:, :hard], a], 1)[:, : a.shape[1]])
        assert first.startswith("not yet")


class TestWorkOfAChain:
    @pytest.fixture
    def check(self):
        names = {"torch": torch, "nn": torch.nn, "multiply_adds": multiply_adds}
        return cell("09", "exercises-2", **names)["check_work"]

    @staticmethod
    def work(layers, size, before=False, down=False, reach=False):
        total = 0
        for kernel, stride, dilation, given, made in layers:
            places = size // stride if down else -(-size // stride)
            taps = dilation * (kernel - 1) + 1 if reach else kernel
            total += taps**2 * given * made * (size if before else places) ** 2
            size = places
        return total

    def test_right(self, check):
        assert check(self.work) == "right"

    def test_no_work(self, check):
        assert check(lambda layers, size: None).startswith("to do")

    def test_plausible_mistakes(self, check):
        assert "before the stride" in check(partial(self.work, before=True))
        assert "half of 45" in check(partial(self.work, down=True))
        assert "dilation" in check(partial(self.work, reach=True))
        assert "is one, not two" in check(lambda *given: 2 * self.work(*given))
        assert "by hand" in check(lambda *given: 1 + self.work(*given))


class TestOwnPooling:
    @pytest.fixture
    def check(self):
        names = {"torch": torch, "F": F}
        return cell("07", "exercises-2", functions_only=True, **names)["check_pool"]

    @staticmethod
    def pool(x, size, row=None, of_cell=False):
        cells = x.unfold(0, size, size).unfold(1, size, size).flatten(2)
        values, place = cells.max(2)
        if of_cell:
            return values, place
        rows = size * torch.arange(x.shape[0] // size)[:, None] + place // size
        columns = size * torch.arange(x.shape[1] // size) + place % size
        return values, rows * (row or x.shape[1]) + columns

    def test_right(self, check):
        assert check(self.pool) == "right"

    def test_no_work(self, check):
        assert check(lambda x, size: None).startswith("nothing yet")

    def test_plausible_mistakes(self, check):
        with pytest.raises(AssertionError, match="within the cell"):
            check(partial(self.pool, of_cell=True))
        with pytest.raises(AssertionError, match="12 numbers"):
            check(partial(self.pool, row=8))
        with pytest.raises(AssertionError, match="maxima differ"):
            check(lambda x, size: (F.avg_pool2d(x[None], size)[0], None))


class TestSpreadOverMean:
    @pytest.fixture
    def check(self):
        return cell("36b", "exercises-2", torch=torch)["check_spread"]

    @staticmethod
    def of(lengths, widths, *, correction=0, relative=True, wide=True):
        spread = lengths.std(correction=correction) / (lengths.mean() if relative else 1)
        return spread, lengths.mean() * (widths.mean() if wide else 1)

    def test_right(self, check):
        assert check(self.of) == "right"

    def test_no_work(self, check):
        assert check(lambda *_: None).startswith("to do")

    def test_not_over_the_mean(self, check):
        assert "by the mean" in check(partial(self.of, relative=False))

    def test_divided_by_one_less(self, check):
        assert "N - 1" in check(partial(self.of, correction=1))

    def test_that_a_wider_w_changes(self, check):
        assert "multiply by the width" in check(
            lambda lengths, widths: self.of(lengths, 1 / widths)
        )

    def test_divided_by_the_width(self, check):
        def divided(lengths, widths):
            return self.of(lengths, widths)[0], lengths.mean() / widths.mean()

        assert "multiply by the width" in check(divided)

    def test_without_the_width(self, check):
        assert "multiply by the width" in check(partial(self.of, wide=False))

"""The checks of exercises in lessons 05, 06, 12: no praise for no work or a plausible mistake."""

import ast
import math

import nbformat
import numpy as np
import pytest
import torch
from torch import nn

from cvcourse import ops
from cvcourse.classroom.subjects.cost import multiply_adds
from cvcourse.classroom.subjects.detecting import STRIDES, small_backbone
from cvcourse.classroom.subjects.locations import surest
from cvcourse.classroom.subjects.outlines import drawn
from cvcourse.models import FCOS, FeaturePyramidNetwork
from cvcourse.models.detection.bifpn import BiFPNLayer, separable_conv
from cvcourse.models.instances import polarmask as polar
from cvcourse.ops import box_iou
from tests.lessons.notebooks import LESSONS


def functions(lesson, *identities, **names):
    """What cells of a lesson define, given the names that they need; nothing else is run."""
    (path,) = (p for p in LESSONS if p.stem.startswith(f"{lesson}_"))
    cells = {cell.id: cell.source for cell in nbformat.read(path, as_version=4).cells}
    for identity in identities:
        tree = ast.parse(cells[identity])
        tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        exec(compile(tree, f"{lesson} {identity}", "exec"), names)
    return names


class TestCentreSampling:
    @pytest.fixture
    def names(self):
        grid = [(24, 24), (12, 12), (6, 6)]
        cells = ops.anchor_grid(grid, STRIDES, [(s,) for s in STRIDES], [1.0], offset=0.0)
        options = {"backbone": small_backbone(), "anchor_sizes": STRIDES, "min_size": None}
        known = {
            "near": FCOS(5, **options),
            "centers": (cells[:, :2] + cells[:, 2:]) / 2,
            "units": cells[:, 2] - cells[:, 0],
            "counts": [height * width for height, width in grid],
            "target": {
                "boxes": torch.tensor([[0.0, 0, 40, 44], [30, 20, 58, 50], [4, 60, 20, 78]])
            },
        }
        given = {"torch": torch, "math": math, "ops": ops, "STRIDES": STRIDES, **known}
        return functions("05", "from-formula-to-code-2", "exercises-2", **given)

    def owner(self, names, *, near_first):
        def my_owner(x, y, level, boxes, radius):
            stride = STRIDES[level]
            low = 4 * stride if level > 0 else 0
            high = 8 * stride if level < 2 else math.inf
            candidates = []
            for i, box in enumerate(boxes):
                sides = names["distances"](x, y, box)
                middle = (box[:2] + box[2:]) / 2
                near = max(abs(x - middle[0]), abs(y - middle[1])) < radius * stride
                if sides.min() > 0 and low < sides.max() < high and (near or not near_first):
                    candidates.append((float(ops.box_area(box)), i, near))
            smallest = min(candidates, default=(0, -1, True))
            return smallest[1] if smallest[2] else -1

        return my_owner

    def test_right(self, names):
        assert names["check_owner"](self.owner(names, near_first=True)) == "right"

    def test_no_work(self, names):
        assert names["check_owner"](None).startswith("not yet")

    def test_the_smallest_chosen_before_it_is_asked_where_its_centre_is(self, names):
        with pytest.raises(AssertionError, match="a larger object, whose centre is here, was lost"):
            names["check_owner"](self.owner(names, near_first=False))


class TestPowers:
    group = torch.arange(60) % 20
    score, centerness, ious = np.random.default_rng(0).uniform(0.1, 1, (3, 60))

    @pytest.fixture
    def names(self):
        every = {"centerness": torch.tensor(self.centerness)}
        known = {"every": every, "score": torch.tensor(self.score), "ious": torch.tensor(self.ious)}
        powers = (0, 0.5, 1, 2, 4)
        return functions(
            "05", "exercises-4", **known, group=self.group, surest=surest, POWERS=powers
        )

    def told(self, rank):
        first = {p: [0.0] * 20 for p in (0, 0.5, 1, 2, 4)}
        for p, best in first.items():
            ranks = rank(p)
            for i in range(20):
                best[i] = self.ious[max(range(i, 60, 20), key=lambda j: ranks[j])]
        return {p: float(np.mean(best)) for p, best in first.items()}

    def test_right(self, names):
        told = self.told(lambda p: self.score * self.centerness**p)
        assert names["check_powers"](told).startswith("right")

    def test_no_work(self, names):
        assert names["check_powers"]().startswith("not yet")

    def test_a_power_of_the_product(self, names):
        with pytest.raises(AssertionError, match="does not change the order"):
            names["check_powers"](self.told(lambda p: (self.score * self.centerness) ** p))

    def test_a_power_of_the_class(self, names):
        with pytest.raises(AssertionError, match="which location of each object is first"):
            names["check_powers"](self.told(lambda p: self.score**p * self.centerness))


class TestTargetOfTheBranch:
    check = staticmethod(functions("05", "exercises-6", torch=torch)["check_target"])

    def overlap(self, said, true):
        boxes = [torch.cat([-d[:2], d[2:]])[None] for d in (said, true)]
        return box_iou(*boxes)[0, 0]

    def test_right(self):
        assert self.check(lambda said, true: self.overlap(said.detach(), true)) == "right"

    def test_no_work(self):
        assert self.check().startswith("not yet")

    def test_not_detached(self):
        with pytest.raises(AssertionError, match="detach it"):
            self.check(self.overlap)

    def test_sides_for_areas(self):
        with pytest.raises(AssertionError, match=r"the IoU is 0\.75"):
            self.check(lambda said, true: said.minimum(true).sum() / said.maximum(true).sum())


class TestRays:
    check = staticmethod(
        functions("12", "exercises-2", torch=torch, polar=polar, drawn=drawn)["check_rays"]
    )

    def rays(self, mask, centre, n, *, far=True):
        ends = []
        for angle in (2 * math.pi * i / n for i in range(n)):
            inside = []
            for step in range(4 * 150):
                x = math.floor(centre[0] + step / 4 * math.sin(angle))
                y = math.floor(centre[1] + step / 4 * math.cos(angle))
                within = 0 <= x < mask.shape[1] and 0 <= y < mask.shape[0]
                inside.append(bool(within and mask[y, x]))
            reached = [step / 4 for step, here in enumerate(inside) if here]
            ends.append((reached[-1] if far else inside.index(False) / 4) if reached else 0.0)
        return torch.tensor(ends)

    def test_right(self):
        assert self.check(self.rays) == "right"

    def test_no_work(self):
        assert self.check(lambda *_: None).startswith("to do")

    def test_the_near_side(self):
        with pytest.raises(AssertionError, match="ends at the far side"):
            self.check(lambda *given: self.rays(*given, far=False))

    def test_the_first_ray_to_the_right(self):
        with pytest.raises(AssertionError, match="the first ray points down"):
            self.check(lambda *given: self.rays(*given)[(9 - torch.arange(36)) % 36])

    def test_too_far(self):
        with pytest.raises(AssertionError, match="too far"):
            self.check(lambda *given: self.rays(*given) + 2)


class TestMultiplyAdds:
    @pytest.fixture
    def check(self):
        given = {"nn": nn, "torch": torch, "multiply_adds": multiply_adds}
        return functions("06", "exercises-2", **given, separable_conv=separable_conv)["check_count"]

    def count(self, conv, height, width):
        (stride, _), (padding, _), (size, _) = conv.stride, conv.padding, conv.kernel_size
        cells = [(side + 2 * padding - size) // stride + 1 for side in (height, width)]
        return conv.weight.numel() * cells[0] * cells[1]

    def test_right(self, check):
        assert check(self.count) == "right"

    def test_no_work(self, check):
        assert check(None).startswith("not yet")

    def test_groups_forgotten(self, check):
        with pytest.raises(AssertionError, match="each filter sees only its group"):
            check(lambda conv, *size: self.count(conv, *size) * conv.groups)

    def test_input_cells_for_output_cells(self, check):
        with pytest.raises(AssertionError, match="count output cells"):
            check(lambda conv, height, width: conv.weight.numel() * height * width)


class TestNodesAndArrows:
    @pytest.fixture
    def check(self):
        given = {"nn": nn, "BiFPNLayer": BiFPNLayer}
        return functions("06", "exercises-1b", **given)["check_round"]

    def test_right(self, check):
        assert check(lambda n: 2 * (n - 1), lambda n: 5 * n - 6) == "right"

    def test_no_work(self, check):
        assert check().startswith("not yet")

    def test_a_node_on_every_level_twice(self, check):
        with pytest.raises(AssertionError, match="single input are dropped"):
            check(lambda n: 2 * n, lambda n: 5 * n - 6)

    def test_three_inputs_at_the_coarsest_level(self, check):
        with pytest.raises(AssertionError, match="last node on the way back"):
            check(lambda n: 2 * (n - 1), lambda n: 5 * n - 5)

    def test_the_shortcut_forgotten(self, check):
        with pytest.raises(AssertionError, match="arrows: not for 3 levels"):
            check(lambda n: 2 * (n - 1), lambda n: 4 * n - 4)


class TestNeckOfSeparableBlocks:
    @staticmethod
    def neck(build):
        class Neck(FeaturePyramidNetwork):
            def __init__(self, in_channels, channels, norm):
                super().__init__(in_channels, channels, norm=norm)
                self.layer_blocks = nn.ModuleList(build(channels, norm) for _ in in_channels)

        return Neck

    @pytest.fixture
    def check(self):
        given = {"nn": nn, "MAPS": (16, 32, 64)}
        given["maps"] = [torch.rand(2, c, 24 >> i, 24 >> i) for i, c in enumerate(given["MAPS"])]
        given["parameters"] = lambda network: sum(p.numel() for p in network.parameters())
        return functions("06", "exercises-6", **given)["check_neck"]

    def test_right(self, check):
        right = self.neck(lambda c, norm: nn.Sequential(separable_conv(c, c), norm(c)))
        assert check(right).startswith("right")

    def test_no_work(self, check):
        assert check(None).startswith("not yet")

    def test_no_norms(self, check):
        with pytest.raises(AssertionError, match="10,720; 10,720 lack norms"):
            check(self.neck(lambda c, norm: separable_conv(c, c)))

    def test_the_plain_neck(self, check):
        with pytest.raises(AssertionError, match="48,160"):
            check(FeaturePyramidNetwork)

"""Small networks for crooked digits, drawn by five rules; and grey squares: for lesson 41.

All networks have three stages of 1 to 3 X blocks behind a stem of 8 channels; what costs more or
less than `WINDOW` is drawn again. Each rule is a part of the one before:

    A             each stage has a depth, a width, a bottleneck and a group width of its own
    C             all stages share the bottleneck and the group width
    D             and no width falls from one stage to the next
    RegNet        and depths and widths come from a straight line
    RegNet, b 1   and there is no bottleneck

A, C and D are AnyNetX_A, _C and _D (Radosavovic et al. 2020, arXiv:2003.13678).
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from cvcourse.classroom.device import fewer
from cvcourse.data import digits, pictures
from cvcourse.methods import complexity, draw_anynet, draw_line, sample_designs
from cvcourse.methods.design_space import Complexity, Design
from cvcourse.models import AnyNet, cifar_stem, quantized_widths

RULES = ("A", "C", "D", "RegNet", "RegNet, b 1")
FREE = {"stages": 3, "depths": (1, 3), "widths": (8, 64), "group_widths": (1, 2, 4, 8, 16)}
LINES = {"depth": (3, 9), "w_0": (8, 32), "w_a": (2, 24), "w_m": (1.5, 3)}
WINDOW = (0.1e6, 0.2e6)  # multiply-adds
PICTURES = {
    "train": ("astronaut", "chelsea", "coins", "brick", "grass"),
    "test": ("coffee", "rocket", "gravel"),
}


def crooked(split: str, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """(images (count, 3, 8, 8), labels): digits turned and moved by chance, with noise."""
    images, labels = digits.load(split, size=8)
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(images), generator=generator)[:count]
    images, labels = images[chosen], labels[chosen]
    draw = torch.rand(3, len(images), generator=generator) * 2 - 1
    angle, moved = 0.4 * draw[0], 0.25 * draw[1:]
    rows = [[angle.cos(), -angle.sin(), moved[0]], [angle.sin(), angle.cos(), moved[1]]]
    theta = torch.stack([torch.stack(row, 1) for row in rows], 1)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, align_corners=False)
    noisy = images + 0.15 * torch.randn(images.shape, generator=generator)
    return noisy.expand(-1, 3, -1, -1).contiguous(), labels


def draw(rule: str, generator: torch.Generator) -> Design:
    """One network of a rule, whatever it costs.

    Raises ValueError for a rule that is not in RULES.
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {RULES}, got {rule!r}")
    if not rule.startswith("RegNet"):
        return draw_anynet(rule, **FREE, generator=generator)
    line = draw_line(**LINES, generator=generator)
    depths, widths = quantized_widths(line.depth, line.w_0, line.w_a, line.w_m)
    design = draw_anynet("C", **FREE, generator=generator)  # for its groups and its bottleneck
    narrow = [1.0] * len(depths) if rule.endswith("b 1") else design.bottlenecks
    return design._replace(depths=depths, widths=widths, bottlenecks=narrow)


def network(design: Design) -> AnyNet:
    return AnyNet(10, **design._asdict(), strides=(1, 2, 2), stem=cifar_stem, stem_width=8)


def cost_of(design: Design) -> Complexity:
    with torch.device("meta"):
        return complexity(network(design), torch.empty(1, 3, 8, 8))


def fits(design: Design) -> bool:
    """Whether it is in the window, and a network of A: three stages, none larger than A's."""
    if len(design.depths) != 3 or max(design.depths) > 3 or max(design.widths) > 64:
        return False
    return WINDOW[0] <= cost_of(design).flops <= WINDOW[1]


def drawn(rule: str, seed: int) -> tuple[Design, float]:
    """The network of a rule that a seed gives, and the share of draws that were in the window."""
    generator = torch.Generator().manual_seed(seed)
    (design,), share = sample_designs(partial(draw, rule, generator), 1, fits)
    return design, share


def train(design: Design, seed: int, epochs: int = 10) -> AnyNet:
    """A network that has learnt 1,157 crooked digits."""
    images, labels = crooked("train", 1157, seed=0)
    torch.manual_seed(seed)
    net = network(design).train()
    recipe = {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4}
    optimizer = torch.optim.SGD(net.parameters(), 0.1, **recipe)
    steps = epochs * (len(images) // 64)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(fewer(epochs, 1)):
        for batch in torch.randperm(len(images)).split(64)[:-1]:
            loss = F.cross_entropy(net(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return net.eval()


@torch.no_grad()
def share_wrong(net: AnyNet, split: str) -> float:
    """Of 382 held-out digits ("test"), or of those that `train` learns from ("train")."""
    images, labels = (
        crooked(split, 382, seed=1) if split == "test" else crooked(split, 1157, seed=0)
    )
    return (net(images).argmax(1) != labels).float().mean().item()


def one_of_each(seed: int, rules: Sequence[str] = RULES) -> dict[str, float]:
    """One network of each rule, trained: errors, cost, and of how many draws it is the first."""
    numbers = {}
    for rule in rules:
        design, share = drawn(rule, seed)
        net = train(design, seed)
        numbers |= {rule: share_wrong(net, "test"), f"{rule} seen": share_wrong(net, "train")}
        numbers |= {f"{rule} drawn": 1 / share, f"{rule} cost": cost_of(design).flops}
    return numbers


def grey_squares(
    split: str, per_picture: int, generator: torch.Generator, size: int = 20
) -> Tensor:
    """(n, 1, size, size) in 0 to 1: pieces from everywhere in the photographs of a split."""
    found = []
    for name in PICTURES[split]:
        grey = pictures.load(name).mean(0, keepdim=True)
        for _ in range(per_picture):
            y, x = (
                int(torch.randint(n - size + 1, (), generator=generator)) for n in grey.shape[1:]
            )
            found.append(grey[:, y : y + size, x : x + size])
    return torch.stack(found)

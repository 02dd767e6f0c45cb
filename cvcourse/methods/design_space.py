"""Design spaces: compare populations of networks, not single ones (Radosavovic 2020, 2003.13678).

    space ─ draw ─ keep what costs about the same ─ train each a little ─ distribution of errors

A space is better than another if its distribution lies to the left; then the next principle. The
comparison of distributions is Radosavovic et al. 2019, "On Network Design Spaces", 1905.13214. The
networks themselves are the caller's, `AnyNet` and `RegNet` of `cvcourse.models`.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.ops._checks import check_positive, check_tensor

SPACES = ("A", "B", "C", "D", "E")
Drawn = TypeVar("Drawn")


class Design(NamedTuple):
    """The free numbers of an AnyNet, one a stage: `AnyNet(**design._asdict())`."""

    depths: list[int]
    widths: list[int]
    group_widths: list[int]
    bottlenecks: list[float]


class Line(NamedTuple):
    """The free numbers of a RegNet: `RegNet(**line._asdict())`."""

    depth: int
    w_0: int
    w_a: float
    w_m: float
    group_width: int


class Complexity(NamedTuple):
    flops: int
    params: int
    acts: int


def complexity(model: nn.Module, *inputs: Tensor) -> Complexity:
    """What `model(*inputs)` costs, counted as pycls counts.

    `flops` are multiply-adds of convolutions and linear layers, and an addition for each bias;
    `params` the parameters; `acts` the outputs of convolutions, linear layers and pools that
    overlap, which predict time on a GPU better than the arithmetic does. Model and inputs may be on
    the `meta` device. A convolution whose kernel is mixed within the network is not seen.
    """
    flops = acts = 0

    def count(layer, _, output):
        nonlocal flops, acts
        acts += output.numel()
        if isinstance(layer, nn.Conv2d | nn.Linear):
            bias = 0 if layer.bias is None else 1
            flops += output.numel() * (layer.weight[0].numel() + bias)

    kinds = (nn.Conv2d, nn.Linear, nn.MaxPool2d)
    hooks = [m.register_forward_hook(count) for m in model.modules() if isinstance(m, kinds)]
    training = {m: m.training for m in model.modules()}
    try:
        with torch.no_grad():
            model.eval()(*inputs)
    finally:
        for hook in hooks:
            hook.remove()
        for module, was in training.items():
            module.training = was
    return Complexity(flops, sum(p.numel() for p in model.parameters()), acts)


def draw_anynet(
    space: str = "A",
    *,
    stages: int = 4,
    depths: tuple[int, int] = (1, 16),
    widths: tuple[int, int] = (8, 1024),
    bottlenecks: Sequence[int] = (1, 2, 4),
    group_widths: Sequence[int] = (1, 2, 4, 8, 16, 32),
    generator: torch.Generator | None = None,
) -> Design:
    """One network of AnyNetX_A ... AnyNetX_E.

    Args:
        space: "A" leaves all free; "B" has one bottleneck ratio for all stages, "C" one group width
            too, "D" widths that do not fall, "E" depths that do not fall.
        stages: how many.
        depths, widths: least and largest, drawn uniformly in the logarithm; widths are multiples
            of 8.
        bottlenecks, group_widths: choices. A ratio b gives a 3×3 of width / b channels.
        generator: source of the random numbers; the same seed gives the same network.

    Groups need not divide: `AnyNet` moves the widths to where they do.
    """
    if space not in SPACES:
        raise ValueError(f"space must be one of {', '.join(SPACES)}, got {space!r}")
    rank = SPACES.index(space)
    d = [_log_uniform(*depths, 1, generator) for _ in range(stages)]
    w = [_log_uniform(*widths, 8, generator) for _ in range(stages)]
    b = _choices(bottlenecks, stages, rank < 1, generator)
    g = _choices(group_widths, stages, rank < 2, generator)
    w = sorted(w) if rank >= 3 else w
    d = sorted(d) if rank >= 4 else d
    return Design(d, w, g, [1 / ratio for ratio in b])


def draw_line(
    *,
    depth: tuple[int, int] = (12, 28),
    w_0: tuple[int, int] = (8, 256),
    w_a: tuple[float, float] = (8, 256),
    w_m: tuple[float, float] = (2, 3),
    group_width: tuple[int, int] = (8, 128),
    generator: torch.Generator | None = None,
) -> Line:
    """The numbers of one RegNetX: pycls' ranges by default, uniform in the logarithm but `depth`.

    w_0 and the group width are multiples of 8, w_a of 0.1, w_m of 0.001.
    """
    return Line(
        int(depth[0] + _random(generator) * (depth[1] + 1 - depth[0])),
        _log_uniform(*w_0, 8, generator),
        _log_uniform(*w_a, 0.1, generator),
        _log_uniform(*w_m, 0.001, generator),
        _log_uniform(*group_width, 8, generator),
    )


def sample_designs(
    draw: Callable[[], Drawn],
    n: int,
    accept: Callable[[Drawn], bool] = lambda design: True,
    *,
    most: int = 100_000,
) -> tuple[list[Drawn], float]:
    """`n` designs that `accept` takes, and the share that it took of those drawn.

    Report the share: what is compared are the spaces *within* the condition.

    Raises ValueError for n below 1, or when `most` draws were not enough.
    """
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    kept = []
    for drawn in range(1, most + 1):
        design = draw()
        if accept(design):
            kept.append(design)
        if len(kept) == n:
            return kept, n / drawn
    raise ValueError(f"accept: expected to take {n} of {most} designs, took {len(kept)}")


def error_distribution(
    errors: Float[Tensor, " models"], at: Float[Tensor, " points"]
) -> Float[Tensor, " points"]:
    """F(e) = share of models whose error is below e, for each e of `at`; float64."""
    errors, at = _checked(errors).double(), _vector("at", at).double()
    return torch.searchsorted(errors.sort()[0], at.contiguous()) / len(errors)


def error_band(
    errors: Float[Tensor, " models"],
    at: Float[Tensor, " points"],
    *,
    n: int = 1000,
    level: float = 0.95,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, " points"], Float[Tensor, " points"]]:
    """(low, high) of `error_distribution` at each point, by the bootstrap over models.

    Of each point by itself, not of the whole curve at once. The band is about which models were
    drawn, with their errors as they are.
    """
    errors = _checked(errors).double()
    _check_draws(n, level)
    picked = errors[_resample(n, len(errors), len(errors), generator, errors.device)].sort(1)[0]
    points = _vector("at", at).double().expand(n, -1).contiguous()
    shares = torch.searchsorted(picked, points) / len(errors)
    tail = shares.new_tensor([(1 - level) / 2, (1 + level) / 2])
    low, high = torch.quantile(shares, tail, dim=0)
    return low, high


def good_range(
    values: Float[Tensor, " models"],
    errors: Float[Tensor, " models"],
    *,
    n: int = 2500,
    share: float = 0.25,
    level: float = 0.95,
    generator: torch.Generator | None = None,
) -> tuple[float, float, float]:
    """(low, median, high) of a number of the design among the best: pycls' empirical bootstrap.

    `n` times a `share` of the models is drawn with replacement and the best one's value kept.
    """
    errors, values = _checked(errors).double(), _vector("values", values).double()
    if len(values) != len(errors):
        raise ValueError(f"values must be {len(errors)}, one for each error, got {len(values)}")
    _check_draws(n, level)
    if not 0 < share <= 1:
        raise ValueError(f"share must lie in (0, 1], got {share}")
    size = max(1, int(share * len(errors)))
    rows = _resample(n, size, len(errors), generator, errors.device)
    best = rows.gather(1, errors[rows].argmin(1, keepdim=True))[:, 0]
    tail = values.new_tensor([(1 - level) / 2, 0.5, (1 + level) / 2])
    low, median, high = torch.quantile(values[best], tail).tolist()
    return low, median, high


def _random(generator: torch.Generator | None) -> float:
    return torch.rand((), generator=generator, device="cpu", dtype=torch.float64).item()


def _log_uniform(low: float, high: float, unit: float, generator):
    """Uniform in the logarithm, then to the nearest multiple of `unit`."""
    check_positive("the least", low)
    value = math.exp(math.log(low) + _random(generator) * (math.log(high) - math.log(low)))
    steps = max(1, round(value / unit))
    return steps * unit if isinstance(unit, int) else round(steps * unit, 6)


def _choices(options: Sequence[int], count: int, each: bool, generator) -> list[int]:
    """One option for each of `count`, or the same for all."""
    drawn = [options[int(_random(generator) * len(options))] for _ in range(count)]
    return drawn if each else drawn[:1] * count


def _resample(n: int, size: int, total: int, generator, device) -> Tensor:
    return torch.randint(total, (n, size), generator=generator, device="cpu").to(device)


def _vector(name: str, values: Tensor) -> Tensor:
    check_tensor(name, values)
    if values.ndim != 1 or not values.is_floating_point():
        raise ValueError(
            f"{name} must be floating point in one row, got {values.dtype} {tuple(values.shape)}"
        )
    return values


def _checked(errors: Tensor) -> Tensor:
    if not len(_vector("errors", errors)):
        raise ValueError("errors must hold at least one model's, got none")
    return errors


def _check_draws(n: int, level: float) -> None:
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie in (0, 1), got {level}")

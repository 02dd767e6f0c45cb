"""Five tasks of two digits each, on coloured paper; networks that learn them, and their figures."""

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch import Tensor, nn

from cvcourse.classroom.figures.style import COLOURS, WIDTH, describe
from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.classroom.subjects.notes import PAPERS, ink_of_digits
from cvcourse.classroom.subjects.poses import posed
from cvcourse.methods import EpisodicMemory, classify

SIDE, TASKS, EACH, BATCH = 16, 5, 2, 32  # pixels of a picture, tasks, digits of each
Split = tuple[Tensor, Tensor]  # pictures or ink (N, C, h, w), and digits (N,)
MARKERS = "os^Dv"


def inked_digits(run: Run) -> dict[str, tuple[Tensor, Tensor]]:
    """Ink (N, 1, 16, 16) in [0, 1] and digits (N,) for "train", "val" and "test".

    Of `cvcourse.data.digits`; at scale full MNIST's, where `data_scripts/` has fetched it.
    """
    name, parts = ink_of_digits(run)
    counts = ", ".join(f"{len(labels):,} {split}" for split, (_, labels) in parts.items())
    say(f"data: {name}, {counts}")
    return {
        split: (F.interpolate(ink, (SIDE, SIDE), mode="bicubic", antialias=True).clamp(0, 1), of)
        for split, (ink, of) in parts.items()
    }


def on_paper(ink: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (N, 3, h, w) in [0, 1] of `ink` (N, 1, h, w), on paper of a colour that is drawn.

    The ink is turned by up to 17°, resized by up to 15 %, moved by up to 15 % of a side; the light
    is drawn, too.
    """
    n = len(ink)
    uniform = 2 * torch.rand(4, n, generator=generator) - 1
    ink = posed(ink, 0.3 * uniform[0], 1 + 0.15 * uniform[1], 0.3 * uniform[2:].T)
    which = torch.randint(len(PAPERS), (n,), generator=generator)
    paper = torch.tensor(list(PAPERS.values()))[which][:, :, None, None]
    light = 0.85 + 0.3 * torch.rand(n, 1, 1, 1, generator=generator)
    return (light * paper * (1 - 0.85 * ink)).clamp(0, 1)


def of_task(split: tuple[Tensor, Tensor], task: int) -> tuple[Tensor, Tensor]:
    """Pictures and digits of a task: task 0 has the digits 0 and 1, task 1 has 2 and 3, ..."""
    pictures, digits = split
    mine = digits // EACH == task
    return pictures[mine], digits[mine]


class FiveTasks:
    """Digits in five tasks of two: `ink` to learn from, `shown` pictures to be asked about.

    ink, shown: by split, "train", "val", "test". Training writes the ink anew each time; what is
    shown was written once, as the run's seed has it. steps: of a training on one task.
    """

    def __init__(self, run: Run, *, steps: int) -> None:
        self.ink, self.steps = inked_digits(run), steps
        generator = torch.Generator().manual_seed(run.seed)
        self.shown = {
            split: (on_paper(ink, generator), digits) for split, (ink, digits) in self.ink.items()
        }
        self.sequence = [(of_task(self.ink["train"], task), steps) for task in range(TASKS)]

    def with_steps(self, steps: int) -> "FiveTasks":
        """The same digits and pictures, for trainings of another number of steps a task."""
        other = copy.copy(self)
        other.steps, other.sequence = steps, [(source, steps) for source, _ in self.sequence]
        return other

    @torch.no_grad()
    def accuracies(self, network: nn.Module, split: str = "test", *, tasks: int = TASKS) -> list:
        """Of each of the first `tasks`, which the network(pictures, task) is told."""
        found = []
        for task in range(tasks):
            pictures, digits = of_task(self.shown[split], task)
            hits = network(pictures, task).argmax(1) == digits % EACH
            found.append(float(hits.double().mean()))
        return found

    @torch.no_grad()
    def among_ten(self, network: "Plain", split: str = "test") -> float:
        """Share of digits that a network with one row of ten logits names rightly."""
        pictures, digits = self.shown[split]
        return float((network.every(pictures).argmax(1) == digits).double().mean())

    @torch.no_grad()
    def untold(
        self, network: nn.Module, classifier: nn.Module, split: str = "test"
    ) -> tuple[float, float]:
        """Shares of tasks, and of digits, named rightly where a classifier names the task."""
        pictures, digits = self.shown[split]
        tasks, classes = classify(network, classifier, pictures)
        hits = tasks == digits // EACH, EACH * tasks + classes == digits
        return float(hits[0].double().mean()), float(hits[1].double().mean())

    def remembered(self, seed: int, each: int) -> Split:
        """Ink and digits of `each` training pictures of every digit, drawn by the seed."""
        memory = EpisodicMemory(each, generator=torch.Generator().manual_seed(seed))
        ink, digits = self.ink["train"]
        for digit in range(TASKS * EACH):
            memory.add(ink[digits == digit], digits[digits == digit], digit)
        return torch.cat(memory.images), torch.tensor(memory.tasks)

    def learn(
        self,
        seed: int,
        rate: float,
        sources: Sequence[tuple[Split, int]],
        *,
        among_ten: bool = False,
        memory: Split | None = None,
        keep: bool = False,
        filters: int = 20,
        look: Callable[[nn.Module, int], object] | None = None,
    ) -> "Plain":
        """A plain network that learns from one source after the other, each for its steps.

        among_ten: its classes are all ten digits, not the two of the picture's task. memory: the
            digits of earlier tasks in it are replayed, as many in each batch as new ones. keep: no
            convolution changes after the first source; norms and heads are each task's own.
        look: called with the network and the number of the source, four times a source.
        """
        torch.manual_seed(seed)
        generator, network = torch.Generator().manual_seed(seed), Plain(filters, own=keep)
        for task, (source, steps) in enumerate(sources):
            old = memory and tuple(part[memory[1] < EACH * task] for part in memory)

            def loss_of(_: int, source: Split = source, old: Split | None = old) -> Tensor:
                pictures, digits = draw(source, generator)
                if old and len(old[1]):
                    more, of = draw(old, generator)
                    pictures, digits = torch.cat([pictures, more]), torch.cat([digits, of])
                if among_ten:
                    return F.cross_entropy(network.every(pictures), digits)
                return _loss_of_pairs(network, pictures, digits)

            watch = look and (lambda net, task=task: look(net, task))
            optimise(network, loss_of, rate, steps, look=watch)
            if keep:
                network.convs.requires_grad_(False)
        return network

    def apart(self, seed: int, rate: float, *, filters: int) -> "Apart":
        """A plain network for each task, which see nothing but its pictures."""
        parts = enumerate(self.sequence)
        return Apart(
            [self.learn(TASKS * seed + t, rate, [part], filters=filters) for t, part in parts]
        )


class Plain(nn.Module):
    """Three blocks for all tasks, with norms for all or (own) each its own; a head for each task.

    (B, 3, h, w) and a task to logits (B, 2). `every(x)` gives those of all tasks, (B, 10).
    """

    def __init__(self, filters: int = 20, own: bool = False) -> None:
        super().__init__()
        self.convs, self.norms = nn.ModuleList(), nn.ModuleList()
        for a, b in pairwise((3, filters, filters, filters)):
            self.convs.append(nn.Conv2d(a, b, 3, padding=1, bias=False))
            norms = (nn.BatchNorm2d(b) for _ in range(TASKS if own else 1))
            self.norms.append(nn.ModuleList(norms))
        self.heads = nn.ModuleList(nn.Linear(filters, EACH) for _ in range(TASKS))

    def features(self, x: Tensor, task: int = 0) -> Tensor:
        for conv, norms in zip(self.convs, self.norms, strict=True):
            x = F.max_pool2d(norms[task % len(norms)](conv(x)).relu(), 2)
        return x.mean((2, 3))

    def forward(self, x: Tensor, task: int) -> Tensor:
        return self.heads[task](self.features(x, task))

    def every(self, x: Tensor) -> Tensor:
        features = self.features(x)
        return torch.cat([head(features) for head in self.heads], 1)


class Apart(nn.Module):
    """A network for each task, which know nothing of each other."""

    def __init__(self, networks: Sequence[Plain]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.heads = [network.heads[task] for task, network in enumerate(networks)]

    def forward(self, x: Tensor, task: int) -> Tensor:
        return self.networks[task](x, task)

    def all_features(self, x: Tensor) -> Tensor:
        """(B, tasks, filters), as a task classifier sees them."""
        return torch.stack([net.features(x, task) for task, net in enumerate(self.networks)], 1)


def draw(source: Split, generator: torch.Generator) -> Split:
    """A batch of pictures, written anew, and their digits."""
    ink, digits = source
    which = torch.randint(len(ink), (BATCH,), generator=generator)
    return on_paper(ink[which], generator), digits[which]


def optimise(
    network: nn.Module,
    loss_of: Callable[[int], Tensor],
    rate: float,
    steps: int,
    *,
    between: Callable[[], object] | None = None,
    after: Callable[[], object] | None = None,
    look: Callable[[nn.Module], object] | None = None,
) -> nn.Module:
    """Steps of AdamW on `loss_of(step)`; the network is left in evaluation mode.

    between: called between the gradients and each step. after: after each step. look: called with
    the network, in evaluation mode, after each quarter of the steps.
    """
    asked = [p for p in network.parameters() if p.requires_grad]
    optimiser, quarter = torch.optim.AdamW(asked, rate), max(steps // 4, 1)
    for step in range(steps):
        network.train()
        loss = loss_of(step)
        optimiser.zero_grad()
        loss.backward()
        if between:
            between()
        optimiser.step()
        if after:
            after()
        if look and (step + 1) % quarter == 0:
            look(network.eval())
    return network.eval()


def _loss_of_pairs(network: Plain, pictures: Tensor, digits: Tensor) -> Tensor:
    """Between the two digits of each picture's task."""
    features = network.features(pictures, int(digits[0]) // EACH)
    logits = torch.stack([head(features) for head in network.heads], 1)  # (B, tasks, 2)
    return F.cross_entropy(logits[torch.arange(len(digits)), digits // EACH], digits % EACH)


def show_courses(
    courses: Mapping[str, Sequence[Sequence[float]]], *, every: int, title: str
) -> Figure:
    """Accuracy of each task while task after task is learnt: a panel for each course.

    courses: of each moment, one every `every` steps, the accuracies of the tasks begun so far.
    """
    figure, panels = plt.subplots(1, len(courses), figsize=(WIDTH, 3.1), sharey=True, squeeze=False)
    for panel, (name, moments) in zip(panels[0], courses.items(), strict=True):
        steps = every * np.arange(1, len(moments) + 1)
        for task in range(len(moments[-1])):
            begun = [i for i, accuracies in enumerate(moments) if len(accuracies) > task]
            values = [moments[i][task] for i in begun]
            panel.plot(
                steps[begun], values, marker=MARKERS[task % 5], markersize=4,
                color=COLOURS[task % len(COLOURS)], label=f"{EACH * task} or {EACH * task + 1}",
            )  # fmt: skip
            panel.axvline(steps[begun[0]] - every, color="0.8", linewidth=1, zorder=0)
        panel.axhline(1 / EACH, color="0.5", linestyle=":", linewidth=1)
        panel.set(xlabel="steps", title=name)
    panels[0][0].set_ylabel("accuracy on the test")
    lines = panels[0][-1].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=5, frameon=False)
    figure.suptitle(title)
    return describe(figure, f"{title}. A line for each of the tasks, over the steps.")


def show_owners(used: Sequence[Sequence[Tensor]], *, title: str) -> Figure:
    """Which filters (columns) which task (rows) uses, a panel for each block.

    used: of each task, of each block, (filters,) bool. Dark where the task is the first to use a
    filter, which is frozen from then on; light where an earlier one was.
    """
    blocks = len(used[0])
    figure, panels = plt.subplots(1, blocks, figsize=(WIDTH, 2.4), sharey=True, squeeze=False)
    names = [f"{EACH * task} or {EACH * task + 1}" for task in range(len(used))]
    for block, panel in enumerate(panels[0]):
        table = torch.stack([of_task[block] for of_task in used])  # (tasks, filters)
        first = table & (table.cumsum(0) == 1)
        shades = np.ones((*table.shape, 3))
        shades[table.numpy()] = (0.62, 0.79, 0.93)
        shades[first.numpy()] = (0.0, 0.27, 0.55)
        panel.imshow(shades, aspect="auto", interpolation="nearest")
        panel.set_xticks(np.arange(-0.5, table.shape[1]), [], minor=True)
        panel.set_yticks(np.arange(-0.5, len(table)), [], minor=True)
        panel.grid(True, which="minor", color="0.85", linewidth=0.8)
        panel.grid(False, which="major")
        panel.tick_params(which="minor", length=0)
        panel.set(title=f"block {block + 1}", xlabel="filters", yticks=range(len(used)))
        panel.set_yticklabels(names)
    kinds = {"first to use it": (0.0, 0.27, 0.55), "uses another task's": (0.62, 0.79, 0.93)}
    handles = [Patch(color=colour, label=name) for name, colour in kinds.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    figure.suptitle(title)
    return describe(figure, f"{title}. Rows are tasks, columns are filters of three blocks.")


def show_gates(
    gate: Callable[[Tensor, Tensor, float], Tensor],
    temperatures: Sequence[float],
    generator: torch.Generator,
    *,
    title: str,
) -> Figure:
    """How often a drawn gate is open, and the slope that it passes back, over its logit.

    gate: logits, uniform noise, and a temperature to zeros and ones with a gradient. A line tells
    for each temperature the mean and the deviation of the slopes of 4,000 draws at the logit 0.
    """
    figure, panels = plt.subplots(1, 2, figsize=(WIDTH, 3.1))
    line = torch.linspace(-4, 4, 33)
    chance = torch.sigmoid(line)
    for temperature, marker, colour in zip(temperatures, MARKERS, COLOURS, strict=False):
        logits = line.expand(4000, -1).clone().requires_grad_()
        opened = gate(logits, torch.rand(logits.shape, generator=generator), temperature)
        (slopes,) = torch.autograd.grad(opened.sum(), logits)
        for panel, values in zip(panels, (opened.detach(), slopes), strict=True):
            panel.plot(
                line, values.mean(0), marker, color=colour, markersize=4,
                label=f"temperature {temperature:.2g}",
            )  # fmt: skip
        of_zero = slopes[:, 16]
        told = f"slopes at 0 are {of_zero.mean():.2f} ± {of_zero.std():.2f}"
        say(f"temperature {temperature:.2g}: {told}")
    panels[0].plot(line, chance, "--", color="0.4", label="σ, and its slope")
    panels[1].plot(line, chance * (1 - chance), "--", color="0.4")
    panels[0].set(title="how often it is open", xlabel="logit", ylabel="mean of 4,000 draws")
    panels[1].set(title="the slope that it passes back", xlabel="logit")
    lines = panels[0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(title)
    return describe(figure, f"{title}. Means of drawn gates and of their slopes, over the logit.")


def show_room(free: np.ndarray, accuracies: np.ndarray, *, title: str) -> Figure:
    """What tasks leave free, (tasks, blocks) shares; what they reach, (tasks, trainings)."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(WIDTH, 3.1))
    tasks = range(1, len(free) + 1)
    for block, marker in zip(range(free.shape[1]), MARKERS, strict=False):
        name = f"block {block + 1}"
        left.plot(tasks, free[:, block], marker=marker, color=COLOURS[block], label=name)
    left.set(title="filters left free", xlabel="after task", ylabel="share", ylim=(-0.05, 1))
    left.legend()
    right.plot(tasks, accuracies, "o", color="0.3")
    right.plot(tasks, accuracies.mean(1), "_", markersize=22, color=COLOURS[0], markeredgewidth=3)
    right.set(title="accuracy of each task, and mean", xlabel="task", ylim=(0.45, 1.02))
    for panel in (left, right):
        panel.set_xticks(tasks)
    figure.suptitle(title)
    return describe(figure, f"{title}. Filters left free, and accuracies, of each task in turn.")

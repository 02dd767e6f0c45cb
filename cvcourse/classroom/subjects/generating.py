"""Players who take turns, on top of `fit`, and the sheets of pictures that they make meanwhile.

    players = Players({"g": generator, "d": discriminator}, [Turn("judge", ["d"], ...), ...])
    fit(players, loader, play, steps=players.steps(rounds), optimizer=players.optimizer(lr=...))

One step of `fit` is one turn: a batch, one loss, and a step of those whose turn it is. All that
`fit` promises (a killed run resumes to the same bits, several processes) holds for players too,
since whose turn it is, the averages and all weights are in one module.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from cvcourse.classroom.figures import show_gallery
from cvcourse.methods import WeightAverage


class Turn(NamedTuple):
    """name: in the history; moves: who learns; loss: `loss(nets, batch)` gives a dict of numbers.

    every: it comes in every so many rounds only, as a lazy penalty does.
    """

    name: str
    moves: Sequence[str]
    loss: Callable[[nn.ModuleDict, object], dict[str, Tensor]]
    every: int = 1


class Players(nn.Module):
    """Networks by name, whose turns follow each other; called with a batch, the loss of this turn.

    averages: names of networks with the decay of their running average, which is `average[name]`.
    """

    leaves_parameters_unused = True  # in each step: said to `fit`'s parallel processes

    def __init__(
        self,
        nets: Mapping[str, nn.Module],
        turns: Sequence[Turn],
        *,
        averages: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__()
        averages = averages or {}
        for name in {*averages, *(name for turn in turns for name in turn.moves)} - nets.keys():
            raise ValueError(f"turns, averages: {name!r} is none of {', '.join(nets)}")
        self.nets = nn.ModuleDict(nets)
        self.average = nn.ModuleDict({n: WeightAverage(nets[n], d) for n, d in averages.items()})
        rounds = range(math.lcm(*(turn.every for turn in turns)))
        self._rounds = [[t for t in turns if r % t.every == 0] for r in rounds]
        self._cycle = [turn for turns in self._rounds for turn in turns]
        self.steps_of_a_rehearsal = max(2, len(turns))  # a turn for each of them: said to `fit`
        self._movers = sorted({name for turn in turns for name in turn.moves})
        self.register_buffer("turns_taken", torch.zeros((), dtype=torch.int64))

    def steps(self, rounds: int) -> int:
        """How many steps of `fit` so many rounds take."""
        whole, rest = divmod(rounds, len(self._rounds))
        return whole * len(self._cycle) + sum(len(turns) for turns in self._rounds[:rest])

    def forward(self, batch) -> dict[str, Tensor]:
        turn = self._turn(int(self.turns_taken))
        for name in self._movers:
            self.nets[name].requires_grad_(name in turn.moves)
        self.turns_taken += 1
        return {f"{turn.name}: {k}": v for k, v in turn.loss(self.nets, batch).items()}

    def optimizer(
        self,
        lr: Mapping[str, float] | float,
        *,
        betas: tuple[float, float] = (0.5, 0.999),
    ) -> torch.optim.Adam:
        """Adam with a group for each network, and its own rate where `lr` has several.

        A network that does not move has no gradient, so its part of the optimiser keeps still, as
        if each had one of its own. The averages follow each step.
        """
        groups = [
            {"params": list(self.nets[name].parameters()), **self._rate(lr, name)}
            for name in self._movers
        ]
        made = torch.optim.Adam(groups, betas=betas)
        made.register_step_post_hook(lambda *_: self._update_averages())
        return made

    def _rate(self, lr, name: str) -> dict[str, float]:
        if not isinstance(lr, Mapping):
            return {"lr": lr}
        if name not in lr:
            raise ValueError(f"lr: expected one for {name!r} too, got {', '.join(lr)}")
        return {"lr": lr[name]}

    def _turn(self, index: int) -> Turn:
        return self._cycle[index % len(self._cycle)]

    def _update_averages(self) -> None:
        turn = self._turn(int(self.turns_taken) - 1)
        for name, average in self.average.items():
            if name in turn.moves:
                average.update(self.nets[name])


def play(players: Callable, batch) -> dict[str, Tensor]:
    """The loss that `fit` asks for: it is the players' own."""
    return players(batch)


class SampleSheets:
    """What the same latents give as training goes on: `fit(..., validate=sheets)` fills it.

    make: `make(players)`, pictures (batch, channels, height, width); called in evaluation mode.
    measure: `measure(pictures)`, numbers for the history, beside the sheet.
    """

    def __init__(
        self,
        make: Callable[[Players], Tensor],
        *,
        measure: Callable[[Tensor], dict[str, float]] = lambda pictures: {},
    ) -> None:
        self._make, self._measure = make, measure
        self.steps: list[int] = []
        self.sheets: list[Tensor] = []

    def __call__(self, players: Players) -> dict[str, float]:
        pictures = self._make(players).detach().cpu()
        self.steps.append(int(players.turns_taken))
        self.sheets.append(pictures)
        return self._measure(pictures)

    def show(self, *, title: str, columns: int = 8) -> Figure:
        """A row for each sheet: its first pictures, with the turn after which they were made."""
        rows = [sheet[:columns] for sheet in self.sheets]
        return show_gallery(rows, [f"turn {step}" for step in self.steps], title=title)

"""Two small players for tests: `python -m tests.classroom.subjects.playing FOLDER` plays them on
as many processes as it was launched on, once in one go and once left in the middle.
"""

import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom import begin, fit
from cvcourse.classroom.subjects.generating import Players, Turn, play
from cvcourse.methods import forger_losses, judge_losses

ROUNDS = 7


class Stop(Exception):
    """Raised to leave training in the middle."""


def judge(nets, batch):
    x, z = batch
    with torch.no_grad():
        made = nets["generator"](z)
    return judge_losses(lambda v: nets["discriminator"](v)[:, 0], x, made)


def forge(nets, batch):
    return forger_losses(lambda v: nets["discriminator"](v)[:, 0], nets["generator"](batch[1]))


def penalty(nets, batch):
    x = batch[0]
    parts = judge_losses(lambda v: nets["discriminator"](v)[:, 0], x, x, gamma=1.0)
    return {"r1": 2 * parts["r1"]}


TURNS = [
    Turn("judge", ["discriminator"], judge),
    Turn("forge", ["generator"], forge),
    Turn("penalty", ["discriminator"], penalty, every=2),
]


def new_players() -> Players:
    torch.manual_seed(7)
    nets = {
        "generator": nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)),
        "discriminator": nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)),
    }
    return Players(nets, TURNS, averages={"generator": 0.9})


def new_loader(batch_size: int) -> DataLoader:
    generator = torch.Generator().manual_seed(5)
    x, z = torch.randn(2, 64, 2, generator=generator)
    order = torch.Generator().manual_seed(6)
    return DataLoader(TensorDataset(x, z), batch_size, shuffle=True, generator=order)


def train(batch_size: int, *, stop_at: int | None = None, **options):
    players = new_players()

    def loss(model, batch):
        if int(players.turns_taken) + 1 == stop_at:
            raise Stop
        return play(model, batch)

    optimizer = players.optimizer({"generator": 0.02, "discriminator": 0.01})
    history = fit(
        players,
        new_loader(batch_size),
        loss,
        steps=players.steps(ROUNDS),
        optimizer=optimizer,
        progress=False,
        **options,
    )
    return players, history


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    begin("97 Two processes")
    whole, history = train(4)
    first = torch.distributed.get_rank() == 0
    if first:
        torch.save([whole.state_dict(), list(history)], folder / "whole.pt")
    try:
        train(4, checkpoint=folder / "run", checkpoint_every=3, stop_at=9)
    except Stop:
        pass
    else:
        raise SystemExit("training was to be left in the middle")
    resumed, again = train(4, checkpoint=folder / "run", checkpoint_every=3)
    if first:
        torch.save([resumed.state_dict(), list(again)], folder / "resumed.pt")
    torch.distributed.destroy_process_group()

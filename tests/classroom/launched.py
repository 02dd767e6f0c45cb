"""Run by `accelerate launch` on two processes: python -m tests.classroom.launched FOLDER."""

import itertools
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from cvcourse.classroom import begin, fit, warmup_cosine

ROWS, EPOCHS = 32, 3


class Stop(Exception):
    """Raised to leave training in the middle; a stand-in for processes that die."""


def train(batch_size: int, *, stop_at: int | None = None, **options):
    """A deterministic model on shuffled rows; gives model and history."""
    generator = torch.Generator().manual_seed(5)
    x = torch.randn(ROWS, 4, generator=generator)
    y = (x[:, :1] * x[:, 1:2]).sin()
    loader = DataLoader(
        TensorDataset(x, y),
        batch_size,
        shuffle=True,
        generator=torch.Generator().manual_seed(6),
    )
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))

    calls = itertools.count(1)

    def loss(model, batch):
        if next(calls) == stop_at:
            raise Stop
        inputs, wanted = batch
        return {"error": F.mse_loss(model(inputs), wanted), "zero": wanted.sum() * 0}

    def validate(model):
        with torch.no_grad():
            return {"error on all": F.mse_loss(model(x), y)}

    options = {"epochs": EPOCHS, "lr": 0.02, "scheduler": warmup_cosine, **options}
    history = fit(
        model, loader, loss, validate=validate, keep_best="lowest", progress=False, **options
    )
    return model, history


def train_apart(rank: int) -> dict:
    """Each process has its own opinion which step was best, and statistics of its own batches."""
    numbers = [[3.0, 1.0, 2.0, 4.0], [3.5, 2.0, 0.5, 9.0]][rank]  # the mean is lowest at the third
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
    rows = torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(5))
    asked = iter(numbers)
    history = fit(
        model,
        DataLoader(TensorDataset(rows), 4),
        lambda model, batch: model(batch[0]).square().mean(),
        epochs=4,
        lr=0.02,
        validate=lambda _: next(asked),
        keep_best="lowest",
        progress=False,
    )
    return {"weights": model.state_dict(), "rows": list(history), "best": history.best}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    run = begin("97 Two processes")
    whole, history = train(4)
    first = torch.distributed.get_rank() == 0
    if first:
        torch.save([whole.state_dict(), list(history), history.best], folder / "whole.pt")
    try:
        train(4, checkpoint=folder / "run", checkpoint_every=3, stop_at=8)
    except Stop:
        pass
    else:
        raise SystemExit("training was to be left in the middle")
    torch.manual_seed(8)
    resumed, again = train(4, checkpoint=folder / "run", checkpoint_every=3)
    if first:
        torch.save([resumed.state_dict(), list(again), again.best], folder / "resumed.pt")
    rank = torch.distributed.get_rank()
    torch.save(train_apart(rank), folder / f"apart-{rank}.pt")
    run.claim(
        "two processes trained", value=torch.distributed.get_world_size(), equals=2, tolerance=0
    )
    torch.distributed.destroy_process_group()

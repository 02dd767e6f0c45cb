"""A training run of a fraction of a second in which everything is random: order of the data,
augmentation by every generator there is, dropout, and a validation that draws numbers as well."""

import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from cvcourse.classroom import fit, warmup_cosine

BATCHES, EPOCHS = 5, 3


class Noisy(Dataset):
    """Twenty rows of numbers, disturbed anew each time they are asked for."""

    def __init__(self):
        self.generator = np.random.default_rng(3)

    def __len__(self):
        return 4 * BATCHES

    def __getitem__(self, index):
        noise = torch.randn(3) + random.random() + np.random.rand()  # noqa: NPY002
        noise = noise + self.generator.random()
        return torch.full((3,), index / 10) + 0.1 * noise.float()


def seed(number=0):
    random.seed(number)
    np.random.seed(number)  # noqa: NPY002
    torch.manual_seed(number)


def make_model():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))


def make_loader(**options):
    return DataLoader(Noisy(), batch_size=4, shuffle=True, **options)


def loss(model, batch):
    return {"fit": (model(batch) - batch.mean(1, keepdim=True)).square().mean()}


def validate(model):
    return {"error": (model(torch.randn(16, 3)) ** 2).mean()}


def train(folder=None, *, loss=loss, loader=None, epochs=EPOCHS, **options):
    """Train from the very start, or go on from `folder`; gives model and history."""
    seed()
    model = make_model()
    history = fit(
        model,
        loader or make_loader(),
        loss,
        epochs=epochs,
        lr=0.01,
        scheduler=warmup_cosine,
        validate=validate,
        gradient_clip=1.0,
        checkpoint=folder,
        progress=False,
        **options,
    )
    return model, history


def same_weights(one, other):
    """Whether two models agree bit by bit."""
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(ours[k].equal(theirs[k]) for k in ours)

import io
import random

import numpy as np
import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, Subset, TensorDataset

from cvcourse.classroom.training import randomness


class Augmented(TensorDataset):
    def __init__(self, rows):
        super().__init__(rows)
        self.noise = np.random.default_rng(0)


def test_generators_are_found_wherever_a_loader_holds_them():
    data = Augmented(torch.zeros(8))
    of_loader, of_sampler = torch.Generator(), torch.Generator()
    plain = DataLoader(Subset(data, range(4)), sampler=RandomSampler(data, generator=of_sampler))
    found = randomness.generators_of(plain)
    assert {id(g) for g in found} == {id(of_sampler), id(data.noise)}
    shuffled = DataLoader(data, shuffle=True, generator=of_loader)  # shared with its sampler
    assert {id(g) for g in randomness.generators_of(shuffled)} == {id(of_loader), id(data.noise)}
    assert len(randomness.generators_of(shuffled)) == 2
    batches = BatchSampler(RandomSampler(data, generator=of_sampler), 2, drop_last=False)
    assert any(
        g is of_sampler for g in randomness.generators_of(DataLoader(data, batch_sampler=batches))
    )
    assert randomness.generators_of([1, 2, 3]) == []


def test_put_back_repeats_everything_even_from_a_file():
    generators = [torch.Generator().manual_seed(1), np.random.default_rng(2)]

    def draw():
        return [
            random.random(),
            random.gauss(0, 1),
            np.random.rand(),  # noqa: NPY002
            np.random.standard_normal(),  # noqa: NPY002 (keeps a second number for later)
            torch.rand(1).item(),
            torch.rand(1, generator=generators[0]).item(),
            generators[1].random(),
        ]

    draw()
    file = io.BytesIO()
    torch.save(randomness.take(generators), file)
    first = [draw(), draw()]
    file.seek(0)
    randomness.put_back(torch.load(file, weights_only=True), generators)
    assert [draw(), draw()] == first

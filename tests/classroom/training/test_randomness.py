import io
import random

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    RandomSampler,
    Subset,
    TensorDataset,
    get_worker_info,
)

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
    joined = ConcatDataset([data, Augmented(torch.zeros(3))])
    assert len(randomness.generators_of(DataLoader(joined))) == 2


def test_put_back_repeats_everything_even_from_a_file():
    generators = [
        torch.Generator().manual_seed(1),
        np.random.default_rng(2),
        np.random.RandomState(3),
        random.Random(4),
    ]

    def draw():
        return [
            random.random(),
            random.gauss(0, 1),
            np.random.rand(),  # noqa: NPY002
            np.random.standard_normal(),  # noqa: NPY002 (keeps a second number for later)
            torch.rand(1).item(),
            torch.rand(1, generator=generators[0]).item(),
            generators[1].random(),
            generators[2].rand(),
            generators[2].standard_normal(),
            generators[3].random(),
            generators[3].gauss(0, 1),
        ]

    draw()
    file = io.BytesIO()
    torch.save(randomness.take(generators), file)
    first = [draw(), draw()]
    file.seek(0)
    randomness.put_back(torch.load(file, weights_only=True), generators)
    assert [draw(), draw()] == first


class Drawing(Dataset):
    """Gives nothing but what its generators draw, and which worker asked."""

    def __init__(self):
        self.own = torch.Generator().manual_seed(1)
        self.numpys = np.random.default_rng(2)
        self.older = np.random.RandomState(3)
        self.pythons = random.Random(4)

    def __len__(self):
        return 48

    def __getitem__(self, index):
        numbers = [
            torch.rand((), generator=self.own, dtype=torch.float64).item(),
            self.numpys.random(),
            self.older.rand(),
            self.pythons.random(),
            torch.rand((), dtype=torch.float64).item(),
            np.random.rand(),  # noqa: NPY002
            random.random(),
        ]
        worker = get_worker_info()
        return torch.tensor([*numbers, -1 if worker is None else worker.id], dtype=torch.float64)


def drawn(loader):
    return torch.cat(list(randomness.batches_of(loader)))


@pytest.mark.parametrize("workers", [1, 2])
def test_each_worker_and_each_epoch_draws_other_numbers(workers):
    loader = DataLoader(Drawing(), 4, num_workers=workers, generator=torch.Generator())
    numbers = torch.cat([drawn(loader), drawn(loader)])
    assert len(numbers[:, -1].unique()) == workers
    for column in range(7):
        assert len(numbers[:, column].unique()) == 2 * 48
    assert numbers[:, :-1].mean().item() == pytest.approx(0.5, abs=0.06)
    again = DataLoader(Drawing(), 4, num_workers=workers, generator=torch.Generator())
    assert torch.equal(torch.cat([drawn(again), drawn(again)]), numbers)


def test_without_workers_generators_are_left_alone():
    data, other = Drawing(), Drawing()
    numbers = drawn(DataLoader(data, 4))
    assert numbers[0, 0] == torch.rand((), generator=other.own, dtype=torch.float64)
    assert numbers[0, 1] == other.numpys.random()


def marked(worker):
    get_worker_info().dataset.own.manual_seed(worker)


def test_what_a_loader_does_in_its_workers_is_done_last():
    loader = DataLoader(Drawing(), 4, num_workers=2, worker_init_fn=marked)
    numbers = drawn(loader)
    for worker in (0, 1):
        generator = torch.Generator().manual_seed(worker)
        assert numbers[4 * worker, 0] == torch.rand((), generator=generator, dtype=torch.float64)
    assert loader.worker_init_fn is marked


def test_processes_with_one_generator_draw_other_numbers(monkeypatch):
    """What a launcher tells each process, and the generator that accelerate makes alike in all."""
    found = []
    for rank in ("0", "1"):
        monkeypatch.setenv("RANK", rank)
        loader = DataLoader(Drawing(), 4, num_workers=2, generator=torch.Generator())
        found.append(drawn(loader))
    numbers = torch.cat(found)
    for column in range(7):
        assert len(numbers[:, column].unique()) == 2 * 48

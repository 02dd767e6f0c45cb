"""Squares of Vimeo-90K's triplets, on five in the true format; decibels against scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from cvcourse.classroom.subjects import real_triplets
from cvcourse.data.real import VimeoTriplets
from tests.data.tiny import write_vimeo


@pytest.fixture
def vimeo(tmp_path):
    write_vimeo(tmp_path)
    return tmp_path


def is_in(square, film):
    return any(
        torch.equal(square, film[..., y : y + square.shape[2], x : x + square.shape[3]])
        for y in range(film.shape[2] - square.shape[2] + 1)
        for x in range(film.shape[3] - square.shape[3] + 1)
    )


def test_squares_are_cut_out_of_all_three_frames_alike(vimeo):
    films = VimeoTriplets(vimeo, "train")
    torch.manual_seed(0)
    (batch,) = real_triplets.squares(vimeo, "train", side=8)
    assert batch.shape == (3, 3, 3, 8, 8)
    assert all(any(is_in(square, film) for film, _ in films) for square in batch)
    (again,) = real_triplets.squares(vimeo, "train", side=8)
    assert not torch.equal(batch, again)  # other squares
    orders = set()
    for _ in range(9):
        (whole,) = real_triplets.squares(vimeo, "train", side=4096)
        orders.add(tuple(whole.mean((1, 2, 3, 4)).tolist()))
    assert len(orders) > 1


def test_small_films_are_whole(vimeo):
    whole = [film for film, _ in VimeoTriplets(vimeo, "test")]
    (batch,) = real_triplets.squares(vimeo, "test", side=4096)
    assert torch.equal(batch, torch.stack(whole))


def test_decibels_are_the_mean_over_films_of_the_same_squares(vimeo):
    def darker(first, last):
        return (first + last) / 2 - 0.25

    torch.manual_seed(5)
    (batch,) = real_triplets.squares(vimeo, "test", side=8)
    films = batch.numpy().astype(np.float64)
    wanted = np.mean(
        [
            peak_signal_noise_ratio(f[1], np.clip((f[0] + f[2]) / 2 - 0.25, 0, 1), data_range=1)
            for f in films
        ]
    )
    before = torch.get_rng_state()
    found = real_triplets.mean_psnr(darker, vimeo, seed=5, side=8)
    assert found == pytest.approx(wanted, rel=1e-5)
    assert torch.equal(torch.get_rng_state(), before)


class Halves(torch.nn.Module):
    """The mean of both frames, but for the mode of training, in which all is noise."""

    def __init__(self):
        super().__init__()
        self.share = torch.nn.Parameter(torch.tensor(0.5))

    def forward(self, first, last):
        noise = torch.rand_like(first) if self.training else 0
        return self.share * (first + last) + noise


def test_a_network_is_asked_in_evaluation_mode(vimeo):
    network = Halves()
    found = real_triplets.mean_psnr(network, vimeo, side=8)
    wanted = real_triplets.mean_psnr(lambda first, last: (first + last) / 2, vimeo, side=8)
    assert found == pytest.approx(wanted)
    assert network.training

"""Players: turns, rates and averages as two optimisers by hand; killed; on two processes."""

import copy

import pytest
import torch
from torch import nn

from cvcourse.classroom import fit
from cvcourse.classroom.subjects.generating import Players, SampleSheets, Turn, play
from tests.classroom.subjects import playing
from tests.classroom.training.test_launched import free_port, launch_script


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("CVCOURSE_DEVICE", "cpu")


def by_hand(batch_size):
    """The loop that books show: two optimisers, two steps a round, a penalty in every second."""
    nets = playing.new_players().nets
    rates = {"generator": 0.02, "discriminator": 0.01}
    adams = {
        name: torch.optim.Adam(nets[name].parameters(), rate, betas=(0.5, 0.999))
        for name, rate in rates.items()
    }
    average = copy.deepcopy(nets["generator"])
    loader = playing.new_loader(batch_size)
    batches = iter(loader)
    values = []
    for i in range(playing.ROUNDS):
        for turn in playing.TURNS:
            if i % turn.every:
                continue
            try:
                batch = next(batches)
            except StopIteration:
                batches = iter(loader)
                batch = next(batches)
            [mover] = turn.moves
            loss = sum(turn.loss(nets, batch).values())
            adams[mover].zero_grad()
            loss.backward()
            adams[mover].step()
            values.append(loss.item())
            if mover == "generator":
                for mine, theirs in zip(
                    average.parameters(), nets["generator"].parameters(), strict=True
                ):
                    mine.data.lerp_(theirs.data, 0.1)
    return nets, average, values


def test_turns_equal_two_optimisers_by_hand():
    players, history = playing.train(8)
    nets, average, values = by_hand(8)
    assert [row["loss"] for row in history] == pytest.approx(values, rel=1e-6)
    torch.testing.assert_close(dict(players.nets.state_dict()), dict(nets.state_dict()))
    torch.testing.assert_close(
        dict(players.average["generator"].average.state_dict()), dict(average.state_dict())
    )


def test_names_of_turns_are_in_the_history():
    _, history = playing.train(8)
    assert len(history) == 7 + 7 + 4
    assert history.curve("judge: real")[0] == [1, 4, 6, 9, 11, 14, 16]
    assert history.curve("forge: fooled")[0] == [2, 5, 7, 10, 12, 15, 17]
    assert history.curve("penalty: r1")[0] == [3, 8, 13, 18]


def test_in_a_rehearsal_each_turn_comes_once(monkeypatch):
    monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
    _, history = playing.train(8)
    assert len(history) == 3
    assert history.curve("penalty: r1")[0] == [3]


def test_left_in_the_middle_players_end_as_if_they_had_not_been(tmp_path):
    whole, history = playing.train(8)
    for stop_at in (5, 11):
        with pytest.raises(playing.Stop):
            playing.train(8, checkpoint=tmp_path, checkpoint_every=2, stop_at=stop_at)
    resumed, again = playing.train(8, checkpoint=tmp_path, checkpoint_every=2)
    theirs = resumed.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in whole.state_dict().items())
    assert list(history) == list(again)


def test_called_again_when_all_is_done_nothing_moves(tmp_path):
    first, _ = playing.train(8, checkpoint=tmp_path)
    second, _ = playing.train(8, checkpoint=tmp_path)
    theirs = second.state_dict()
    assert all(torch.equal(value, theirs[name]) for name, value in first.state_dict().items())


@pytest.fixture(scope="module")
def folder(once):
    """What two processes left behind."""

    def launch(folder):
        options = ["--multi_gpu", "--num_processes", "2", "--main_process_port", str(free_port())]
        launch_script([*options, "-m", "tests.classroom.subjects.playing", folder], folder)

    return once("playing", launch)


def test_two_processes_equal_one_with_the_doubled_batch(folder):
    players, history = playing.train(8)
    weights, rows = torch.load(folder / "whole.pt")
    torch.testing.assert_close(weights, dict(players.state_dict()), rtol=1e-4, atol=1e-5)
    assert [row["loss"] for row in rows] == pytest.approx(
        [row["loss"] for row in history], rel=1e-4
    )


def test_two_processes_resume_to_the_same_bits(folder):
    (weights, rows), (again, rows_again) = (
        torch.load(folder / f"{name}.pt") for name in ("whole", "resumed")
    )
    assert all(value.equal(again[name]) for name, value in weights.items())
    assert rows == rows_again


def test_sample_sheets():
    latents = torch.randn(6, 2)
    sheets = SampleSheets(
        lambda players: players.nets["generator"](latents).sigmoid().view(6, 1, 1, 2),
        measure=lambda pictures: {"ink": pictures.mean().item()},
    )
    players = playing.new_players()
    history = fit(
        players,
        playing.new_loader(8),
        play,
        steps=12,
        optimizer=players.optimizer(0.01),
        validate=sheets,
        validate_every=5,
        progress=False,
    )
    assert sheets.steps == [5, 10, 12]
    assert not torch.equal(sheets.sheets[0], sheets.sheets[-1])
    assert history.curve("ink") == (sheets.steps, [s.mean().item() for s in sheets.sheets])
    figure = sheets.show(title="What the same latents give", columns=4)
    assert sum(bool(axes.images) for axes in figure.axes) == 12


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Players({"a": nn.Linear(1, 1)}, [Turn("x", ["b"], None)]), "'b' is none of a"),
        (
            lambda: Players({"a": nn.Linear(1, 1)}, [Turn("x", ["a"], None)], averages={"c": 0.9}),
            "'c' is none of a",
        ),
        (
            lambda: playing.new_players().optimizer({"generator": 1.0}),
            "lr: expected one for 'discriminator' too, got generator",
        ),
    ],
)
def test_names_that_are_not_there(make, message):
    with pytest.raises(ValueError, match=message):
        make()

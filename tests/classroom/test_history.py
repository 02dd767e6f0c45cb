import pytest

from cvcourse.classroom import History

ROWS = [
    {"step": 1, "epoch": 0, "lr": 0.1, "loss": 3.0},
    {"step": 2, "epoch": 0, "lr": 0.1, "loss": 2.0, "accuracy": 0.5},
    {"step": 3, "epoch": 1, "lr": 0.1, "loss": 1.0},
]


def test_is_a_list_of_its_rows():
    history = History(ROWS)
    assert history == ROWS
    assert history[-1]["loss"] == 1.0
    assert (history.best, history.interrupted) == (None, False)


def test_says_in_short_what_happened():
    assert repr(History(ROWS)) == "History(3 steps, loss 3 to 1)"
    assert repr(History(ROWS, interrupted=True)).endswith(", interrupted)")
    assert repr(History()) == "History(no steps)"


def test_curve():
    history = History(ROWS)
    assert history.names() == ["lr", "loss", "accuracy"]
    assert history.curve("loss") == ([1, 2, 3], [3.0, 2.0, 1.0])
    assert history.curve("accuracy") == ([2], [0.5])


def test_unknown_name_is_told_what_there_is():
    with pytest.raises(KeyError, match="'mIoU' is not in this history, which has lr, loss, accu"):
        History(ROWS).curve("mIoU")

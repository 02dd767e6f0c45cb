import numpy as np
import pytest
import torch

from cvcourse.classroom import History, show_confusion, show_curves, show_trainings
from cvcourse.classroom.figures import show_spread, style


def history(steps=10, every=5, scale=1.0):
    rows = [{"step": i, "epoch": 0, "lr": 0.1, "loss": scale / i} for i in range(1, steps + 1)]
    for row in rows[every - 1 :: every]:
        row["accuracy"] = scale * row["step"] / 10
    return History(rows)


def lines(axes):
    return {line.get_label(): line.get_xydata().T.tolist() for line in axes.get_lines()}


class TestShowCurves:
    def test_history_has_loss_and_validation(self):
        figure = show_curves(history())
        loss, accuracy = figure.axes
        assert (loss.get_xlabel(), loss.get_ylabel()) == ("step", "loss")
        np.testing.assert_allclose(
            next(iter(lines(loss).values())), [range(1, 11), [1 / i for i in range(1, 11)]]
        )
        assert next(iter(lines(accuracy).values())) == [[5, 10], [0.5, 1.0]]
        assert "loss goes from 1 to 0.1" in style.alt_text(figure)
        assert figure.get_suptitle() == "Training"

    def test_parts_of_the_loss_share_a_panel(self):
        run = History([{**row, "box": 0.1} for row in history(every=20)])
        (axes,) = show_curves(run).axes
        assert list(lines(axes)) == ["loss", "box"]

    def test_histories_are_compared_by_name(self):
        figure = show_curves({"focal": history(), "CE": history(scale=2)}, title="Compared")
        for axes in figure.axes:
            assert list(lines(axes)) == ["focal", "CE"]
            assert [text.get_text() for text in axes.get_legend().get_texts()] == ["focal", "CE"]
        assert [axes.get_ylabel() for axes in figure.axes] == ["loss", "accuracy"]

    def test_named_panels_only(self):
        figure = show_curves(history(), names=["lr"])
        assert [axes.get_ylabel() for axes in figure.axes] == ["lr"]
        assert show_curves(history(), names=["loss"], log=True).axes[0].get_yscale() == "log"

    def test_long_curves_are_smoothed_over_their_noise(self):
        axes = show_curves({"x": np.tile([0.0, 2.0], 100)}, ylabel="noise").axes[0]
        faint, smooth = axes.get_lines()
        assert faint.get_alpha() < 0.5
        assert set(faint.get_ydata()) == {0.0, 2.0}
        middle = smooth.get_ydata()[20:-20]
        assert np.abs(middle - 1).max() < 0.1

    def test_what_a_mean_would_hide_is_drawn_alone(self):
        spiky = [1.0] * 30 + [1e6] + [1.0] * 30
        (line,) = show_curves({"x": spiky}, log=True, smooth=False).axes[0].get_lines()
        assert line.get_ydata().tolist() == spiky
        assert line.get_marker() == "None"
        long = History([{"step": i, "epoch": 0, "lr": 1.0, "loss": x} for i, x in enumerate(spiky)])
        (line,) = show_curves(long, names=["loss"], smooth=False).axes[0].get_lines()
        assert line.get_ydata().tolist() == spiky

    def test_moving_average_at_the_ends(self):
        smooth = show_curves({"x": range(60)}).axes[0].get_lines()[1].get_ydata()  # 4 wide
        np.testing.assert_allclose(smooth[[0, 1, 2, 59]], [0.5, 1.0, 1.5, 58])

    def test_pairs_tensors_and_labels(self):
        curves = {"recall": ([0.0, 0.5], torch.tensor([1.0, 0.2])), "precision": [0.3, 0.9]}
        (axes,) = show_curves(curves, xlabel="threshold", ylabel="share").axes
        assert lines(axes) == {
            "recall": [[0.0, 0.5], pytest.approx([1.0, 0.2])],
            "precision": [[0, 1], [0.3, 0.9]],
        }
        assert axes.get_xlabel() == "threshold"
        assert len({line.get_marker() for line in axes.get_lines()}) == 2

    def test_nothing(self):
        with pytest.raises(ValueError, match="at least one curve"):
            show_curves({})

    def test_unknown_name(self):
        with pytest.raises(KeyError, match="mIoU"):
            show_curves(history(), names=["mIoU"])


TRAININGS = {"focal": [0.2, 0.5, 0.35], "CE": torch.tensor([0.1, 0.3, 0.2])}


class TestShowTrainings:
    def test_a_row_a_method_and_a_marker_a_training(self):
        figure = show_trainings(TRAININGS, title="Focal is better", xlabel="AP")
        (axes,) = figure.axes
        assert [text.get_text() for text in axes.get_yticklabels()] == ["focal", "CE"]
        first, last = axes.get_ylim()
        assert first > 1 > 0 > last  # the first row is the uppermost
        bar, *dots = axes.get_lines()[:4]
        np.testing.assert_allclose(bar.get_xydata(), [[0.35, 0]])
        assert [float(dot.get_xdata()[0]) for dot in dots] == [0.2, 0.5, 0.35]
        assert [dot.get_marker() for dot in dots] == [d.get_marker() for d in axes.get_lines()[5:8]]
        assert len({dot.get_marker() for dot in dots}) == 3
        lanes = [float(dot.get_ydata()[0]) for dot in dots]
        assert lanes == sorted(set(lanes))  # none hides another
        assert max(map(abs, lanes)) < 0.2
        (legend,) = figure.legends
        trainings = [f"training {i}" for i in (1, 2, 3)]
        assert [t.get_text() for t in legend.get_texts()] == [*trainings, "mean"]
        shown = dict(zip([*trainings, "mean"], legend.legend_handles, strict=True))
        assert [shown[name].get_marker() for name in trainings] == [d.get_marker() for d in dots]
        assert shown["mean"].get_color() == bar.get_color()
        assert axes.get_xlabel() == "AP"
        assert "focal 0.35 (0.2 to 0.5), CE 0.2 (0.1 to 0.3)" in style.alt_text(figure)

    def test_a_row_without_trainings_is_no_first_training(self):
        figure = show_trainings(TRAININGS | {"all 0": [0.25]}, title="t", xlabel="AP")
        (axes,), (legend,) = figure.axes, figure.legends
        (alone,) = [line for line in axes.get_lines() if 0.25 in line.get_xdata()]
        assert alone.get_xydata().tolist() == [[0.25, 2]]
        told = dict(
            zip((t.get_text() for t in legend.get_texts()), legend.legend_handles, strict=True)
        )
        assert list(told) == ["training 1", "training 2", "training 3", "mean", "single value"]
        looks = [(mark.get_marker(), mark.get_color()) for mark in told.values()]
        assert looks[-1] == (alone.get_marker(), alone.get_color())
        assert len(set(looks)) == 5
        assert style.alt_text(figure).endswith("all 0 0.25.")

    def test_single_values_among_themselves_need_no_legend(self):
        figure = show_trainings({"a": [1.0], "b": [2.0]}, title="t", xlabel="x")
        assert not figure.legends
        assert len(figure.axes[0].get_lines()) == 2

    def test_more_trainings_than_markers_are_dots_without_a_name(self):
        figure = show_trainings({"a": range(8), "b": [3.5]}, title="t", xlabel="x")
        assert [t.get_text() for t in figure.legends[0].get_texts()] == ["mean", "single value"]
        assert sum(line.get_marker() == "." for line in figure.axes[0].get_lines()) == 8

    def test_line_at_zero_for_differences(self):
        plain, marked = (
            len(
                show_trainings({"x": [1, 2]}, title="t", xlabel="x", at_zero=at).axes[0].get_lines()
            )
            for at in (False, True)
        )
        assert marked == plain + 1

    def test_nothing_to_show(self):
        with pytest.raises(ValueError, match="rows"):
            show_trainings({}, title="t", xlabel="x")


PANELS = {
    "calm": {"a": ([1, 10], [[1, 3], [4, 4]])},
    "noisy": {"b": ([1], [[5, 7]]), "a": ([1, 10], [[2, 4], [6, 8]])},
}


class TestShowSpread:
    def test_means_and_each_training(self):
        labels = {"title": "a is better", "xlabel": "cost", "ylabel": "error"}
        figure = show_spread(PANELS, formula={"law": ([1, 10], [2, 2])}, log="x", **labels)
        calm, noisy = figure.axes
        assert [axes.get_title() for axes in figure.axes] == ["calm", "noisy"]
        assert lines(calm)["a"] == [[1, 10], [2, 4]]
        assert lines(noisy)["a"] == [[1, 10], [3, 7]]
        assert lines(noisy)["law"] == [[1, 10], [2, 2]]
        dots = [line for line in calm.get_lines() if line.get_marker() == "."]
        assert [dot.get_ydata().tolist() for dot in dots] == [[1, 4], [3, 4]]
        colours = {x.get_label(): x.get_color() for x in (*calm.get_lines(), *noisy.get_lines())}
        assert colours["a"] == dots[0].get_color() != colours["b"]
        assert (calm.get_xscale(), calm.get_yscale()) == ("log", "linear")
        assert "error against cost: a, b" in style.alt_text(figure)

    def test_bad_input(self):
        labels = {"title": "t", "xlabel": "x", "ylabel": "y"}
        with pytest.raises(ValueError, match="panels must contain"):
            show_spread({}, **labels)
        with pytest.raises(ValueError, match="a: expected x"):
            show_spread({"": {"a": ([1, 2], [1, 2])}}, **labels)


class TestShowConfusion:
    MATRIX = torch.tensor([[8, 2, 0], [1, 4, 0], [0, 0, 0]])

    def test_shares_of_the_true_class(self):
        figure = show_confusion(self.MATRIX, ["cat", "dog", "cow"], title="Animals")
        axes = figure.axes[0]
        shown = np.ma.filled(axes.get_images()[0].get_array().astype(float), np.nan)
        np.testing.assert_allclose(shown[:2], [[0.8, 0.2, 0], [0.2, 0.8, 0]])
        assert np.isnan(shown[2]).all()
        texts = [text.get_text() for text in axes.texts]
        assert texts == ["0.80", "0.20", "0.20", "0.80", "no examples"]
        assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")
        assert [t.get_text() for t in axes.get_xticklabels()] == ["cat", "dog", "cow"]
        assert "80.0% of examples on the diagonal" in style.alt_text(figure)

    def test_counts(self):
        axes = show_confusion(self.MATRIX, title="Counts", normalise=False).axes[0]
        assert [text.get_text() for text in axes.texts] == ["8", "2", "1", "4"]

    @pytest.mark.parametrize(
        ("matrix", "names", "said"),
        [
            (torch.ones(2, 3), None, r"\(classes, classes\), but has \(2, 3\)"),
            (torch.ones(2, 2), ["a"], "class_names must be 2 names, but are 1"),
        ],
    )
    def test_bad_arguments(self, matrix, names, said):
        with pytest.raises(ValueError, match=said):
            show_confusion(matrix, names, title="x")

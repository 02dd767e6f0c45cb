import json
import random

import matplotlib as mpl
import numpy as np
import pytest
import torch

from cvcourse.classroom import ClaimError, begin, records

TITLE = "04 One stage, and the class imbalance"
NAN, INF = float("nan"), float("inf")


def record(name="04"):
    return json.loads((records.folder() / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def run():
    return begin(TITLE)


class TestBegin:
    def test_one_line_says_what_was_chosen(self, capsys):
        begin(TITLE, seed=3, minutes=1.5)
        said = f"{TITLE} · cpu · scale small · seed 3 · takes about 1.5 min on two CPU cores\n"
        assert capsys.readouterr().out == said

    def test_without_a_measurement_it_says_what_it_took_here_last_time(self, capsys):
        first = begin(TITLE)
        first._started -= 130
        first.claim("it is so", holds=True)
        capsys.readouterr()
        begin(TITLE)
        assert "last time here its last claim came after 2.2 min" in capsys.readouterr().out

    def test_a_measurement_on_the_cpu_tells_nothing_about_full_scale(self, capsys, monkeypatch):
        monkeypatch.setenv("CVCOURSE_SCALE", "full")
        begin(TITLE, minutes=1.5)
        assert capsys.readouterr().out == f"{TITLE} · cpu · scale full · seed 0\n"

    def test_seeds_everything(self):
        def draw():
            begin(TITLE, seed=7)
            return random.random(), np.random.rand(), torch.rand(1).item()  # noqa: NPY002

        assert draw() == draw()

    def test_seed_of_the_environment_overrides_the_lessons(self, capsys, monkeypatch):
        monkeypatch.setenv("CVCOURSE_SEED", "7")
        run = begin(TITLE, seed=3)
        assert run.seed == record()["seed"] == torch.initial_seed() == 7
        assert "seed 7" in capsys.readouterr().out

    @pytest.mark.parametrize("seed", ["-1", "one", "1.5", "4294967296", "٣"])
    def test_bad_seed_of_the_environment(self, monkeypatch, seed):
        monkeypatch.setenv("CVCOURSE_SEED", seed)
        with pytest.raises(ValueError, match="CVCOURSE_SEED must be a whole number"):
            begin(TITLE)

    def test_run_knows_its_settings(self, monkeypatch):
        monkeypatch.setenv("CVCOURSE_SCALE", "full")
        run = begin(TITLE, seed=5)
        assert (run.device, run.scale, run.seed) == (torch.device("cpu"), "full", 5)
        assert run.pick(small=1, full=2) == 2

    def test_pick_small(self, run):
        assert run.pick(small=1, full=2) == 1

    def test_figure_style(self, run):
        assert mpl.rcParams["figure.constrained_layout.use"]
        assert mpl.rcParams["figure.dpi"] >= 100
        assert mpl.rcParams["axes.prop_cycle"].by_key()["color"][0] == "#0072B2"

    def test_bad_scale_leaves_no_record(self, monkeypatch):
        monkeypatch.setenv("CVCOURSE_SCALE", "tiny")
        with pytest.raises(ValueError, match="CVCOURSE_SCALE"):
            begin(TITLE)
        assert not records.folder().exists()

    def test_title_without_a_word(self):
        with pytest.raises(ValueError, match="title"):
            begin(" … ")


class TestClaim:
    @pytest.mark.parametrize(
        ("numbers", "said"),
        [
            ({"better": 0.5, "than": 0.3}, "0.5 > 0.3"),
            ({"better": 0.5, "than": 0.3, "margin": 0.1}, "0.5 > 0.3 + 0.1"),
            ({"lower": 0.1, "than": 0.3, "margin": 0.1}, "0.1 < 0.3 - 0.1"),
            (
                {"value": 34_014_999, "equals": 34_014_999, "tolerance": 0},
                "34,014,999 = 34,014,999 ± 0",
            ),
            ({"value": 1.0, "equals": 1.0005, "tolerance": 1e-3}, "1 = 1 ± 0.001"),
            ({"holds": True}, ""),
            ({"holds": np.bool_(True), "images": 300}, "images 300"),
            ({"holds": torch.tensor(True)}, ""),
            ({"better": torch.tensor([2.0]), "than": np.float32(1)}, "2 > 1"),
            ({"better": 2, "than": 1, "seeds": 3}, "2 > 1, seeds 3"),
            ({"better": INF, "than": 1}, "inf > 1"),
        ],
    )
    def test_true_sentence_is_printed_with_its_numbers(self, run, capsys, numbers, said):
        capsys.readouterr()
        run.claim("focal beats cross-entropy", **numbers)
        expected = "✓ focal beats cross-entropy" + (f": {said}" if said else "") + "\n"
        assert capsys.readouterr().out == expected
        assert record()["claims"][-1]["holds"] is True

    @pytest.mark.parametrize(
        "numbers",
        [
            {"better": 0.3, "than": 0.3},
            {"better": 0.39, "than": 0.3, "margin": 0.1},
            {"better": NAN, "than": 0.3},
            {"better": 0.3, "than": NAN},
            {"lower": 0.25, "than": 0.3, "margin": 0.1},
            {"lower": NAN, "than": 0.3},
            {"value": 1.0, "equals": 1.1, "tolerance": 0.05},
            {"value": NAN, "equals": NAN, "tolerance": 1},
            {"holds": False},
            {"holds": True, "loss": NAN},
        ],
    )
    def test_false_sentence_is_recorded_and_raises(self, run, numbers):
        with pytest.raises(ClaimError, match="does not hold: focal beats cross-entropy"):
            run.claim("focal beats cross-entropy", **numbers)
        assert record()["claims"][-1]["holds"] is False

    @pytest.mark.parametrize(
        "numbers",
        [
            {},
            {"better": 1},
            {"than": 1},
            {"better": 2, "lower": 0, "than": 1},
            {"better": 2, "than": 1, "holds": True},
            {"value": 1, "equals": 1},
            {"value": 1, "equals": 1, "tolerance": 0, "than": 2},
            {"holds": True, "than": 2},
            {"holds": True, "margin": 0.1},
            {"better": 2, "than": 1, "tolerance": 0.1},
            {"holds": 0.3},
            {"better": "much", "than": 1},
            {"better": torch.ones(2), "than": 1},
            {"better": 2, "than": 1, "margin": -1},
            {"better": 2, "than": -INF},
            {"lower": 2, "than": INF},
            {"value": 2, "equals": 1, "tolerance": INF},
        ],
    )
    def test_arguments_that_fit_no_form(self, run, numbers):
        with pytest.raises(ValueError, match=r"claim\(\) takes exactly one|must"):
            run.claim("something", **numbers)
        assert record()["claims"] == []


class TestSkip:
    def test_is_printed_and_recorded_with_its_reason(self, run, capsys):
        capsys.readouterr()
        run.skip("depth orders the disks", "photographs have no known depth")
        said = "– skipped, photographs have no known depth: depth orders the disks\n"
        assert capsys.readouterr().out == said
        assert record()["claims"] == [
            {
                "sentence": "depth orders the disks",
                "holds": None,
                "skipped": "photographs have no known depth",
            }
        ]

    def test_of_time(self, run, capsys):
        run.claim_of_time("a is quicker", lower=1.5, than=2.0)
        run.claim_of_time("b is quicker", lower=2.5, than=2)
        run.claim_of_time("c is quicker", lower=np.float32(3), than=np.int64(2))
        told = capsys.readouterr().out
        assert "✓ a is quicker: 1.5 < 2" in told
        assert "– skipped, by this clock 2.5 is not below 2: b is quicker" in told
        assert "– skipped, by this clock 3 is not below 2: c is quicker" in told
        assert [claim["holds"] for claim in run.claims] == [True, None, None]

    def test_needs_a_reason(self, run):
        with pytest.raises(ValueError, match="reason must say why"):
            run.skip("depth orders the disks", " ")
        assert record()["claims"] == []

    def test_of_a_kind(self, run, capsys):
        for skipped in (False, True):
            run.claims_unless(skipped, "photographs say otherwise")("it helps", better=2, than=1)
        assert [claim["holds"] for claim in record()["claims"]] == [True, None]
        assert record()["claims"][1]["skipped"] == "photographs say otherwise"
        with pytest.raises(ClaimError):
            run.claims_unless(False, "photographs say otherwise")("it helps", better=1, than=2)


class TestRehearsal:
    def test_of_lines_skips_claims_but_checks_their_form(self, run, capsys, monkeypatch):
        monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
        capsys.readouterr()
        run.claim("focal wins", better=1, than=2)
        assert capsys.readouterr().out == "– skipped, this is a rehearsal: focal wins\n"
        assert record()["claims"] == [
            {"sentence": "focal wins", "holds": None, "skipped": "this is a rehearsal"}
        ]
        with pytest.raises(ValueError, match="better must be one number"):
            run.claim("focal wins", better="much", than=2)

    def test_of_claims_records_what_does_not_hold_and_goes_on(self, run, capsys, monkeypatch):
        monkeypatch.setenv("CVCOURSE_REHEARSE", "claims")
        capsys.readouterr()
        run.claim("focal wins", better=1, than=2)
        run.claim("it loses", lower=1, than=2)
        assert capsys.readouterr().out == "✗ does not hold: focal wins: 1 > 2\n✓ it loses: 1 < 2\n"
        assert [claim["holds"] for claim in record()["claims"]] == [False, True]

    def test_of_nothing_else(self, run, monkeypatch):
        monkeypatch.setenv("CVCOURSE_REHEARSE", "1")
        with pytest.raises(ValueError, match="must be 'lines' or 'claims', not '1'"):
            run.claim("it loses", lower=1, than=2)


class TestRecord:
    def test_tells_all_about_the_run(self, run):
        run.claim("it is so", better=2, than=1, images=5)
        run.claim("nothing is infinite", holds=True, most=INF)
        told = record()
        assert told["title"] == TITLE
        assert (told["device"], told["scale"], told["seed"]) == ("cpu", "small", 0)
        assert told["seconds"] >= 0
        assert told["peak_memory_mb"] > 50
        assert {"python", "torch", "numpy", "cvcourse"} <= told["versions"].keys()
        assert told["claims"][0] == {
            "sentence": "it is so",
            "holds": True,
            "better": 2.0,
            "than": 1.0,
            "margin": 0.0,
            "images": 5.0,
        }
        assert told["claims"][1]["most"] == "inf"

    def test_time_goes_on_with_each_claim(self, run):
        run.claim("first", holds=True)
        run._started -= 10
        run.claim("second", holds=True)
        assert 10 <= record()["seconds"] < 30

    def test_rerun_replaces_it(self, run):
        run.claim("old", holds=True)
        begin(TITLE)
        assert record()["claims"] == []
        assert [path.name for path in records.folder().iterdir()] == ["04.json"]

    def test_only_the_first_process_writes(self, monkeypatch):
        monkeypatch.setenv("RANK", "1")
        begin(TITLE)
        assert not records.folder().exists()

    @pytest.mark.parametrize(
        ("title", "name"), [("04b More", "04b"), ("X8: Blur", "x8-blur"), ("Try this", "try-this")]
    )
    def test_name(self, title, name):
        begin(title)
        assert record(name)["title"] == title

    def test_damaged_record_is_no_obstacle(self, run):
        (records.folder() / "04.json").write_text("{", encoding="utf-8")
        begin(TITLE)
        assert record()["claims"] == []


class TestFolder:
    def test_root_of_the_course(self, monkeypatch, tmp_path):
        monkeypatch.delenv("CVCOURSE_RECORDS")
        (tmp_path / "pyproject.toml").write_text('[project]\nname = "cvcourse"\n', encoding="utf-8")
        (tmp_path / "lessons").mkdir()
        monkeypatch.chdir(tmp_path / "lessons")
        assert records.folder() == tmp_path / "build" / "records"

    @pytest.mark.parametrize("other", ['[project]\nname = "else"\n', "[tool.x]\n", "not toml ["])
    def test_elsewhere_it_is_the_current_folder(self, monkeypatch, tmp_path, other):
        monkeypatch.delenv("CVCOURSE_RECORDS")
        (tmp_path / "pyproject.toml").write_text(other, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        assert records.folder() == tmp_path / "build" / "records"

"""Lesson 42b's BLEU beside the numbers of nltk, sacrebleu and COCO's evaluation."""

import json
import math
from collections import Counter

import numpy as np
import pytest

from tests import oracle
from tests.lessons.test_checks_of_detectors import functions

CASE = json.loads((oracle.FOLDER / "design_language/captions.json").read_text(encoding="utf-8"))


@pytest.fixture
def bleu():
    given = {"math": math, "np": np, "Counter": Counter}
    return functions("42b", "formula-4", **given)["bleu"]


def test_bleu_is_the_libraries(bleu):
    """nltk's BLEU-4 is lower: a caption of three words counts there as a run of four, not found."""
    captions, references = CASE["hypotheses"], CASE["references"]
    found = [bleu(captions, references, most) for most in range(1, 5)]
    np.testing.assert_allclose(found, CASE["coco"]["bleu"], atol=1e-8, rtol=0)
    assert found[3] == pytest.approx(CASE["sacrebleu"]["score"] / 100, abs=1e-9)
    for most in range(1, 4):
        assert found[most - 1] == pytest.approx(CASE["nltk_corpus"][f"bleu{most}"], abs=1e-9)
    assert found[3] - CASE["nltk_corpus"]["bleu4"] > 0.005


def test_captions_shorter_than_their_references_pay(bleu):
    library = pytest.importorskip("sacrebleu").metrics.BLEU(
        tokenize="none", smooth_method="none", force=True
    )
    captions = [caption.rsplit(" ", 1)[0] for caption in CASE["hypotheses"]]
    first = [some[0] for some in CASE["references"]]
    theirs = library.corpus_score(captions, [first])
    assert theirs.bp < 1
    assert bleu(captions, [[some] for some in first]) == pytest.approx(theirs.score / 100, abs=1e-9)

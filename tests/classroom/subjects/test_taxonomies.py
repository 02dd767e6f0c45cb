from cvcourse.classroom.subjects.taxonomies import show_affinities, show_taxonomy, show_ways
from cvcourse.methods import Transfer, find_taxonomy

NAMES = ("a", "b", "c")
WAYS = [Transfer((s,), t, p) for (s, t), p in {("a", "a"): 0.7, ("a", "b"): 0.4}.items()]


def test_a_taxonomy_is_told_in_words_and_drawn_by_its_ways():
    found = find_taxonomy(WAYS, budget=1)
    figure = show_taxonomy(found, NAMES, ("a", "b"), title="One source")
    assert "Labelled: a. " in figure.alt_text
    assert "b from a" in figure.alt_text
    [axes] = figure.axes
    assert [list(line.get_xdata()) for line in axes.get_lines()] == [[0, 0], [0, 1]]
    texts = [text.get_text() for text in axes.texts]
    assert sorted(t for t in texts if len(t) == 1) == ["a", "a", "b", "b", "c"]


def test_columns_of_affinities_are_rescaled_and_written_down():
    table = {("a", "x"): 2.0, ("b", "x"): 6.0, ("a", "y"): 0.001, ("b", "y"): 0.999}
    figure = show_affinities({"ours": table}, ("a", "b"), ("x", "y"), title="Two by two")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0.25", "<.005", "0.75", "1.00"]


def test_ways_name_all_layers():
    figure = show_ways(title="Three ways")
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [texts.count(f"$w_{i}$") for i in range(1, 7)] == [3] * 6
    assert {"from scratch", "fine-tune", "freeze"} <= set(texts)

from cvcourse.classroom.subjects.answers import TITLES, show_answers
from cvcourse.data.scenes import Clips


def test_a_picture_and_seven_answers_to_it():
    figure = show_answers(*Clips(3, frames=2, size=48, objects=2)[1], title="All of it")
    assert [axes.get_title() for axes in figure.axes] == list(TITLES)
    assert not any(axes.axison for axes in figure.axes)  # maps have no frame either
    assert figure.get_suptitle() == "All of it"
    assert all(name in figure.alt_text for name in TITLES)

import base64
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from cvcourse.classroom import show_film
from cvcourse.classroom.figures import films
from scripts.pages.lessons import Figures


def ramp(frames=3, size=(8, 12)):
    """A film that grows from black to white."""
    return torch.linspace(0, 1, frames)[:, None, None, None].expand(frames, 3, *size)


def centre(image):
    pixels = np.asarray(image.convert("RGB"), float)
    return pixels[pixels.shape[0] * 2 // 3, pixels.shape[1] // 2].mean() / 255


def test_every_frame_is_shown_for_its_time():
    film = Image.open(io.BytesIO(show_film(ramp(), title="Dawn", rate=5).film))
    frames = [(centre(frame), frame.info["duration"]) for frame in ImageSequence.Iterator(film)]
    np.testing.assert_allclose([level for level, _ in frames], [0, 0.5, 1], atol=0.03)
    assert [duration for _, duration in frames] == [200] * 3
    assert film.info["loop"] == 0


def test_the_still_is_the_frame_that_was_asked_for():
    film = show_film(ramp(), title="Dawn", still=2)
    assert centre(Image.open(io.BytesIO(film.still))) == 1


def test_films_side_by_side():
    film = show_film({"day": ramp(), "night": 1 - ramp()[:, 0]}, title="Twins")
    assert film.alt == "Twins. 2 films of 3 frames: day, night."
    assert Image.open(io.BytesIO(film.film)).size == film.size


def test_what_stands_still_does_not_move_while_the_layout_settles():
    still = torch.rand(1, 3, 48, 48).expand(5, 3, 48, 48)
    with plt.rc_context({"figure.constrained_layout.use": True}):  # as in lessons
        film = show_film({"a": still, "b": still}, title="Twins")
    frames = list(ImageSequence.Iterator(Image.open(io.BytesIO(film.film))))
    assert len(frames) == 1  # WebP joins what is equal


def test_notebooks_and_exporters_read_the_same_text():
    film = show_film(ramp(), title="<Dawn>", alt='a "sun"')
    shown, about = film._repr_mimebundle_()
    assert 'alt="a &quot;sun&quot;"' in shown["text/html"]
    assert "prefers-reduced-motion" in shown["text/html"]
    assert base64.b64decode(shown["image/png"]) == film.still
    assert about == {"image/png": {"alt": 'a "sun"'}}


@pytest.mark.parametrize(
    ("pictures", "options", "message"),
    [
        ({"a": ramp(3), "b": ramp(4)}, {}, "as many frames each"),
        (ramp(0), {}, "1 or more"),
        (ramp(), {"still": 3}, "still must be one of the 3 frames"),
    ],
)
def test_refuses(pictures, options, message):
    with pytest.raises(ValueError, match=message):
        show_film(pictures, title="x", **options)


def test_a_film_that_a_page_cannot_hold(monkeypatch):
    monkeypatch.setattr(films, "LARGEST", 100)
    with pytest.raises(ValueError, match="100 bytes"):
        show_film(ramp(), title="Dawn")


def test_the_site_has_a_button_that_stops_it(tmp_path):
    film = show_film(ramp(), title="Dawn")
    figures = Figures(tmp_path / "40")
    data = {"text/html": film.as_html(), "image/png": ""}
    output = figures.shown({"output_type": "display_data", "metadata": {}, "data": data})
    text = output["data"]["text/html"]
    assert re.search(
        r'data-film="\.\./_static/figures/40/01\.webp" data-still="[^"]+01\.png"', text
    )
    assert "<button" in text
    assert (tmp_path / "40" / "01.webp").read_bytes() == film.film
    assert figures.made == [(tmp_path / "40" / "01.png", film.alt)]

import io
from datetime import datetime

import numpy as np
import pytest
import torch
from PIL import Image

from cvcourse.classroom.explorer import VisionExplorer
from cvcourse.classroom.explorer.pairs import PAIRS
from cvcourse.classroom.explorer.pictures_to_choose import LONGEST, PICTURES, own_picture


def file_of(picture: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def page():
    return VisionExplorer()


def upload(page, name, content):
    file = {"name": name, "type": "image/png", "size": len(content)}
    file |= {"content": memoryview(content), "last_modified": datetime.now()}
    page.upload.value = (file,)


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_to_choose(name):
    image = PICTURES[name]()
    assert image.shape[0] == 3
    assert image.dtype == torch.float32
    assert 0 <= image.min() < image.max() <= 1


def test_ask_shows_the_picture_and_a_card_for_each_model(page):
    page.picture.value, page.task.value = "scene: a digit among scraps", "digit"
    page.ask.click()
    assert page.answers.value.count("<article>") == 3
    assert "Spatial transformer" in page.answers.value
    assert "2 answers" in page.status.value
    assert not page.ask.disabled


def test_motion_is_asked_between_a_picture_and_its_moved_copy(page):
    page.picture.value = "coffee"
    assert page.shift.layout.display == "none"
    page.task.value = "flow"
    assert page.shift.layout.display == ""
    page.right.value, page.down.value = -7, 3
    assert page.pair().flow[:, 0, 0].tolist() == [-7, 3]
    page.ask.click()
    assert page.answers.value.count("<article>") == 6
    assert "3 answers" in page.status.value
    assert "Known for 100% of the pixels" in page.answers.value
    assert "“nothing moves” by 7.6" in page.answers.value
    page.task.value = "depth"
    assert page.shift.layout.display == "none"


def test_motion_between_two_frames_of_the_course(page):
    page.task.value = "flow"
    page.picture.value = next(name for name in PAIRS if "motorcycle" in name)
    assert page.shift.layout.display == "none"
    assert page.pair().first.shape == (3, 62, 92)
    page.ask.click()
    known = page.pair().flow.isfinite().all(0).float().mean()
    assert known < 1
    assert f"Known for {known:.0%} of the pixels" in page.answers.value
    upload(page, "grey.png", file_of(Image.new("RGB", (30, 50), "gray")))
    assert page.shift.layout.display == ""
    assert page.pair().first.shape == (3, 64, 64)
    page.picture.value = "camera"
    assert page.shift.layout.display == ""


def test_a_picture_of_ones_own(page):
    red = np.zeros((30, 50, 3), np.uint8)
    red[..., 0] = 255
    upload(page, "red.png", file_of(Image.fromarray(red)))
    assert page.image().shape == (3, 30, 50)
    assert page.image()[0].min() == 1
    assert "red.png, 50 × 30 pixels" in page.status.value
    page.picture.value = "coffee"
    assert page.image().shape == PICTURES["coffee"]().shape


def test_what_is_no_picture_is_refused_in_words(page):
    upload(page, "<i>notes.txt", b"no picture at all")
    assert "cannot be read as a picture" in page.status.value
    assert "<i>" not in page.status.value
    assert page.image().shape == PICTURES["scene: shapes"]().shape


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_kinds_of_files(kind):
    assert own_picture(file_of(Image.new("L", (40, 30), 128), kind)).shape == (3, 30, 40)


def test_large_ones_are_made_smaller_and_turned_ones_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned
    content = file_of(Image.new("RGB", (3000, 1500)), "JPEG", exif=exif)
    assert own_picture(content).shape == (3, LONGEST, LONGEST // 2)


def test_transparent_and_tiny_ones():
    assert own_picture(file_of(Image.new("RGBA", (20, 20)))).shape == (3, 20, 20)
    with pytest.raises(ValueError, match="300 x 3 pixels, too few"):
        own_picture(file_of(Image.new("RGB", (300, 3))))


def test_questions_are_those_that_have_a_model(page):
    before = dict(page.task.options)
    page.task.value = "depth"
    page.published.value = True
    assert page.task.value == "depth"
    assert set(before) <= set(dict(page.task.options))
    assert set(dict(page.task.options).values()) - set(before.values()) == {"classification"}
    page.task.value = "classification"
    page.published.value = False
    assert dict(page.task.options) == before
    assert page.task.value in before.values()

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex

from cvcourse.classroom import draw_image, show_gallery, show_images
from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.pictures import to_picture


def drawn(axes):
    return np.asarray(axes.get_images()[0].get_array())


class TestToPicture:
    def test_colours_last(self):
        image = torch.rand(3, 4, 5)
        np.testing.assert_array_equal(to_picture(image), image.permute(1, 2, 0))

    @pytest.mark.parametrize("shape", [(1, 4, 5), (4, 5)])
    def test_grey(self, shape):
        assert to_picture(torch.rand(shape)).shape == (4, 5)

    def test_bytes(self):
        np.testing.assert_allclose(to_picture(torch.full((3, 2, 2), 51, dtype=torch.uint8)), 0.2)

    @pytest.mark.parametrize("dtype", [torch.int16, torch.int64, torch.uint16], ids=str)
    def test_bytes_and_masks_in_wider_integers(self, dtype):
        np.testing.assert_allclose(to_picture(torch.full((2, 2), 51).to(dtype)), 0.2)
        mask = torch.tensor([[0, 1]]).to(dtype)
        np.testing.assert_array_equal(to_picture(mask), [[0, 1]])

    @pytest.mark.parametrize("values", [[0, 256], [-1, 3], [0, 65535]])
    def test_integers_that_are_no_bytes(self, values):
        with pytest.raises(
            ValueError, match=rf"must hold 0 to 255, got {values[0]} to {values[1]}"
        ):
            to_picture(torch.tensor([values]))

    def test_clipped(self):
        np.testing.assert_array_equal(to_picture(torch.tensor([[-1.0, 2.0]])), [[0, 1]])

    def test_gradients_halves_and_arrays(self):
        assert to_picture(torch.rand(3, 2, 2, requires_grad=True)).dtype == np.float32
        assert to_picture(torch.rand(3, 2, 2).bfloat16()).dtype == np.float32
        assert to_picture(np.random.default_rng(0).random((3, 2, 2))).dtype == np.float32

    @pytest.mark.parametrize("shape", [(4, 5, 3), (2, 4, 5), (4,), (1, 3, 4, 5)])
    def test_other_shapes(self, shape):
        with pytest.raises(ValueError, match=r"picture must have the shape \(3, H, W\)"):
            to_picture(torch.rand(shape))


class TestShowImages:
    def test_draws_what_it_is_given(self):
        images = torch.rand(3, 3, 4, 5)
        figure = show_images(images, ["a", "b", "c"], title="Noise")
        assert figure.get_suptitle() == "Noise"
        assert [axes.get_title() for axes in figure.axes] == ["a", "b", "c"]
        for axes, image in zip(figure.axes, images, strict=True):
            np.testing.assert_array_equal(drawn(axes), image.permute(1, 2, 0))
        assert style.alt_text(figure) == "Noise. 3 pictures: a, b, c."

    def test_pixels_reach_from_edge_to_edge(self):
        figure = show_images(torch.rand(3, 4, 5), title="One")
        assert (figure.axes[0].get_xlim(), figure.axes[0].get_ylim()) == ((0, 5), (4, 0))

    @pytest.mark.parametrize(
        ("count", "columns", "shape"),
        [(1, None, (1, 1)), (6, None, (1, 6)), (8, None, (2, 4)), (7, 3, (3, 3))],
    )
    def test_grid(self, count, columns, shape):
        figure = show_images(torch.rand(count, 1, 4, 4), title="Many", columns=columns)
        assert figure.axes[0].get_gridspec().get_geometry() == shape
        assert sum(len(axes.get_images()) for axes in figure.axes) == count

    def test_batch_of_greys_needs_its_channel(self):
        assert len(show_images(torch.rand(2, 1, 4, 4), title="Greys").axes) == 2

    def test_alternative_text_can_be_given(self):
        assert style.alt_text(show_images(torch.rand(4, 4), title="x", alt="Mine")) == "Mine"

    def test_titles_are_as_many_as_pictures(self):
        with pytest.raises(ValueError, match="titles must be 2 texts, but are 1"):
            show_images([torch.rand(4, 4)] * 2, ["a"], title="x")

    def test_no_pictures(self):
        with pytest.raises(ValueError, match="at least one picture"):
            show_images([], title="x")

    def test_different_sizes_side_by_side(self):
        figure = show_images([torch.rand(3, 4, 4), torch.rand(8, 6)], title="x")
        assert [drawn(axes).shape[:2] for axes in figure.axes] == [(4, 4), (8, 6)]


class TestShowGallery:
    def test_marks_and_titles(self):
        rows = [torch.rand(3, 1, 4, 4), torch.rand(2, 1, 4, 4)]
        correct = [[None, True, False], [None, True]]
        captions = [["query", "1st", "2nd"], ["query", "1st"]]
        figure = show_gallery(
            rows, ["one", "two"], title="Found", correct=correct, captions=captions
        )
        cells = np.array(figure.axes).reshape(2, 3)
        assert [row[0].get_ylabel() for row in cells] == ["one", "two"]
        assert cells[0, 1].get_title() == "1st"
        assert [text.get_text() for text in cells[0, 2].texts] == ["✗"]
        assert to_hex(cells[0, 1].spines["top"].get_edgecolor()) == style.BLUE.lower()
        assert to_hex(cells[0, 2].spines["top"].get_edgecolor()) == style.VERMILION.lower()
        assert not cells[0, 0].texts
        assert not cells[1, 2].axison
        assert "2 of 3 are right" in style.alt_text(figure)

    def test_without_marks(self):
        figure = show_gallery([[torch.rand(3, 4, 4)]], title="One")
        assert style.alt_text(figure) == "One. 1 row of pictures."


def test_draw_image_in_greys_from_black_to_white():
    _, axes = plt.subplots()
    draw_image(axes, torch.full((4, 4), 0.5))
    assert axes.get_images()[0].get_clim() == (0, 1)

"""Edits of which the right answer is known: digits in clothes, heads under lights."""

import colorsys
import math

import pytest
import torch

from cvcourse.classroom.subjects import edits
from cvcourse.data import heads
from cvcourse.ops import lambert_shading
from tests.data.tiny import write_afhq


def clothes_and_hues(count):
    return torch.arange(count) % 3, torch.rand(count, generator=torch.Generator().manual_seed(1))


class TestDigits:
    def test_a_split_is_a_function_of_its_seed(self):
        one, again, other = (edits.draw_digits("val", 5, seed=s) for s in (2, 2, 3))
        assert torch.equal(one.coverage, again.coverage)
        assert not torch.equal(one.coverage, other.coverage)
        assert one.coverage.shape == (5, 1, 16, 16)
        assert 0 <= one.coverage.min() <= one.coverage.max() <= 1

    def test_no_font_is_in_two_splits(self):
        fonts = [font for split in edits.FONTS.values() for font in split]
        assert sorted(fonts) == list(range(11))

    def test_bad_input(self):
        with pytest.raises(ValueError, match="split"):
            edits.draw_digits("tests", 1)
        with pytest.raises(ValueError, match="size"):
            edits.draw_digits("test", 1, size=20)


def test_dressed_digits():
    drawn = edits.dressed_digits("val", 9, seed=3)
    assert torch.equal(drawn.coverage, edits.draw_digits("val", 9, seed=3).coverage)
    assert drawn.clothes.bincount().tolist() == [3, 3, 3]
    assert torch.equal(drawn.pictures, edits.dressed(drawn.coverage, drawn.clothes, drawn.hues))


def test_a_rehearsal_sees_few(monkeypatch):
    monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
    assert len(edits.dressed_digits("val", 300).pictures) == 240
    assert len(edits.lit_heads("val", 9, lights=2, size=32).images) == 8


def test_he_initialised():
    net = edits.he_initialised(torch.nn.Sequential(torch.nn.Conv2d(16, 64, 3)))
    assert abs(net[0].weight.std() - (2 / (16 * 9)) ** 0.5) < 0.01
    assert (net[0].bias == 0).all()


class TestDressed:
    @pytest.mark.parametrize("hue", [0.0, 0.2, 0.55, 0.9])
    def test_colours_by_colorsys(self, hue):
        full = torch.tensor(colorsys.hsv_to_rgb(hue, 1, 1))
        tone = 0.15 + 0.7 * full
        coverage = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2).expand(3, -1, -1, -1)
        found = (edits.dressed(coverage, torch.arange(3), torch.full((3,), hue)) + 1) / 2
        wanted = [(tone, torch.ones(3)), (torch.ones(3), tone), (tone / 0.85, torch.zeros(3))]
        for picture, (there, paper) in zip(found, wanted, strict=True):
            torch.testing.assert_close(picture[:, 0, 0], there, atol=1e-5, rtol=0)
            torch.testing.assert_close(picture[:, 0, 1], paper, atol=1e-5, rtol=0)

    def test_hues_are_read_off(self):
        coverage, _ = edits.draw_digits("test", 60)
        clothes, hues = clothes_and_hues(60)
        read = edits.hues_of(edits.dressed(coverage, clothes, hues))
        assert edits.around(read, hues).max() < 0.02

    def test_around_the_circle(self):
        found = edits.around(torch.tensor([0.95, 0.2, 0.0]), torch.tensor([0.05, 0.5, 0.5]))
        torch.testing.assert_close(found, torch.tensor([0.1, 0.3, 0.5]))

    def test_the_truth_is_nearest(self):
        coverage, _ = edits.draw_digits("test", 6)
        clothes = torch.arange(6) % 3
        true = edits.dressed(coverage, clothes, torch.full((6,), 5 / edits.HUES))
        assert edits.nearest_true(true, coverage, clothes).max() < 1e-6
        grey = edits.nearest_true(true + 0.1, coverage, clothes)
        assert grey.max() <= 0.05 + 1e-6  # of 2; where it is white already nothing is added
        others = edits.nearest_true(true, coverage, (clothes + 1) % 3)
        assert others.min() > 0.2


def test_errands():
    coverage, _ = edits.draw_digits("train", 30)
    clothes, hues = clothes_and_hues(30)
    pictures = edits.dressed(coverage, clothes, hues)
    errands = edits.Errands(pictures, clothes, 3, seed=4, latent=5, size=7)
    batches, again = list(errands), list(errands)
    assert len(batches) == len(errands) == 3
    batch = batches[0]
    assert batch.latents.shape == (2, 7, 5)
    assert torch.equal(batch.references, again[0].references)
    for row in range(2):
        for picture, target in zip(batch.references[row], batch.targets, strict=True):
            same = [k for k in range(30) if torch.equal(pictures[k], picture)]
            assert len(same) == 1
            assert clothes[same[0]] == target


class TestExam:
    drawn = edits.dressed_digits("test", 30)

    @pytest.fixture
    def exam(self):
        return edits.exam(self.drawn, latent=5, seed=3)

    @pytest.fixture
    def reader(self):
        """Says in which of the true pictures it was asked for, pixel by pixel."""
        wanted = self.drawn

        class Knows(torch.nn.Module):
            def read(self, pictures):
                exam = edits.exam(wanted, latent=5, seed=3)
                right = [
                    any(torch.equal(x, true[i]) for true in exam.truths)
                    for i, x in enumerate(pictures)
                ]
                right = torch.tensor(right)
                return exam.targets * right - 1 * ~right, wanted.digits * right - 1 * ~right

        return Knows()

    def test_asks_for_other_clothes(self, exam):
        assert (exam.targets != self.drawn.clothes).all()
        assert exam.luck.shape == (2, 30, 5)
        for picture, target in zip(exam.references[1], exam.targets, strict=True):
            same = [k for k in range(30) if torch.equal(self.drawn.pictures[k], picture)]
            assert self.drawn.clothes[same[0]] == target

    def test_the_truth_has_all_marks(self, exam, reader):
        marks = edits.marks(exam, reader, exam.truths)
        assert marks["clothes"] == marks["digit"] == 1
        assert marks["to truth"] < 0.01
        assert marks["diversity"] == pytest.approx(1, abs=1e-5)
        assert 0.1 < marks["hues apart"] < 0.4

    def test_a_reference_has_its_hue_and_another_digit(self, exam, reader):
        marks = edits.marks(exam, reader, exam.references)
        assert marks["off reference"] == 0
        assert marks["clothes"] == marks["digit"] == 0  # of this reader
        assert edits.marks(exam, reader, [exam.truths[0]] * 2)["diversity"] == 0


def test_reader():
    coverage, digits = edits.draw_digits("train", 600)
    clothes, hues = clothes_and_hues(600)
    pictures = edits.dressed(coverage, clothes, hues)
    reader = edits.trained_reader(pictures, clothes, digits, 60)
    put_on, _ = reader.read(pictures)
    assert (put_on == clothes).float().mean() > 0.9


class TestHeads:
    @pytest.fixture(scope="class")
    def lit(self):
        return edits.lit_heads("test", 3, lights=4, size=32)

    def test_pictures_are_the_simulator_s(self, lit):
        head, light = heads.draw_head(1, size=32, split="test"), heads.draw_light(6, split="test")
        assert torch.equal(lit.lights[1, 2], light)
        assert torch.equal(lit.images[1, 2], heads.shine(head, light).image)

    def test_decibels_within_the_head(self, lit):
        index, old, new = torch.arange(3), torch.zeros(3).long(), torch.ones(3).long()
        pair = edits.paired(lit, index, old, new)
        off = pair.wanted + torch.where(pair.mask, 0.1, 7.0)
        torch.testing.assert_close(edits.decibels(off, pair), torch.full((3,), 20.0))

    def test_pairs_have_two_lights(self, lit):
        pairs = edits.Pairs(lit, 2, seed=0, size=20)
        batch, again = next(iter(pairs)), next(iter(pairs))
        assert len(list(pairs)) == len(pairs) == 2
        assert torch.equal(batch.wanted, again.wanted)
        assert ((batch.light - batch.new_light).norm(dim=1) > 1e-3).all()
        assert batch.image.shape == (20, 3, 32, 32)

    def test_lights_of_matte_heads(self, lit):
        lights = torch.tensor([[0.0, 0, 1], [0.6, 0, 0.8], [0, -0.8, 0.6]])
        shading = torch.einsum("bchw,bc->bhw", lit.normals, lights)[:, None].clamp(min=0)
        for strength in (1.0, 0.5):
            images = strength * lit.albedo * shading
            found = edits.fitted_lights(images, lit.albedo, lit.normals, lit.masks)
            torch.testing.assert_close(found, strength * lights, atol=0.02, rtol=0)

    def test_lights_of_glossy_heads_with_shadows(self, lit):
        found = [
            edits.fitted_lights(lit.images[:, k], lit.albedo, lit.normals, lit.masks)
            for k in range(4)
        ]
        for k, lights in enumerate(found):
            lights = lights / lights.norm(dim=1, keepdim=True)
            degrees = (lights * lit.lights[:, k]).sum(1).clamp(-1, 1).acos() * 180 / math.pi
            assert degrees.max() < 15

    def test_in_batches(self, lit):
        index, old, new = torch.arange(3), torch.zeros(3).long(), torch.ones(3).long()
        pair = edits.paired(lit, index, old, new)
        asked = []

        def answer(some):
            asked.append(len(some.image))
            return some.image * some.new_light[:, :, None, None]

        found = edits.in_batches(answer, pair, size=2)
        assert asked == [2, 1]
        assert torch.equal(found, pair.image * pair.new_light[:, :, None, None])

    def test_the_mean_of_one_head_is_that_head(self, lit):
        one = edits.LitHeads(*(field[:1] for field in lit))
        index = torch.zeros(2).long()
        pair = edits.paired(one, index, torch.tensor([0, 1]), torch.tensor([2, 0]))
        tone = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1)
        old, new = (
            tone * pair.mask * lambert_shading(pair.normals, x)
            for x in (pair.light, pair.new_light)
        )
        matte = pair._replace(image=old, wanted=new)
        mean = edits.MeanHead(one, matte)
        assert (mean.floor, mean.share) == (min(mean.floors), 1)
        torch.testing.assert_close(mean.lit(matte) * pair.mask, new)
        bright = lambert_shading(pair.normals, pair.light) > mean.floor
        assert ((mean.by_ratio(matte) - new).abs() * bright).max() < 1e-6
        assert edits.decibels(mean.by_ratio(matte, 0.8), matte).mean() < 30

    def test_light_and_colour_are_told_apart(self, lit):
        index, old, new = torch.arange(3), torch.zeros(3).long(), torch.ones(3).long()
        pair = edits.paired(lit, index, old, new)
        matte = {
            k: pair.albedo * torch.einsum("bchw,bc->bhw", pair.normals, light)[:, None].clamp(min=0)
            for k, light in (("old", pair.light), ("new", pair.new_light))
        }
        moved = (pair.light * pair.new_light).sum(1).acos() * 180 / math.pi
        for images, degrees, colour in (
            (matte["new"], torch.zeros(3), 0.0),
            (0.7 * matte["new"], torch.zeros(3), 0.3),
            (matte["old"], moved, 0.0),
        ):
            by_light, by_colour = edits.errors_of_light_and_colour(images, pair)
            torch.testing.assert_close(by_light, degrees, atol=1.0, rtol=0)
            torch.testing.assert_close(by_colour, torch.full((3,), colour), atol=0.02, rtol=0)

    def test_a_black_picture_has_some_light(self, lit):
        found = edits.fitted_lights(0 * lit.albedo, lit.albedo, lit.normals, lit.masks)
        assert found.isfinite().all()


def test_animals(tmp_path):
    write_afhq(tmp_path, count=2)  # of 40 x 60 pixels
    pictures, domains = edits.animals(tmp_path, "train", size=20)
    assert domains.tolist() == [0, 0, 1, 1, 2, 2]
    image, _ = edits.real.Afhq(tmp_path, "train")[3]
    mean = image.view(3, 20, 2, 20, 3).mean((2, 4))
    torch.testing.assert_close(pictures[3], 2 * mean - 1)
    assert -1 <= pictures.min() < pictures.max() <= 1

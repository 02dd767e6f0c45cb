import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cvcourse.data.polygons import (
    coco_annotation,
    coco_dataset,
    level_outlines,
    mask_to_polygons,
    mask_to_runs,
    polygon_area,
    polygons_to_mask,
    runs_to_mask,
    simplify_polygon,
)
from cvcourse.data.real import Coco

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
pytestmark = pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")


@pytest.fixture(scope="module")
def peer():
    return pytest.importorskip("pycocotools.mask", reason="pycocotools comes with extra 'bench'")


def disc(radius=20.0, size=(60, 50)):
    y, x = np.indices(size) + 0.5
    return (x - 25) ** 2 + (y - 30) ** 2 < radius**2


class TestPolygons:
    @settings(max_examples=200, deadline=None)
    @given(MASKS)
    def test_outlines_filled_again_are_the_mask(self, mask):
        polygons = mask_to_polygons(mask)
        assert np.array_equal(polygons_to_mask(polygons, mask.shape), mask)
        assert sum(polygon_area(p) for p in polygons) == mask.sum()

    def test_outlines_of_a_soft_mask_lie_between_the_pixels(self):
        y, x = np.indices((60, 50)) + 0.5
        soft = 1 / (1 + np.exp(np.hypot(x - 25, y - 30) - 20))
        (outline,) = level_outlines(soft)
        np.testing.assert_allclose(np.hypot(*(outline - (25, 30)).T), 20, atol=0.02)
        assert polygon_area(outline) == pytest.approx(np.pi * 400, rel=1e-3)

    def test_outlines_of_a_level_longest_first_holes_the_other_way_and_closed_at_the_border(self):
        mask = np.zeros((12, 12))
        mask[2:9, 0:9] = 1
        mask[4:6, 4:6] = 0
        outline, hole = level_outlines(mask)
        assert polygon_area(outline) == 63 - 0.5  # corners are cut
        assert polygon_area(hole) == -(4 - 0.5)
        assert outline.min(0).tolist() == [0, 2]
        assert level_outlines(np.zeros((4, 4))) == []

    @settings(max_examples=100, deadline=None)
    @given(MASKS)
    def test_outlines_turn_at_every_corner(self, mask):
        for polygon in mask_to_polygons(mask):
            steps = np.roll(polygon, -1, axis=0) - polygon
            horizontal = steps[:, 1] == 0
            assert (horizontal ^ (steps[:, 0] == 0)).all()  # along the pixels' edges
            assert (horizontal != np.roll(horizontal, 1)).all()

    def test_by_hand(self):
        mask = np.zeros((5, 6), bool)
        mask[1:4, 1:5] = True
        mask[2, 3] = False
        outline, hole = mask_to_polygons(mask)
        assert outline.tolist() == [[1, 1], [5, 1], [5, 4], [1, 4]]
        assert (polygon_area(outline), polygon_area(hole)) == (12, -1)
        assert sorted(hole.tolist()) == [[3, 2], [3, 3], [4, 2], [4, 3]]

    def test_pixels_that_meet_at_a_corner_are_two_objects(self):
        assert len(mask_to_polygons(np.eye(2, dtype=bool))) == 2
        assert len(mask_to_polygons(~np.pad(np.eye(2, dtype=bool), 1))) == 2  # a hole of both

    @settings(max_examples=50, deadline=None)
    @given(MASKS)
    def test_pycocotools_fills_outlines_to_the_same_pixels(self, peer, mask):
        polygons = [p for p in mask_to_polygons(mask) if polygon_area(p) > 0]
        if not polygons:
            return
        filled = polygons_to_mask([polygons[0]], mask.shape)
        (theirs,) = peer.frPyObjects([polygons[0].ravel().tolist()], *mask.shape)
        assert np.array_equal(peer.decode(theirs) > 0, filled)

    @pytest.mark.parametrize(("tolerance", "most"), [(0.5, 75), (1.0, 30), (3.0, 12)])
    def test_simplified_outlines_stay_near(self, tolerance, most):
        (polygon,) = mask_to_polygons(disc())
        simple = simplify_polygon(polygon, tolerance)
        assert 3 <= len(simple) <= most < len(polygon)
        ends = np.roll(simple, -1, axis=0)
        for corner in polygon:  # distance to the nearest side
            along = ((corner - simple) * (ends - simple)).sum(1) / ((ends - simple) ** 2).sum(1)
            nearest = simple + along.clip(0, 1)[:, None] * (ends - simple)
            assert np.linalg.norm(nearest - corner, axis=1).min() <= tolerance + 1e-9
        filled = polygons_to_mask([simple], (60, 50))
        assert (filled & disc()).sum() / (filled | disc()).sum() > 0.98 - 0.05 * tolerance

    def test_simplifying_never_leaves_a_line(self):
        triangle = np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 1.0]])
        assert len(simplify_polygon(triangle, 100.0)) == 3


class TestRuns:
    @settings(max_examples=200, deadline=None)
    @given(MASKS, st.booleans())
    def test_come_back(self, mask, compress):
        runs = json.loads(json.dumps(mask_to_runs(mask, compress=compress)))
        assert np.array_equal(runs_to_mask(runs), mask)

    @settings(max_examples=100, deadline=None)
    @given(MASKS)
    def test_are_pycocotools(self, peer, mask):
        theirs = peer.encode(np.asfortranarray(mask, np.uint8))
        ours = mask_to_runs(mask, compress=True)
        assert (tuple(ours["size"]), ours["counts"]) == (
            tuple(theirs["size"]), theirs["counts"].decode(),
        )  # fmt: skip
        listed = peer.frPyObjects(mask_to_runs(mask), *mask.shape)
        assert listed["counts"] == theirs["counts"]

    def test_long_runs_are_pycocotools(self, peer):
        mask = np.zeros((500, 700), bool)
        mask[100:333, 50:600] = disc(2000, (233, 550))
        mask[17, 650] = True
        theirs = peer.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
        assert mask_to_runs(mask, compress=True)["counts"] == theirs

    def test_by_hand(self):
        mask = np.array([[True, False], [True, True]])
        assert mask_to_runs(mask) == {"size": [2, 2], "counts": [0, 2, 1, 1]}

    def test_runs_that_do_not_fill_the_picture_are_refused(self):
        with pytest.raises(ValueError, match="runs of 5 pixels cannot fill 2 x 3"):
            runs_to_mask({"size": [2, 3], "counts": [2, 3]})
        with pytest.raises(ValueError, match="cannot fill 2 x 3"):  # at once, without 100 TB
            runs_to_mask({"size": [2, 3], "counts": [0, 10**14]})


class TestCoco:
    def masks(self):
        two = np.zeros((60, 50), bool)
        two[2:6, 3:9] = two[40:50, 20:41] = True
        ring = disc() & ~disc(8)
        return [disc(), two, ring]

    def annotations(self):
        return [
            coco_annotation(mask, image_id=7, category_id=i + 1, annotation_id=i + 1)
            for i, mask in enumerate(self.masks())
        ]

    def dataset(self):
        images = [{"id": 7, "file_name": "a.jpg", "height": 60, "width": 50}]
        return coco_dataset(images, self.annotations(), ("background", "one", "two", "three"))

    def test_one_part_two_parts_and_a_hole(self):
        one, two, ring = (a["segmentation"] for a in self.annotations())
        assert len(one) == 1
        assert len(two) == 2
        assert ring["size"] == [60, 50]

    def test_pycocotools_reads_the_same_masks_boxes_and_areas(self, peer, tmp_path):
        from pycocotools.coco import COCO

        file = tmp_path / "annotations.json"
        file.write_text(json.dumps(self.dataset()), encoding="utf-8")
        coco = COCO(str(file))
        for annotation, mask in zip(coco.loadAnns(coco.getAnnIds(7)), self.masks(), strict=True):
            assert np.array_equal(coco.annToMask(annotation) > 0, mask)
            runs = coco.annToRLE(annotation)
            assert annotation["area"] == peer.area(runs)
            assert annotation["bbox"] == peer.toBbox(runs).tolist()
        assert [c["name"] for c in coco.loadCats(coco.getCatIds())] == ["one", "two", "three"]

    def test_our_reader_reads_the_same(self, tmp_path):
        from PIL import Image

        (tmp_path / "annotations").mkdir()
        (tmp_path / "mine").mkdir()
        Image.new("RGB", (50, 60)).save(tmp_path / "mine" / "a.jpg")
        file = tmp_path / "annotations" / "instances_mine.json"
        file.write_text(json.dumps(self.dataset()), encoding="utf-8")
        dataset = Coco(tmp_path, "mine")
        _, target = dataset[0]
        assert np.array_equal(target["masks"].numpy(), np.stack(self.masks()))
        assert target["labels"].tolist() == [1, 2, 3]
        assert target["boxes"][1].tolist() == [3, 2, 41, 50]
        assert dataset.classes == ("background", "one", "two", "three")

    def test_drawn_polygons_are_kept_as_they_are(self):
        drawn = [np.array([[3.2, 4.0], [30.7, 9.1], [11.0, 41.3]])]
        mask = polygons_to_mask(drawn, (60, 50))
        ids = {"image_id": 1, "category_id": 1, "annotation_id": 1}
        annotation = coco_annotation(mask, **ids, polygons=drawn)
        assert annotation["segmentation"] == [[3.2, 4.0, 30.7, 9.1, 11.0, 41.3]]
        # and anticlockwise ones, but not those whose overlap the mask left open
        flipped = coco_annotation(mask, **ids, polygons=[drawn[0][::-1]])
        assert flipped["segmentation"] == [[11.0, 41.3, 30.7, 9.1, 3.2, 4.0]]
        crossing = [*drawn, drawn[0] + 5]
        both = coco_annotation(polygons_to_mask(crossing, (60, 50)), **ids, polygons=crossing)
        assert isinstance(both["segmentation"], dict)

    @pytest.mark.parametrize(
        ("mask", "annotation_id", "message"),
        [
            (np.zeros((3, 3), bool), 1, "mask: expected at least one pixel"),
            (np.ones((3, 3), bool), 0, "annotation_id: expected 1 or more, got 0"),
        ],
    )
    def test_what_coco_cannot_hold_is_refused(self, mask, annotation_id, message):
        with pytest.raises(ValueError, match=message):
            coco_annotation(mask, image_id=1, category_id=1, annotation_id=annotation_id)

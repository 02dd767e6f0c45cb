import pytest
import torch
from skimage.draw import disk
from skimage.measure import regionprops

from cvcourse.classroom.subjects import disks
from cvcourse.metrics import coco_average_precision
from cvcourse.ops import box_iou


def drawn(*circles, side=96):
    image = torch.zeros(side, side)
    for x, y, radius in circles:
        image[disk((y, x), radius + 0.5, shape=(side, side))] = 1
    return image


def test_pictures_are_grey_without_mean_and_alternate_between_two_kinds():
    images, targets = disks.disk_pictures(4, "val", seed=3)
    assert images.shape == (4, 1, 96, 96)
    assert images.mean((1, 2, 3)).abs().max() < 1e-6
    assert all(2 <= len(t["boxes"]) <= 9 and (t["labels"] == 1).all() for t in targets)
    again, _ = disks.disk_pictures(2, "val", seed=3)
    torch.testing.assert_close(again, images[:2])


def test_coins_are_24_with_tight_boxes_at_any_size():
    for size in ((303, 384), (224, 288)):
        image, boxes, masks = disks.coins(*size)
        assert image.shape == size
        assert masks.shape == (24, *size)
        assert not (masks.sum(0) > 1).any()
        for mask, box in zip(masks, boxes.tolist(), strict=True):
            top, left, bottom, right = regionprops(mask.numpy().astype(int))[0].bbox
            assert box == [left, top, right, bottom]


def test_components_box_apart_bright_disks_and_join_touching_ones():
    apart = disks.components(drawn((25, 30, 10), (70, 60, 12)), blur=20, opening=2)
    wanted = torch.tensor([[15.0, 20, 36, 41], [58, 48, 83, 73]])
    assert (box_iou(apart["boxes"], wanted).amax(0) > 0.9).all()
    assert apart["scores"].argmax() == box_iou(apart["boxes"], wanted)[:, 1].argmax()
    joined = disks.components(drawn((30, 50, 10), (50, 50, 10)), blur=20, opening=2)
    assert len(joined["boxes"]) == 1


def test_circles_are_found_also_where_they_touch():
    image = drawn((30, 50, 10), (52, 50, 11), (75, 20, 14))
    found = disks.circles(image, sigma=1, overlap=0.2)
    best = found["boxes"][found["scores"].argsort(descending=True)[:3]]
    wanted = torch.tensor([[20.0, 40, 41, 61], [41, 39, 64, 62], [61, 6, 90, 35]])
    assert (box_iou(best, wanted).amax(0) > 0.8).all()
    assert found["boxes"].min() >= 0
    assert found["boxes"].max() <= 96


@pytest.mark.parametrize("method", [disks.components, disks.circles])
def test_nothing_is_found_in_an_empty_picture(method):
    found = method(torch.zeros(96, 96), 2, 1)
    assert found["boxes"].shape == (0, 4)
    assert len(found["scores"]) == len(found["labels"]) == 0


def test_tuned_takes_the_setting_with_the_highest_ap50():
    images = torch.stack([drawn((30, 50, 10)), drawn((60, 40, 15))])[:, None]
    truth = [torch.tensor([[20.0, 40, 41, 61]]), torch.tensor([[45.0, 25, 76, 56]])]
    targets = [{"boxes": boxes, "labels": torch.ones(1, dtype=torch.int64)} for boxes in truth]

    def method(image, blur, shift):
        found = disks.components(image, blur, 1)
        return found | {"boxes": found["boxes"] + shift}

    best = disks.tuned(method, images, targets, blur=(20,), shift=(30, 0, 12))
    assert best == {"blur": 20, "shift": 0}
    found = [method(image[0], **best) for image in images]
    assert coco_average_precision(found, targets, iou_thresholds=[0.5])["map"] == 1

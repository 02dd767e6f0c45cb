import pytest
import torch
import torch.nn.functional as F

from cvcourse.models.detection._inputs import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    ImagePreparation,
    check_targets,
    resize_boxes,
)
from tests import oracle


def _preparation(**options):
    own = {
        "min_size": 160,
        "max_size": 224,
        "mean": IMAGENET_MEAN,
        "std": IMAGENET_STD,
        "size_divisible": 32,
        **options,
    }
    return ImagePreparation(**own)


def test_equals_torchvision():
    _, golden = oracle.model_golden("fasterrcnn_resnet50_fpn")
    images, targets = oracle.detection_batch(torch.float64, masks=True)
    batch, prepared = _preparation()(images, targets, training=True)
    expected = torch.from_numpy(golden["transformed"]).double()
    torch.testing.assert_close(batch.tensors, expected, atol=5e-5, rtol=0)
    assert [list(size) for size in batch.sizes] == golden["image_sizes"].tolist()
    assert batch.original_sizes == [(128, 160), (144, 128)]
    assert batch.padded_size == (192, 224)
    for target, size in zip(prepared, batch.sizes, strict=True):
        assert target["masks"].shape[-2:] == size
        inside = [mask.nonzero().flip(1).float() for mask in target["masks"]]
        for pixels, box in zip(inside, target["boxes"], strict=True):
            assert (pixels.min(0).values >= box[:2] - 1).all()
            assert (pixels.max(0).values <= box[2:] + 1).all()


@pytest.mark.parametrize(
    ("size", "min_size", "max_size", "expected"),
    [
        ((128, 160), 160, 224, (160, 200)),  # the shorter side decides
        ((100, 200), 160, 224, (112, 224)),  # the longer side decides
        ((333, 500), 800, 1333, (800, 1201)),  # rounded down
        ((480, 640), 100, 1333, (100, 133)),  # smaller
        ((64, 48), None, 10, (64, 48)),  # as it is
    ],
)
def test_sizes(size, min_size, max_size, expected):
    preparation = _preparation(min_size=min_size, max_size=max_size)
    batch, _ = preparation([torch.rand(3, *size)], training=False)
    assert batch.sizes == [expected]
    assert batch.padded_size == tuple(-(-side // 32) * 32 for side in expected)


def test_one_of_several_sizes_is_drawn_for_each_picture_in_training():
    preparation = _preparation(min_size=(32, 48, 64), max_size=1000)
    images = [torch.rand(3, 40, 40)] * 20
    drawn = {size[0] for size in preparation(images, training=True)[0].sizes}
    assert drawn == {32, 48, 64}
    assert set(preparation(images, training=False)[0].sizes) == {(64, 64)}


def test_pictures_are_normalised_and_then_padded_with_zeros():
    image = torch.rand(3, 20, 30)
    batch, _ = _preparation(min_size=None)([image], training=False)
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    normalised = (image - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(batch.tensors, F.pad(normalised, (0, 2, 0, 12))[None])


def test_gradients_reach_the_picture():
    image = torch.rand(3, 20, 30, requires_grad=True)
    batch, _ = _preparation(min_size=40, max_size=100)([image], training=False)
    batch.tensors.sum().backward()
    assert (image.grad != 0).all()


def test_boxes_there_and_back():
    boxes = torch.tensor([[1.0, 2.0, 30.0, 40.0]])
    enlarged = resize_boxes(boxes, (50, 40), (100, 60))
    torch.testing.assert_close(enlarged, torch.tensor([[1.5, 4.0, 45.0, 80.0]]))
    torch.testing.assert_close(resize_boxes(enlarged, (100, 60), (50, 40)), boxes)
    assert resize_boxes(boxes[:0], (50, 40), (100, 60)).shape == (0, 4)


@pytest.mark.as_user
def test_a_picture_that_would_vanish_is_refused():
    with pytest.raises(ValueError, match="images: nothing is left of 2×900 pixels at max_size=224"):
        _preparation()([torch.rand(3, 2, 900)], training=False)


@pytest.mark.as_user
def test_corners_in_the_wrong_order_are_refused():
    target = {"boxes": torch.tensor([[9.0, 1, 5, 6]]), "labels": torch.tensor([1])}
    with pytest.raises(ValueError, match=r"expected finite x1 < x2 .* got \[9.0, 1.0, 5.0, 6.0\]"):
        check_targets([torch.rand(3, 9, 9)], [target], labels=range(1, 3))

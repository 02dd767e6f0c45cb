import pytest
import torch

from cvcourse.ops import crop_masks, paste_masks
from tests import oracle
from tests.oracles.fill_weights import ellipse_mask


def ellipses():
    boxes = oracle.goldens()["mask/gt_boxes_of_ellipses"]
    return torch.stack([ellipse_mask(box, 80, 100) for box in boxes])


def test_golden_torchvision():
    goldens = oracle.goldens()
    got = crop_masks(ellipses(), goldens["mask/boxes"], goldens["mask/idx"], 28)
    torch.testing.assert_close(got, goldens["mask/project_28"], rtol=0, atol=1e-6)


def test_naive_loop():
    """Cells of whole pixels: each is the mean of its pixels, half a pixel to the lower right."""
    masks, index = torch.rand(3, 12, 14, dtype=torch.float64), torch.tensor([2, 0])
    boxes = torch.tensor([[2.0, 1, 10, 9], [0, 0, 4, 4]]).double()
    for got, mask, box in zip(
        crop_masks(masks, boxes, index, 4), masks[index], boxes.int().tolist(), strict=True
    ):
        step = (box[2] - box[0]) // 4
        for i in range(4):
            for j in range(4):
                y, x = box[1] + i * step, box[0] + j * step
                block = mask[y : y + step + 1, x : x + step + 1]  # pixels around the samples
                rows = (block[:-1] + block[1:]) / 2
                assert got[i, j].item() == pytest.approx(((rows[:, :-1] + rows[:, 1:]) / 2).mean())


def test_undoes_paste():
    boxes, masks = torch.tensor([[8.0, 10, 64, 66]]), torch.zeros(1, 28, 28)
    masks[0, 6:22, 6:22] = 1
    back = crop_masks(paste_masks(masks, boxes, (80, 100)), boxes, torch.tensor([0]), 28)
    assert ((back > 0.5) == (masks > 0.5)).float().mean() > 0.95


def test_boolean_masks_and_integer_boxes():
    masks, index = ellipses(), torch.tensor([1])
    want = crop_masks(masks.float(), torch.tensor([[30.0, 5, 90, 50]]), index, 14)
    assert torch.equal(crop_masks(masks.bool(), torch.tensor([[30, 5, 90, 50]]), index, 14), want)


@pytest.mark.parametrize("objects", [0, 2])
def test_empty_everything(objects):
    index = torch.zeros(0, dtype=torch.int64)
    got = crop_masks(torch.zeros(objects, 5, 6), torch.zeros(0, 4), index, 28)
    assert got.shape == (0, 28, 28)


def test_gradcheck():
    masks = torch.rand(2, 4, 5, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[0.2, 0.3, 3.1, 3.8], [-1, 1, 2, 4]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda m: crop_masks(m, boxes, torch.tensor([1, 0]), 3), masks)


@pytest.mark.as_user
def test_bad_input():
    masks, boxes, index = torch.zeros(2, 4, 4), torch.zeros(2, 4), torch.zeros(2).long()
    with pytest.raises(ValueError, match="boxes and index must have the same length"):
        crop_masks(masks, boxes, index[:1], 4)
    with pytest.raises(ValueError, match="image indices from 0 to 1"):
        crop_masks(masks, boxes, index + 2, 4)
    with pytest.raises(ValueError, match=r"masks must have shape \(objects, height, width\)"):
        crop_masks(masks[0], boxes, index, 4)
    with pytest.raises(ValueError, match="boxes must have shape"):
        crop_masks(masks, boxes[:, :3], index, 4)

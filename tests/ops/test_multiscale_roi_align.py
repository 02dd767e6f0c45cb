import pytest
import torch

from cvcourse.ops import fpn_level, multiscale_roi_align, roi_align
from tests import oracle


def golden_inputs():
    goldens = oracle.goldens()
    features = [goldens[f"msroi/feature_{i}"] for i in range(4)]
    boxes = [goldens["msroi/boxes0"], goldens["msroi/boxes1"]]
    return features, boxes, goldens["msroi/image_shapes"].tolist()


@pytest.mark.parametrize("size", [7, 14])
def test_goldens_torchvision(size):
    got = multiscale_roi_align(*golden_inputs(), size)
    want = oracle.goldens()[f"msroi/out{size}_sr2"]
    torch.testing.assert_close(got, want, rtol=0, atol=1e-6)


def test_levels_golden_torchvision():
    """Among them sides of 111.9, 112, 112.1, and a box without area."""
    _, boxes, _ = golden_inputs()
    levels = fpn_level(torch.cat(boxes), 2, 5) - 2
    assert torch.equal(levels, oracle.goldens()["msroi/levels_k2_k5"])


def test_scales_golden_torchvision():
    """A box is read at the golden's scale: `roi_align` on that level alone says the same."""
    features, boxes, image_sizes = golden_inputs()
    scales = oracle.goldens()["msroi/scales"].tolist()
    got = multiscale_roi_align(features, boxes, image_sizes, 3)
    rois = torch.cat([torch.cat((torch.full((len(b), 1), i), b), 1) for i, b in enumerate(boxes)])
    for level, (feature, scale) in enumerate(zip(features, scales, strict=True)):
        chosen = fpn_level(rois[:, 1:], 2, 5) == level + 2
        want = roi_align(feature, rois[chosen], 3, scale, 2)
        torch.testing.assert_close(got[chosen], want)


def test_empty():
    features, boxes, image_sizes = golden_inputs()
    got = multiscale_roi_align(features, [b[:0] for b in boxes], image_sizes, 7)
    assert torch.equal(got, oracle.goldens()["msroi/empty"])


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("ratio", [2, -1])
def test_one_level_is_roi_align(ratio, aligned):
    features, boxes, image_sizes = golden_inputs()
    options = {"sampling_ratio": ratio, "aligned": aligned}
    got = multiscale_roi_align(features[:1], boxes, image_sizes, 3, **options)
    torch.testing.assert_close(got, roi_align(features[0], boxes, 3, 0.25, **options))


def test_gradient_reaches_only_the_level_that_was_read():
    features, _, image_sizes = golden_inputs()
    features = [f.double().requires_grad_() for f in features]
    boxes = [torch.tensor([[0.0, 0, 120, 120]]), torch.zeros(0, 4)]  # level 3, image 0
    out = multiscale_roi_align(features, boxes, image_sizes, 2)
    gradients = torch.autograd.grad(out.sum(), features)
    assert [bool(g.any()) for g in gradients] == [False, True, False, False]
    assert not gradients[1][1].any()


def test_gradcheck():
    features = [torch.randn(1, 1, n, n, dtype=torch.float64, requires_grad=True) for n in (8, 4)]
    boxes = [torch.tensor([[0.0, 0, 20, 20], [3, 3, 30, 29]], dtype=torch.float64)]

    def function(*features):
        options = {"canonical_size": 20, "canonical_level": 3}
        return multiscale_roi_align(features, boxes, [(32, 32)], 2, **options)

    assert fpn_level(boxes[0], 2, 3, canonical_size=20, canonical_level=3).tolist() == [3, 3]
    assert torch.autograd.gradcheck(function, features)


def test_level_rule_by_hand():
    side = torch.tensor([1.0, 100, 112, 224, 448, 1e6])[:, None]
    boxes = torch.cat((side * 0, side * 0, side, side), dim=1)
    assert fpn_level(boxes, 2, 5).tolist() == [2, 2, 3, 4, 5, 5]
    assert fpn_level(boxes.view(2, 3, 4), 0, 9).tolist() == [[0, 2, 3], [4, 5, 9]]
    odd = torch.tensor([[0.0, 0, 0, 5], [5, 0, 0, 5], [float("nan")] * 4, [0, 0, float("inf"), 1]])
    assert fpn_level(odd, 2, 5).tolist() == [2, 2, 2, 5]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_is_computed_in_float32(dtype):
    features, boxes, image_sizes = golden_inputs()
    features = [f.to(dtype) for f in features]
    got = multiscale_roi_align(features, boxes, image_sizes, 3)
    want = multiscale_roi_align([f.float() for f in features], boxes, image_sizes, 3)
    assert torch.equal(got, want.to(dtype))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": [torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 2, 2)]}, "features must halve"),
        ({"features": []}, "features and image_sizes must not be empty"),
        ({"features": [torch.zeros(1, 8, 8)]}, "features must have shape"),
        ({"features": [torch.zeros(1, 1, 8, 8).int()]}, "features must be floating point"),
        ({"image_sizes": [(32, 32)] * 2}, "boxes and image_sizes must have the same length"),
        ({"image_sizes": [(0, 32)]}, "image_sizes must be one or two integers >= 1"),
        ({"boxes": [torch.zeros(1, 5)]}, "boxes must have shape"),
        ({"canonical_size": 0}, "canonical_size must be positive"),
    ],
    ids=lambda value: str(next(iter(value))) if isinstance(value, dict) else "",
)
def test_bad_input(change, message):
    inputs = {
        "features": [torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 4, 4)],
        "boxes": [torch.zeros(1, 4)],
        "image_sizes": [(32, 32)],
        "output_size": 2,
    }
    with pytest.raises(ValueError, match=message):
        multiscale_roi_align(**inputs | change)


@pytest.mark.as_user
def test_bad_levels():
    with pytest.raises(ValueError, match="finest must not exceed coarsest, got 5 > 2"):
        fpn_level(torch.zeros(1, 4), 5, 2)

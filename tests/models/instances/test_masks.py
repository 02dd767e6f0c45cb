"""Which masks the models that learn from them take, all of them alike."""

import pytest
import torch

from tests.models.examples import arguments, network

LEARN_FROM_MASKS = ["MaskRCNN", "PointRendRCNN", "PolarMask"]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize("name", LEARN_FROM_MASKS)
def test_0_and_1_of_any_dtype_are_bool(name, dtype):
    totals = []
    for kind in (torch.bool, dtype):
        images, targets = arguments(name)
        targets[0]["masks"] = targets[0]["masks"].to(kind)
        model = network(name)
        torch.manual_seed(3)
        totals.append({k: v.item() for k, v in model(images, targets).items()})
    assert totals[0] == totals[1]


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("values", "got"),
    [
        (torch.tensor(255, dtype=torch.uint8), "torch.uint8 from 0 to 255"),
        (torch.tensor(255.0), "torch.float32 from 0.0 to 255.0"),
        (torch.tensor(0.5), "torch.float32 from 0.0 to 0.5"),
        (torch.tensor(-1), "torch.int64 from -1 to 0"),
        (torch.tensor(torch.nan), "torch.float32 from nan to nan"),
    ],
    ids=["bytes", "float bytes", "soft", "negative", "nan"],
)
@pytest.mark.parametrize("name", LEARN_FROM_MASKS)
def test_others_are_refused(name, values, got):
    images, targets = arguments(name)
    targets[0]["masks"] = torch.where(targets[0]["masks"], values, 0).to(values.dtype)
    with pytest.raises(ValueError, match=rf"targets\[0\]\['masks'\]: expected bool, .* got {got}"):
        network(name)(images, targets)

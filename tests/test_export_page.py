"""The wrapper of the page on export works as it stands there."""

import re

import pytest
import torch
from torch import nn

from cvcourse import models
from tests.lessons.notebooks import ROOT
from tests.models.small import small_detector

PAGE = (ROOT / "docs/import/export.md").read_text(encoding="utf-8")


@pytest.mark.as_user
@pytest.mark.parametrize("name", ["RetinaNet", "FCOS"])
def test_backbone_and_head(name):
    [block] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names = {"nn": nn, "torch": torch}
    exec(block.partition("program =")[0], names)
    model = small_detector(getattr(models, name)).eval()
    part, images = names["BackboneAndHead"](model), torch.rand(1, 3, 64, 96)
    got = torch.export.export(part, (images,)).module()(images)
    wanted = model.head(list(model.backbone(images).values()))
    assert got.keys() == wanted.keys()
    for key in wanted:
        torch.testing.assert_close(got[key], wanted[key])


def test_names_of_the_page_are_there():
    named = re.findall(r"</import/api/cvcourse\.models\.(\w+)>", PAGE)
    assert len(named) > 30
    assert set(named) <= set(models.__all__)

"""What of this room exports, and compiles as one graph."""

import pytest
import torch

from tests.models.examples import arguments, network

NAMES = [
    "Colornet",
    "FANnet",
    "FineGANGenerator",
    "FineGANCodeDiscriminator",
    "FineGANPatchDiscriminator",
    "MixNMatchCritics",
    "MixNMatchEncoder",
    "MixNMatchShapeExtractor",
    "DistillationConnectors",
    "Pix2PixUNet",
    "SemanticPyramidGenerator",
    "SlimmableGenerator",
    "StarGANv2Discriminator",
    "StarGANv2Generator",
    "StarGANv2Mapping",
    "StarGANv2StyleEncoder",
]


@pytest.mark.as_user
@pytest.mark.parametrize("name", NAMES)
def test_exports_and_compiles(name):
    torch._dynamo.reset()
    model, x = network(name).eval(), arguments(name)
    with torch.no_grad():
        expected = model(*x)
        torch.testing.assert_close(torch.export.export(model, x).module()(*x), expected)
        compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(*x), expected)

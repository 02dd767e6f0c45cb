"""What of this room exports, and compiles as one graph."""

import pytest
import torch

from tests.models.examples import arguments, network

NAMES = [
    "ALAECritic",
    "ALAEEncoder",
    "ALAEEncoderFC",
    "ALAEGenerator",
    "ALAEGeneratorFC",
    "ALAEMapping",
    "BiGANDiscriminator",
    "BiGANEncoder",
    "BiGANGenerator",
    "Colornet",
    "DepthFusion",
    "FANnet",
    "FineGANGenerator",
    "FineGANCodeDiscriminator",
    "FineGANPatchDiscriminator",
    "InfoGANDiscriminator",
    "InfoGANGenerator",
    "MixNMatchCritics",
    "MixNMatchEncoder",
    "MixNMatchShapeExtractor",
    "DistillationConnectors",
    "PairCritic",
    "Pix2PixUNet",
    "Relighting",
    "SemanticPyramidGenerator",
    "SlimmableGenerator",
    "StarGANv2Discriminator",
    "StarGANv2Generator",
    "StarGANv2Mapping",
    "StarGANv2StyleEncoder",
    "StyleGAN2Discriminator",
    "StyleGAN2Generator",
    "StridedUNet",
    "ViewBlender",
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


@pytest.mark.parametrize("name", ["InfoGANDiscriminator", "PairCritic"])
def test_reads_weights_from_before_a_layer_was_renamed(name):
    """`code` is a property of what `torch.export` makes, so that no layer may be called so."""
    trained, fresh = network(name), network(name)
    trained(*arguments(name))  # running means move
    for parameter in trained.parameters():
        torch.nn.init.normal_(parameter)
    old = {key.replace("of_code", "code"): value for key, value in trained.state_dict().items()}
    assert old.keys() != trained.state_dict().keys()
    fresh.load_state_dict(old)
    torch.testing.assert_close(fresh.state_dict(), trained.state_dict(), rtol=0, atol=0)

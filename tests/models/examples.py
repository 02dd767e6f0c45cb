"""One small network of every class of `cvcourse.models`, and a call of it."""

from functools import partial

import torch
from torch import nn

from cvcourse import models
from cvcourse.models.instances.pointrend_rcnn import PointRendMaskHead
from cvcourse.models.video.i3d import Widths
from tests.models.small import small_backbone, small_detector

FLOW_WIDTHS = (4, 6, 8, 8, 8, 8)
SMALL_MIXED = Widths(4, 4, 6, 3, 4, 4)
FACTORS = {"latent": 4, "backgrounds": 6, "shapes": 3, "textures": 5}
STAR_SIZES = {"image_size": 16, "width": 4, "max_width": 8}
STAGES = ((4,), (6,), (8,), (8,), (8,))
groups = partial(nn.GroupNorm, 4)


def _features() -> list[torch.Tensor]:
    return [torch.rand(2, channels, 16 >> i, 24 >> i) for i, channels in enumerate((4, 6, 8))]


def _images(height: int = 64, width: int = 96, channels: int = 3) -> tuple[torch.Tensor]:
    return (torch.rand(2, channels, height, width),)


def _video(frames: int = 4, height: int = 32, width: int = 40) -> tuple[torch.Tensor]:
    return (torch.rand(2, 3, frames, height, width),)


def _set(*counts: int) -> tuple[torch.Tensor]:
    """Embeddings of 8 features: two sets of five, or of `counts`."""
    return (torch.randn(2, *(counts or (5,)), 8),)


def wide_batch(masks: bool = True) -> tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]:
    """A picture of 32 × 512 pixels with five objects, far ones too, at odd places."""
    boxes = torch.tensor(
        [[3, 2, 42, 29], [101, 5, 120, 31], [259, 1, 270, 20], [301, 3, 353, 28], [447, 6, 501, 30]]
    )
    layers = torch.zeros(len(boxes), 32, 512, dtype=torch.bool)
    for layer, (x1, y1, x2, y2) in zip(layers, boxes.tolist(), strict=True):
        layer[y1:y2, x1:x2] = True
    image = 0.1 * torch.rand(3, 32, 512)
    image[:, layers.any(0)] += 0.8
    target = {"boxes": boxes.float(), "labels": torch.tensor([1, 2, 2, 1, 1])}
    return [image], [{**target, "masks": layers} if masks else target]


def vilbert(tasks: int = 0) -> models.ViLBERT:
    text, vision = models.Stream(12, 2, 3, 20), models.Stream(8, 2, 2, 18)
    sizes = {"vocabulary": 30, "positions": 12, "region_features": 7, "co_width": 16, "co_heads": 4}
    return models.ViLBERT(
        text=text, vision=vision, tasks=tasks, text_at=(1,), vision_at=(1,), **sizes
    )


def words_and_regions(tasks: bool = False) -> tuple[torch.Tensor, ...]:
    tokens, task = torch.randint(1, 30, (2, 5)), (torch.tensor([0, 2]),)
    return tokens, torch.randn(2, 4, 7), torch.rand(2, 4, 5), *(task if tasks else ())


def _small_trunk() -> models.ResNetFeatures:
    return models.ResNetFeatures(block=models.BasicBlock, depths=(1, 1), width=8)


def point_mask_head(**options) -> PointRendMaskHead:
    return PointRendMaskHead(
        16, 2, coarse_hidden=16, hidden=12, layers=2, subdivision_points=28**2, **options
    )


def polar_mask(num_classes: int = 3, **options) -> models.PolarMask:
    return models.PolarMask(
        num_classes,
        **{
            "backbone": small_backbone(),
            "rays": 12,
            "min_size": None,
            "strides": (4, 8, 16),
            "head_layers": 1,
            "head_norm": groups,
            **options,
        },
    )


def _with_task(gated: nn.Module, *classes: int) -> nn.Module:
    gated.add_task(*classes)
    return gated


# name: (network, arguments of the call)
NETWORKS = {
    "ArtifactAutoencoder": (
        lambda: models.ArtifactAutoencoder((4, 6, 8)),
        lambda: (2 * _images(16, 24)[0] - 1,),
    ),
    "ArtifactDiscriminator": (
        lambda: models.ArtifactDiscriminator(32, widths=(4, 6, 8, 8, 4), hidden=8),
        lambda: (2 * _images(32, 32)[0] - 1,),
    ),
    "AnyNet": (
        lambda: models.AnyNet(3, depths=(1, 2), widths=(8, 12), group_widths=(4, 4), stem_width=6),
        _images,
    ),
    "ALAECritic": (lambda: models.ALAECritic(6), lambda: (torch.randn(2, 6),)),
    "ALAEEncoder": (
        lambda: models.ALAEEncoder(3, features=6, width=4, most=6),
        lambda: _images(16, 16),
    ),
    "ALAEEncoderFC": (
        lambda: models.ALAEEncoderFC(6, side=8, hidden=12),
        lambda: _images(8, 8, channels=1),
    ),
    "ALAEGenerator": (
        lambda: models.ALAEGenerator(3, features=6, width=4, most=6),
        lambda: (torch.randn(2, 6),),
    ),
    "ALAEGeneratorFC": (
        lambda: models.ALAEGeneratorFC(6, side=8, hidden=12),
        lambda: (torch.randn(2, 6),),
    ),
    "ALAEMapping": (lambda: models.ALAEMapping(6, layers=3), lambda: (torch.randn(2, 6),)),
    "BackgroundMatting": (
        lambda: models.BackgroundMatting(width=4, selected=4, blocks=1, branch_blocks=1),
        lambda: tuple(2 * torch.rand(2, c, 17, 22) - 1 for c in (3, 3, 1, 4)),
    ),
    "BasicBlock": (lambda: models.BasicBlock(4, 8, stride=2), lambda: (_features()[0],)),
    "BiFPN": (lambda: models.BiFPN((4, 6, 8), 8, layers=2, levels=3), lambda: (_features(),)),
    "BiGANDiscriminator": (
        lambda: models.BiGANDiscriminator(5, shape=(1, 6, 8), hidden=12),
        lambda: (*_images(6, 8, channels=1), torch.randn(2, 5)),
    ),
    "BiGANEncoder": (
        lambda: models.BiGANEncoder(5, shape=(1, 6, 8), hidden=12),
        lambda: _images(6, 8, channels=1),
    ),
    "BiGANGenerator": (
        lambda: models.BiGANGenerator(5, shape=(1, 6, 8), hidden=12),
        lambda: (torch.randn(2, 5),),
    ),
    "BlurClassifier": (
        lambda: models.BlurClassifier(in_features=20, hidden=(8, 4)),
        lambda: (torch.randn(6, 20),),
    ),
    "Bottleneck": (lambda: models.Bottleneck(4, 4, stride=2), lambda: (_features()[0],)),
    "CEILNet": (
        lambda: models.CEILNet(blocks=1, width=6),
        lambda: tuple(255 * x for x in _images(17, 22)),
    ),
    "CEILSubnetwork": (
        lambda: models.CEILSubnetwork(blocks=1, width=6),
        lambda: _images(17, 22, channels=4),
    ),
    "ColorizationNet": (
        lambda: models.ColorizationNet(12, width=6),
        lambda: (100 * torch.rand(2, 1, 32, 40),),
    ),
    "Colornet": (
        lambda: models.Colornet(width=4),
        lambda: (*_images(17, 22), *_images(17, 22, channels=1)),
    ),
    "ColorInpainting": (
        lambda: models.ColorInpainting(widths=(6, 8, 8)),
        lambda: _images(17, 22, channels=6),
    ),
    "Captioner": (
        lambda: models.Captioner(12, trunk=_small_trunk(), width=10),
        lambda: (*_images(32, 40), torch.randint(3, 12, (2, 5))),
    ),
    "ChannelwiseLinear": (
        lambda: models.ChannelwiseLinear(3, 8, 12),
        lambda: _images(8, 12),
    ),
    "ContextEncoder": (
        lambda: models.ContextEncoder(32, width=4, bottleneck=16),
        lambda: _images(32, 32),
    ),
    "ContextFreeNetwork": (
        lambda: models.ContextFreeNetwork(
            6, tiles=4, side=31, widths=(4, 6, 8, 8, 4), features=(8, 12)
        ),
        lambda: (torch.rand(2, 4, 3, 31, 31),),
    ),
    "ContrastEnhancer": (
        lambda: models.ContrastEnhancer(width=6, branch_layers=2, trunk_layers=1),
        lambda: (*_images(17, 22), *_images(17, 22, 1), *_images(17, 22, 1)),
    ),
    "Conv4": (lambda: models.Conv4(channels=6, last_pool=2), _images),
    "CrossChannelNetwork": (
        lambda: models.CrossChannelNetwork(2, 5, widths=(4, 6, 8, 8, 4), hidden=8),
        lambda: _images(33, 46, channels=2),
    ),
    "ConvNet13": (
        lambda: models.ConvNet13(3, widths=(4, 6, 8, 6, 4)),
        lambda: _images(17, 22),
    ),
    "DeepClusterAlexNet": (
        lambda: models.DeepClusterAlexNet(5, size=63, widths=(4, 6, 8, 6, 4), hidden=8),
        lambda: _images(63, 63),
    ),
    "DeepSets": (lambda: models.DeepSets(8), _set),
    "DeconvNet": (lambda: models.DeconvNet(3, stages=STAGES, hidden=8, fc_kernel=2), _images),
    "DepthFusion": (
        lambda: models.DepthFusion(width=4, levels=3),
        lambda: (
            *torch.rand(2, 2, 17, 22),
            torch.rand(2, 17, 22) < 0.6,
            *_images(17, 22),
        ),
    ),
    "DepthInpainting": (
        lambda: models.DepthInpainting(widths=(6, 8, 8)),
        lambda: _images(17, 22, channels=4),
    ),
    "DistillationConnectors": (
        lambda: models.DistillationConnectors(8, 6, layers=2),
        lambda: (list(torch.rand(2, 1, 5, 4, 6)),),
    ),
    "DynamicConv2d": (
        lambda: models.DynamicConv2d(4, 6, 3, padding=1, groups=2),
        lambda: (_features()[0],),
    ),
    "ENet": (lambda: models.ENet(3, widths=(8, 8, 16)), _images),
    "EdgeInpainting": (
        lambda: models.EdgeInpainting(width=4, blocks=1),
        lambda: _images(17, 22, channels=7),
    ),
    "EfficientDet": (partial(small_detector, models.EfficientDet), wide_batch),
    "EfficientNet": (lambda: models.EfficientNet(3, width=0.25, depth=0.3), _images),
    "EfficientNetFeatures": (lambda: models.EfficientNetFeatures(width=0.25, depth=0.3), _images),
    "FANnet": (
        lambda: models.FANnet(letters=5, side=16, width=4, hidden=12),
        lambda: (*_images(16, 16, channels=1), torch.tensor([1, 4])),
    ),
    "FCN": (
        lambda: models.FCN(3, stages=STAGES, hidden=8, fc_kernel=4, padding=49),
        _images,
    ),
    "FCNResNet": (
        lambda: models.FCNResNet(
            3, block=models.BasicBlock, depths=(1, 1), width=8, dilate=(True,)
        ),
        _images,
    ),
    "FCOS": (partial(small_detector, models.FCOS), wide_batch),
    "FasterRCNN": (partial(small_detector, models.FasterRCNN), wide_batch),
    "FeaturePyramidNetwork": (
        lambda: models.FeaturePyramidNetwork((4, 6, 8), 8),
        lambda: (_features(),),
    ),
    "FineGANCodeDiscriminator": (
        lambda: models.FineGANCodeDiscriminator(5, side=32, width=4),
        lambda: _images(32, 32),
    ),
    "FineGANGenerator": (
        lambda: models.FineGANGenerator(
            **FACTORS, background_widths=(8, 6, 4), shape_widths=(8, 6, 3), residual=1
        ),
        lambda: (tuple(torch.rand(2, n) for n in FACTORS.values()),),
    ),
    "FineGANPatchDiscriminator": (
        lambda: models.FineGANPatchDiscriminator(width=4),
        lambda: _images(38, 43),
    ),
    "FlowNetC": (
        lambda: models.FlowNetC(widths=FLOW_WIDTHS, max_displacement=2, stride=1, redirected=4),
        partial(_images, channels=6),
    ),
    "FlowNetS": (lambda: models.FlowNetS(widths=FLOW_WIDTHS), partial(_images, channels=6)),
    "FrozenBatchNorm2d": (lambda: models.FrozenBatchNorm2d(4), lambda: (_features()[0],)),
    "FewShot": (lambda: models.FewShot(models.SetAttention(8)), lambda: _set(3, 5) + _set(2, 5)),
    "GraphConvolution": (lambda: models.GraphConvolution(8), _set),
    "HoleDiscriminator": (
        lambda: models.HoleDiscriminator(16, width=4),
        lambda: _images(16, 16),
    ),
    "ChannelGate": (
        lambda: models.ChannelGate(4, 6, hidden=5),
        lambda: (_features()[0],),
    ),
    "FenceFusion": (
        lambda: models.FenceFusion(others=2, widths=(6, 4)),
        lambda: (
            torch.rand(2, 3, 13, 18),
            torch.rand(2, 1, 13, 18),
            torch.rand(2, 3, 13, 18),
            torch.rand(2, 2, 3, 13, 18),
            torch.randn(2, 2, 2, 13, 18),
        ),
    ),
    "GatedBlock": (
        lambda: _with_task(models.GatedBlock(3, 6, hidden=5)),
        lambda: (*_images(17, 22), 0),
    ),
    "GatedNetwork": (
        lambda: _with_task(models.GatedNetwork(widths=(4, 6), hidden=5), 3),
        lambda: (*_images(17, 22), 0),
    ),
    "I3D": (
        lambda: models.I3D(
            4, stem=(6, 6, 8), mixed=dict.fromkeys(("3b", "4b", "5b"), SMALL_MIXED), dropout=0.0
        ),
        lambda: (2 * _video(8, 64, 64)[0] - 1,),
    ),
    "ICNet": (lambda: models.ICNet(3, width=8, depths=(1, 2, 1, 1)), _images),
    "L3Net": (
        lambda: models.L3Net(widths=(4, 6, 6, 8), hidden=5),
        lambda: (*_images(17, 22), torch.rand(2, 1, 32, 16)),
    ),
    "L3Trunk": (lambda: models.L3Trunk(widths=(4, 6, 6, 8)), lambda: _images(17, 22)),
    "LabelGuidance": (
        lambda: models.LabelGuidance(models.ICNet(3, width=8, depths=(1, 2, 1, 1))),
        _images,
    ),
    "InfoGANDiscriminator": (
        lambda: models.InfoGANDiscriminator(3, 1, side=16, widths=(4, 6, 8), head=8),
        lambda: _images(16, 16, channels=1),
    ),
    "InfoGANGenerator": (
        lambda: models.InfoGANGenerator(7, side=16, widths=(8, 6, 4)),
        lambda: (torch.rand(2, 7),),
    ),
    "LastLevelP6P7": (
        lambda: models.LastLevelP6P7(8, 8),
        lambda: ([_features()[2]], _features()),
    ),
    "LayerFusion": (
        lambda: models.LayerFusion(others=2, widths=(6, 4)),
        lambda: (
            *torch.rand(4, 2, 3, 13, 18),
            torch.rand(2, 2, 3, 13, 18),
            torch.randn(2, 2, 2, 13, 18),
        ),
    ),
    "LayerTranslations": (
        lambda: models.LayerTranslations(widths=(4, 6), reach=1, estimator_widths=(6, 4)),
        lambda: tuple(torch.rand(2, 2, 3, 22, 25)),
    ),
    "MaskRCNN": (partial(small_detector, models.MaskRCNN), wide_batch),
    "MixNMatchCritics": (
        lambda: models.MixNMatchCritics(**FACTORS, side=16, width=4, hidden=8),
        lambda: (*_images(16, 16), tuple(torch.rand(2, n) for n in FACTORS.values())),
    ),
    "MixNMatchEncoder": (
        lambda: models.MixNMatchEncoder(**FACTORS, side=16, width=4),
        lambda: _images(16, 16),
    ),
    "MixNMatchShapeExtractor": (
        lambda: models.MixNMatchShapeExtractor(3, widths=(4, 4, 6), ups=(5,)),
        lambda: _images(12, 20),
    ),
    "MobileNetV2": (lambda: models.MobileNetV2(3, width=0.25), _images),
    "MobileNetV2Features": (lambda: models.MobileNetV2Features(width=0.25), _images),
    "PIRLNetwork": (
        lambda: models.PIRLNetwork(models.Conv4(channels=6, last_pool=1), features=144, dim=8),
        _images,
    ),
    "PairCritic": (
        lambda: models.PairCritic(5, side=16, width=4, hidden=8),
        lambda: (*_images(16, 16), torch.rand(2, 5)),
    ),
    "PartialConv2d": (
        lambda: models.PartialConv2d(3, 5, 5, 2, 2),
        lambda: (*_images(17, 22), (torch.rand(2, 1, 17, 22) < 0.3).float()),
    ),
    "PartialConvUNet": (
        lambda: models.PartialConvUNet(5, 2, widths=(6, 8)),
        lambda: _images(17, 22, channels=5),
    ),
    "PatchDiscriminator": (
        lambda: models.PatchDiscriminator(width=4, strided=2),
        lambda: _images(17, 22),
    ),
    "PatchInpainter": (
        lambda: models.PatchInpainter(4, halvings=2),
        lambda: (2 * _images(16, 24)[0] - 1,),
    ),
    "PatchPairDiscriminator": (
        lambda: models.PatchPairDiscriminator(4, halvings=1),
        lambda: _images(16, 24, channels=6),
    ),
    "PathAggregationNetwork": (
        lambda: models.PathAggregationNetwork((4, 6, 8), 8),
        lambda: (_features(),),
    ),
    "Pix2PixUNet": (lambda: models.Pix2PixUNet(width=4, levels=3), lambda: _images(17, 22)),
    "PointRendMaskHead": (
        point_mask_head,
        lambda: (torch.rand(1, 16, 8, 128), [wide_batch()[1][0]["boxes"]], [torch.arange(5) % 2]),
    ),
    "PointRendRCNN": (
        lambda: models.PointRendRCNN(small_detector(models.FasterRCNN), point_mask_head()),
        wide_batch,
    ),
    "PointRendSemantic": (
        lambda: models.PointRendSemantic(
            3,
            backbone=small_backbone(),
            levels=("0", "1", "2"),
            coarse_channels=8,
            coarse_norm=groups,
            hidden=16,
            layers=2,
            train_points=64,
            size_divisible=16,
            subdivision_points=10**6,
        ),
        lambda: _images(16, 512),
    ),
    "PoseNet": (lambda: models.PoseNet(4, trunk=_small_trunk(), channels=(8, 6)), _images),
    "PolarMask": (polar_mask, wide_batch),
    "RegNet": (
        lambda: models.RegNet(3, depth=4, w_0=8, w_a=8.0, w_m=2.0, group_width=4, se_ratio=0.25),
        _images,
    ),
    "ResNet": (
        lambda: models.ResNet(3, block=models.BasicBlock, depths=(1, 1), width=8),
        _images,
    ),
    "ResNet3d": (lambda: models.ResNet3d(4, depths=(1, 1), width=6), lambda: _video()),
    "ResNetFPN": (small_backbone, _images),
    "RepairNetwork": (
        lambda: models.RepairNetwork(models.ArtifactAutoencoder((4, 6, 8))),
        lambda: (_features()[2], (torch.rand(2, 1, 4, 6) < 0.5).float()),
    ),
    "ResidualEnhancer": (
        lambda: models.ResidualEnhancer(width=6, head_layers=2, trunk_layers=1),
        lambda: _images(17, 22),
    ),
    "ResizeTransformationNetwork": (
        lambda: models.ResizeTransformationNetwork(widths=(4, 6, 8), blocks=1),
        lambda: _images(33, 46),
    ),
    "ResNetFeatures": (
        lambda: models.ResNetFeatures(block=models.BasicBlock, depths=(1, 1), width=8),
        _images,
    ),
    "ResNet12": (lambda: models.ResNet12((4, 6, 8, 8)), _images),
    "RetinaNet": (partial(small_detector, models.RetinaNet), wide_batch),
    "RotNet": (
        lambda: models.RotNet(blocks=3, widths=(8, 6, 4, 8)),
        lambda: _images(32, 32),
    ),
    "SRCNN": (
        lambda: models.SRCNN(widths=(8, 4)).pass_through_(),
        lambda: _images(24, 31, channels=1),
    ),
    "SegNet": (lambda: models.SegNet(3, stages=STAGES), _images),
    "SegNetBasic": (lambda: models.SegNetBasic(3, width=8), _images),
    "SepConv": (lambda: models.SepConv(widths=(6, 8, 8), taps=5), lambda: _images() * 2),
    "SepConvPP": (lambda: models.SepConvPP(stem=4, widths=(6, 8), taps=5), lambda: _images() * 2),
    "SemanticPyramidGenerator": (
        lambda: models.SemanticPyramidGenerator(
            (4, 6), (7, 5), latent=6, side=2, base=3, attention=1
        ),
        lambda: (
            torch.randn(2, 6),
            [torch.rand(2, 4, 8, 8), torch.rand(2, 6, 4, 4), torch.rand(2, 7), torch.rand(2, 5)],
            [torch.ones(2, 1, 8, 8), torch.zeros(2, 1, 4, 4), torch.ones(2, 1), torch.ones(2, 5)],
        ),
    ),
    "SetAttention": (lambda: models.SetAttention(8), _set),
    "SetLSTM": (lambda: models.SetLSTM(8), _set),
    "SlimmableGenerator": (
        lambda: models.SlimmableGenerator(channels=(4,) * 8, blocks=3),
        lambda: _images(17, 22),
    ),
    "SlowFast": (
        lambda: models.SlowFast(
            4, depths=(1, 1), slow_times=(1, 3), width=8, alpha=4, beta_inverse=2, dropout=0.0
        ),
        lambda: _video(8, 64, 64),
    ),
    "SimCLRHead": (
        lambda: models.SimCLRHead(8, 12, 4),
        lambda: (torch.randn(6, 8),),
    ),
    "SpatialTransformerNetwork": (
        lambda: models.SpatialTransformerNetwork(3, image_size=320),
        lambda: _images(320, 320, channels=1),
    ),
    "SplitBrain": (
        lambda: models.SplitBrain((5, 4), widths=(4, 6, 8, 8, 4), hidden=8),
        lambda: (torch.tensor([50.0, 60, 60])[:, None, None] * torch.rand(2, 3, 33, 46),),
    ),
    "TransformationClassifier": (
        lambda: models.TransformationClassifier(side=32, widths=(4, 6, 8, 8, 4), hidden=8),
        lambda: (2 * _images(32, 32)[0] - 1,),
    ),
    "StarGANv2Discriminator": (
        lambda: models.StarGANv2Discriminator(**STAR_SIZES),
        lambda: (*_images(16, 16), torch.tensor([1, 0])),
    ),
    "StarGANv2Generator": (
        lambda: models.StarGANv2Generator(**STAR_SIZES, style=4),
        lambda: (*_images(17, 22), torch.randn(2, 4)),
    ),
    "StarGANv2Mapping": (
        lambda: models.StarGANv2Mapping(latent=5, style=4, hidden=8),
        lambda: (torch.randn(2, 5), torch.tensor([1, 0])),
    ),
    "StarGANv2StyleEncoder": (
        lambda: models.StarGANv2StyleEncoder(**STAR_SIZES, style=4),
        lambda: (*_images(16, 16), torch.tensor([1, 0])),
    ),
    "TaskClassifier": (lambda: models.TaskClassifier(5, 8), _set),
    "StyleGAN2Discriminator": (
        lambda: models.StyleGAN2Discriminator(16, width=64, most=6),
        lambda: _images(16, 16),
    ),
    "StyleGAN2Generator": (
        lambda: models.StyleGAN2Generator(
            16, z_features=5, w_features=4, mapping_layers=2, width=64, most=6
        ),
        lambda: (torch.randn(2, 5),),
    ),
    "Relighting": (
        lambda: models.Relighting(width=4, levels=3),
        lambda: (
            *_images(17, 22),
            *torch.nn.functional.normalize(torch.rand(2, 2, 3), dim=2),
        ),
    ),
    "StridedUNet": (
        lambda: models.StridedUNet(3, 2, width=4, levels=3),
        lambda: _images(17, 22),
    ),
    "SynSin": (
        lambda: models.SynSin(  # whose order in depth, among near ties, does not show
            features=5, width=4, depth_width=4, levels=3, accumulation="mean"
        ),
        lambda: (
            *_images(17, 22),
            torch.tensor([[20.0, 0, 11], [0, 20, 8], [0, 0, 1]]).expand(2, 3, 3),
            torch.eye(4).expand(2, 4, 4),
            torch.randn(2, 32, 20),
        ),
    ),
    "ViewBlender": (
        lambda: models.ViewBlender(width=4, levels=3),
        lambda: (*_images(17, 22), *_images(17, 22), *_images(17, 22, 1)),
    ),
    "TransformationNetwork": (
        lambda: models.TransformationNetwork(widths=(4, 6, 8), blocks=1, scale=1.0),
        lambda: _images(33, 46),
    ),
    "Transporter": (
        lambda: models.Transporter(3, widths=(4, 4, 6, 6), decoder_width=8),
        lambda: _images(17, 22) * 2,
    ),
    "TwelveInOne": (
        lambda: models.TwelveInOne(answers=6, answers_gqa=4, region_classes=9, trunk=vilbert(3)),
        partial(words_and_regions, tasks=True),
    ),
    "UNet": (lambda: models.UNet(3, widths=(4, 8)), lambda: _images(64, 96, channels=1)),
    "VideoConv3d": (lambda: models.VideoConv3d(3, 5, causal=True), lambda: _video()),
    "ViLBERT": (vilbert, words_and_regions),
    "ViLBERTPretraining": (
        lambda: models.ViLBERTPretraining(9, trunk=vilbert()),
        words_and_regions,
    ),
    "VGG": (lambda: models.VGG(3, stages=STAGES, hidden=16), _images),
}


def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    model = NETWORKS[name][0]()
    if name == "FCN":  # whose scores begin at zero
        nn.init.normal_(model.score_fr.weight)
    if name == "SepConvPP":  # whose kernels sum to about zero: what is divided by them is noise
        for head in (*model.vertical, *model.horizontal):
            nn.init.constant_(head[-1].bias, 0.5)
    gain = {"Effi": 2**0.5, "Info": 2**0.5, "Mobi": 1.0}.get(name[:4])
    if gain is not None:  # their signal fades before their batch norms have learnt
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.normal_(layer.weight, std=gain / layer.weight[0].numel() ** 0.5)
    return model


def arguments(name: str) -> tuple:
    torch.manual_seed(1)
    return NETWORKS[name][1]()

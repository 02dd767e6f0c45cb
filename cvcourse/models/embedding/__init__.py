"""From pictures to vectors: few-shot encoders, set functions, networks of pretext tasks."""

from cvcourse.models.embedding.alexnet import DeepClusterAlexNet
from cvcourse.models.embedding.cfn import ContextFreeNetwork
from cvcourse.models.embedding.conv4 import Conv4
from cvcourse.models.embedding.convnet13 import ConvNet13
from cvcourse.models.embedding.feat import FewShot, episode_labels
from cvcourse.models.embedding.gated_network import (
    ChannelGate,
    GatedBlock,
    GatedNetwork,
    TaskClassifier,
)
from cvcourse.models.embedding.l3net import L3Net, L3Trunk
from cvcourse.models.embedding.limited_context_inpainting import (
    PatchInpainter,
    PatchPairDiscriminator,
    TransformationClassifier,
)
from cvcourse.models.embedding.projection import PIRLNetwork, SimCLRHead, moco_resnet50
from cvcourse.models.embedding.resnet12 import ResNet12
from cvcourse.models.embedding.rotnet import RotNet
from cvcourse.models.embedding.set_functions import (
    DeepSets,
    GraphConvolution,
    SetAttention,
    SetLSTM,
)
from cvcourse.models.embedding.split_brain import CrossChannelNetwork, SplitBrain
from cvcourse.models.embedding.spot_artifacts import (
    ArtifactAutoencoder,
    ArtifactDiscriminator,
    RepairNetwork,
)

__all__ = [
    "ArtifactAutoencoder",
    "ArtifactDiscriminator",
    "ChannelGate",
    "ContextFreeNetwork",
    "Conv4",
    "ConvNet13",
    "CrossChannelNetwork",
    "DeepClusterAlexNet",
    "DeepSets",
    "FewShot",
    "GatedBlock",
    "GatedNetwork",
    "GraphConvolution",
    "L3Net",
    "L3Trunk",
    "PIRLNetwork",
    "PatchInpainter",
    "PatchPairDiscriminator",
    "RepairNetwork",
    "ResNet12",
    "RotNet",
    "SetAttention",
    "SetLSTM",
    "SimCLRHead",
    "SplitBrain",
    "TaskClassifier",
    "TransformationClassifier",
    "episode_labels",
    "moco_resnet50",
]

"""From pictures to vectors: few-shot encoders, set functions, networks of pretext tasks."""

from cvcourse.models.embedding.cfn import ContextFreeNetwork
from cvcourse.models.embedding.conv4 import Conv4
from cvcourse.models.embedding.feat import FewShot, episode_labels
from cvcourse.models.embedding.resnet12 import ResNet12
from cvcourse.models.embedding.rotnet import RotNet
from cvcourse.models.embedding.set_functions import (
    DeepSets,
    GraphConvolution,
    SetAttention,
    SetLSTM,
)

__all__ = [
    "ContextFreeNetwork",
    "Conv4",
    "DeepSets",
    "FewShot",
    "GraphConvolution",
    "ResNet12",
    "RotNet",
    "SetAttention",
    "SetLSTM",
    "episode_labels",
]

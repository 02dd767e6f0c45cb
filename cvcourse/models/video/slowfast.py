"""SlowFast: few frames and many channels beside many frames and few (Feichtenhofer et al. 2019).

    slow: every α-th frame  ─ stem ─ + ─ res2 ─ + ─ res3 ─ + ─ res4 ─ + ─ res5 ─ average ─┐
                                     ↑          ↑          ↑          ↑                   ├─ linear
    fast: every frame       ─ stem ─── res2 ───── res3 ───── res4 ───── res5 ─── average ─┘

The fast pathway has 1/β of the channels and never strides in time. At each arrow a convolution over
time, of stride α, brings its features to the slow pathway, where they are concatenated.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least
from cvcourse.models.video.resnet3d import check_video

DEPTHS = (3, 4, 6, 3)


class SlowFast(nn.Module):
    """Videos (batch, 3, time, height, width), normalised, to logits (batch, num_classes).

    Args:
        num_classes: classes told apart; with 400, 34,480,216 parameters (SlowFast 4×16, R50).
        depths: blocks of each stage.
        slow_times: frames that the slow pathway's kernels see in each stage; the fast one's see 3.
        width: channels of the slow stem; stages have 4, 8, 16 and 32 times as many.
        alpha: the slow pathway sees `time // alpha` frames, see `slow_frames`.
        beta_inverse: the fast pathway has 1 / beta_inverse of the channels.
        fusion_kernel: frames of the convolutions between pathways; 5, in the 8×8 configuration
            (alpha 4) 7: 34,566,488 parameters.
        dropout: probability of dropping a feature before the linear layer.

    The last norm of each residual block begins at 0. Logits also in evaluation, where the authors'
    code returns their softmax. Raises ValueError for inputs of other axes, fewer frames than alpha,
    or a number of frames that alpha does not divide.

    Reference: Feichtenhofer et al., SlowFast Networks for Video Recognition, 2019, 1812.03982.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        depths: Sequence[int] = DEPTHS,
        slow_times: Sequence[int] = (1, 1, 3, 3),
        width: int = 64,
        alpha: int = 8,
        beta_inverse: int = 8,
        fusion_kernel: int = 5,
        dropout: float = 0.5,
    ) -> None:
        if len(slow_times) != len(depths):
            raise ValueError(f"slow_times: expected as many as depths, got {slow_times}")
        for name, value in (("num_classes", num_classes), ("alpha", alpha)):
            check_at_least(name, value)
        if width % beta_inverse:
            raise ValueError(f"width: expected a multiple of {beta_inverse}, got {width}")
        super().__init__()
        self.alpha = alpha
        thin = width // beta_inverse
        self.slow = nn.ModuleList([_stem(width, 1)])
        self.fast = nn.ModuleList([_stem(thin, 5)])
        self.fuse = nn.ModuleList()
        channels = (width, thin)  # of the pathways' last stages
        for i, (depth, slow_time) in enumerate(zip(depths, slow_times, strict=True)):
            self.fuse.append(_fusion(channels[1], fusion_kernel, alpha))
            before = (channels[0] + 2 * channels[1], channels[1])
            options = {"depth": depth, "stride": 1 if i == 0 else 2}
            self.slow.append(_stage(before[0], width * 2**i, time=slow_time, **options))
            self.fast.append(_stage(before[1], thin * 2**i, time=3, **options))
            channels = (4 * width * 2**i, 4 * thin * 2**i)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(sum(channels), num_classes)
        self._begin()

    def _begin(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, VideoBottleneck):
                nn.init.zeros_(module.bn3.weight)
        nn.init.normal_(self.fc.weight, std=0.01)
        nn.init.zeros_(self.fc.bias)

    def forward(
        self, x: Float[Tensor, "batch 3 time height width"]
    ) -> Float[Tensor, "batch classes"]:
        check_video(x)
        slow, fast = x[:, :, slow_frames(x.shape[2], self.alpha, x.device)], x
        for i, (slow_stage, fast_stage) in enumerate(zip(self.slow, self.fast, strict=True)):
            slow, fast = slow_stage(slow), fast_stage(fast)
            if i < len(self.fuse):
                slow = torch.cat((slow, self.fuse[i](fast)), dim=1)
        pooled = torch.cat([maps.mean((2, 3, 4)) for maps in (slow, fast)], dim=1)
        return self.fc(self.dropout(pooled))


def slow_frames(time: int, alpha: int, device: torch.device | str = "cpu") -> Int[Tensor, "slow"]:
    """Which frames the slow pathway sees: evenly from the first to the last, cut to integers.

    Not every alpha-th: of 32 frames with alpha 8 they are 0, 10, 20 and 31.
    """
    if time < alpha or time % alpha:
        raise ValueError(f"x: expected a multiple of {alpha} frames, got {time}")
    return torch.linspace(0, time - 1, time // alpha, dtype=torch.float32, device=device).long()


class VideoBottleneck(nn.Module):
    """T×1×1 to `width`, 1×3×3, 1×1×1 to `4 * width`, plus the input."""

    def __init__(self, in_channels: int, width: int, *, time: int, stride: int) -> None:
        super().__init__()
        out = 4 * width
        self.conv1 = nn.Conv3d(
            in_channels, width, (time, 1, 1), padding=(time // 2, 0, 0), bias=False
        )
        self.bn1 = nn.BatchNorm3d(width)
        self.conv2 = nn.Conv3d(
            width, width, (1, 3, 3), (1, stride, stride), padding=(0, 1, 1), bias=False
        )
        self.bn2 = nn.BatchNorm3d(width)
        self.conv3 = nn.Conv3d(width, out, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or in_channels != out:
            conv = nn.Conv3d(in_channels, out, 1, (1, stride, stride), bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm3d(out))

    def forward(
        self, x: Float[Tensor, "batch in_channels time height width"]
    ) -> Float[Tensor, "batch channels time new_height new_width"]:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        return self.relu(self.bn3(self.conv3(out)).add_(identity))


def published_names(depths: Sequence[int] = DEPTHS) -> dict[str, str]:
    """Of facebookresearch/SlowFast, for other depths than ResNet-50's."""
    names = {"head.projection": "fc"}
    parts = {"branch1": "downsample.0", "branch1_bn": "downsample.1"}
    for theirs, ours in (("a", 1), ("b", 2), ("c", 3)):
        parts |= {f"branch2.{theirs}": f"conv{ours}", f"branch2.{theirs}_bn": f"bn{ours}"}
    for p, pathway in enumerate(("slow", "fast")):
        stem = f"s1.pathway{p}_stem"
        names |= {f"{stem}.conv": f"{pathway}.0.0", f"{stem}.bn": f"{pathway}.0.1"}
        for s, depth in enumerate(depths, start=1):
            for b in range(depth):
                block = f"s{s + 1}.pathway{p}_res{b}"
                names |= {f"{block}.{k}": f"{pathway}.{s}.{b}.{v}" for k, v in parts.items()}
    for i in range(len(depths)):
        names |= {f"s{i + 1}_fuse.conv_f2s": f"fuse.{i}.0", f"s{i + 1}_fuse.bn": f"fuse.{i}.1"}
    return names


PUBLISHED_NAMES = published_names()


def _stem(width: int, time: int) -> nn.Sequential:
    padding = (time // 2, 3, 3)
    return nn.Sequential(
        nn.Conv3d(3, width, (time, 7, 7), (1, 2, 2), padding=padding, bias=False),
        nn.BatchNorm3d(width),
        nn.ReLU(inplace=True),
        nn.MaxPool3d((1, 3, 3), (1, 2, 2), padding=(0, 1, 1)),
    )


def _stage(in_channels: int, width: int, *, depth: int, time: int, stride: int) -> nn.Sequential:
    blocks = [VideoBottleneck(in_channels, width, time=time, stride=stride)]
    blocks += [VideoBottleneck(4 * width, width, time=time, stride=1) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)


def _fusion(channels: int, kernel: int, alpha: int) -> nn.Sequential:
    padding = (kernel // 2, 0, 0)
    conv = nn.Conv3d(
        channels, 2 * channels, (kernel, 1, 1), (alpha, 1, 1), padding=padding, bias=False
    )
    return nn.Sequential(conv, nn.BatchNorm3d(2 * channels), nn.ReLU(inplace=True))

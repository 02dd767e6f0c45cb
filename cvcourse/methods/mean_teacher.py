"""Mean Teacher: average the weights, not the answers (Tarvainen and Valpola 2017).

student ─ step of the optimiser ─┐
teacher ← α teacher + (1 - α) student      after each step, not each epoch
loss = cross-entropy(labelled) + w(t) · consistency(student's pass, teacher's pass)
"""

import copy

import torch
from torch import Tensor, nn


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Parameters of `average` ← decay · average + (1 - decay) · network, in place.

    Buffers stay as they are: batch normalisation of a network that only follows another has its own
    statistics, which it collects where it runs in training mode, as Mean Teacher's teacher and
    MoCo's key encoder do. In evaluation mode they would be those of the first day.

    Raises ValueError for a decay outside [0, 1], or networks whose parameters differ in shape.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"decay must lie in [0, 1], got {decay}")
    olds, news = list(average.parameters()), list(network.parameters())
    if [p.shape for p in olds] != [p.shape for p in news]:
        raise ValueError("network must have parameters of the shapes of those of average")
    for old, new in zip(olds, news, strict=True):
        old.mul_(decay).add_(new.to(old.dtype), alpha=1 - decay)


class MeanTeacher(nn.Module):
    """A copy of the student that follows it; its weights and steps are in the `state_dict`.

    Call it for the teacher's logits, without gradient; `update(student)` after each step.

    Args:
        student: copied; it is not a part of this module.
        decay: α, 0.999. While the averages are young α is at most 1 - 1 / (t + 1) at update t: the
            first update averages the old and the new half and half.

    **Conventions**: the teacher stays in training mode for targets, as in the authors' code, with
    dropout of its own and statistics of its own batch; for tests call `eval()`.

    Raises ValueError for a decay outside [0, 1).

    Reference: Mean Teachers Are Better Role Models, arXiv:1703.01780.
    """

    def __init__(self, student: nn.Module, decay: float = 0.999) -> None:
        if not 0 <= decay < 1:
            raise ValueError(f"decay must lie in [0, 1), got {decay}")
        super().__init__()
        self.teacher = copy.deepcopy(student).requires_grad_(False)
        self.decay = decay
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, *inputs: Tensor) -> Tensor:
        return self.teacher(*inputs)

    def update(self, student: nn.Module) -> None:
        self.steps += 1
        young = 1 - 1 / (int(self.steps) + 1)
        update_average(self.teacher, student, min(young, self.decay))

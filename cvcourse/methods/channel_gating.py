"""Learn task after task without forgetting: freeze the filters that a task uses.

    task t:  train gates, norms, head of t and the free filters; a price for each open gate
             ─ which filters fire on validation pictures ─ freeze these, shut the others for t,
             begin the others anew
    whose picture is it?  a task classifier on the features of all tasks' gates, which does forget:
             hence a memory of pictures (episodic), or of features that a GAN makes (generative)

Abati et al. 2020, arXiv:2004.00070. For networks such as `cvcourse.models.GatedNetwork`.
"""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from cvcourse.losses import wasserstein_gan_loss
from cvcourse.losses._checks import check_range
from cvcourse.methods._drawing import DRAWN


def sparsity_loss(gates: Sequence[Float[Tensor, "batch _"]]) -> Float[Tensor, ""]:
    """Share of open gates, the mean over blocks of the mean over filters and pictures.

    Times λ_s, 0.5 in re-implementations, and from some epochs on, when gates have a use.
    """
    if not len(gates):
        raise ValueError("gates must hold those of at least one block, got none")
    return torch.stack([of_block.float().mean() for of_block in gates]).mean()


@torch.no_grad()
def used_filters(
    network: nn.Module, batches: Iterable[Tensor], task: int, *, threshold: float = 0.0
) -> list[Bool[Tensor, "_"]]:
    """Of each block the filters that fire for more than `threshold` of the pictures of a task.

    batches: pictures for validation. The network is looked at in evaluation mode, and left in the
    mode it was in. A threshold of 0 keeps every filter that fired at all.

    Raises ValueError for no pictures, or a threshold outside [0, 1).
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"threshold must lie in [0, 1), got {threshold}")
    was_training = network.training
    network.eval()
    counts, pictures = None, 0
    for images in batches:
        fired = [(of_block > 0).sum(0) for of_block in network.features(images, task)[1]]
        counts = fired if counts is None else [a + b for a, b in zip(counts, fired, strict=True)]
        pictures += len(images)
    network.train(was_training)
    if counts is None or not pictures:
        raise ValueError("batches must hold pictures, got none")
    return [count > threshold * pictures for count in counts]


class FrozenFilters(nn.Module):
    """The filters of a network's blocks that no later training may change, by a bit.

    Call `close_task` after each task; then, in every step, `mask_gradients()` between backward and
    the optimiser's step, and `restore()` after it, since momentum and weight decay move weights
    that have no gradient. Its state is in the `state_dict`.

    Args:
        network: its `blocks` have a `conv` without bias, and `permitted`, `norms` and `gates` for
            each task. It is not a part of this module.

    So the outputs of a closed task stay what they were: its filters, norms, gates and head are
    frozen, and filters that it did not use are shut for it, whatever they become.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self._blocks = (tuple(network.blocks),)  # in a tuple of its own: not registered
        for i, block in enumerate(network.blocks):
            weight = block.conv.weight
            if block.conv.bias is not None:
                raise ValueError("network must have convolutions without bias in its blocks")
            frozen = torch.zeros(len(weight), dtype=torch.bool, device=weight.device)
            self.register_buffer(f"frozen{i}", frozen)
            self.register_buffer(f"kept{i}", weight.detach().clone())

    def close_task(
        self,
        network: nn.Module,
        task: int,
        used: Sequence[Bool[Tensor, "_"]],
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        """Freeze what the task used and what is its own, shut the rest for it, begin that anew.

        used: as `used_filters` gives them.
        """
        blocks = self._blocks[0]
        if len(used) != len(blocks):
            raise ValueError(f"used must hold {len(blocks)} blocks, got {len(used)}")
        for i, (block, of_block) in enumerate(zip(blocks, used, strict=True)):
            block.permitted[task] &= of_block
            frozen, kept = self._state(i)
            frozen |= of_block
            weight = block.conv.weight.detach()
            fresh = torch.empty_like(weight, device="cpu")
            nn.init.kaiming_uniform_(fresh, a=5**0.5, generator=generator)
            weight.copy_(torch.where(frozen[:, None, None, None], weight, fresh.to(weight)))
            kept.copy_(weight)
            for own in (block.norms[task], block.gates[task]):
                own.requires_grad_(False)
        network.heads[task].requires_grad_(False)

    def mask_gradients(self) -> None:
        for i, block in enumerate(self._blocks[0]):
            if block.conv.weight.grad is not None:
                block.conv.weight.grad[self._state(i)[0]] = 0

    @torch.no_grad()
    def restore(self) -> None:
        for i, block in enumerate(self._blocks[0]):
            frozen, kept = self._state(i)
            block.conv.weight[frozen] = kept[frozen]

    def free(self) -> list[float]:
        """Share of each block's filters that later tasks may still change."""
        return [1 - self._state(i)[0].float().mean().item() for i in range(len(self._blocks[0]))]

    def _state(self, i: int) -> tuple[Tensor, Tensor]:
        return self.get_buffer(f"frozen{i}"), self.get_buffer(f"kept{i}")


class EpisodicMemory:
    """A few pictures of each class, kept for the task classifier alone.

    Args:
        per_class: pictures of each class, drawn at random.
        generator: source of the random numbers, on the CPU.
    """

    def __init__(self, per_class: int = 20, *, generator: torch.Generator | None = None) -> None:
        if per_class < 1:
            raise ValueError(f"per_class must be at least 1, got {per_class}")
        self.per_class, self.generator = per_class, generator
        self.images: list[Tensor] = []
        self.tasks: list[int] = []

    def add(self, images: Float[Tensor, "n *image"], labels: Int64[Tensor, "n"], task: int) -> None:
        """Keep some pictures of a task's classes."""
        if len(images) != len(labels):
            raise ValueError(f"labels must be ({len(images)},), got {tuple(labels.shape)}")
        for label in labels.unique():
            found = (labels == label).nonzero()[:, 0]
            order = torch.randperm(len(found), generator=self.generator, device="cpu")
            kept = found[order[: self.per_class].to(found.device)]
            chosen = images[kept].detach().clone()
            self.images.append(chosen)
            self.tasks.extend([task] * len(chosen))

    def __len__(self) -> int:
        return len(self.tasks)

    def sample(self, count: int) -> tuple[Float[Tensor, "count *image"], Int64[Tensor, "count"]]:
        """Pictures and whose they are, with replacement, each picture alike."""
        if not len(self):
            raise ValueError("memory must hold pictures before it is sampled, got none")
        images = torch.cat(self.images)
        chosen = torch.randint(len(images), (count,), generator=self.generator, device="cpu")
        tasks = torch.tensor(self.tasks, device="cpu")[chosen]
        return images[chosen.to(images.device)], tasks.to(images.device)


class GenerativeMemory(nn.Module):
    """A generator of the features of a task's pictures: nothing of the pictures is kept.

    A Wasserstein GAN with a penalty on the critic's slope (Gulrajani et al. 2017, 1704.00028). One
    for each task.

    Args:
        generator: noise (batch, latent) to features (batch, ...), as of `all_features`.
        critic: features to scores (batch, 1).
        latent: numbers of the noise.
        penalty: weight, 10.
    """

    def __init__(
        self, generator: nn.Module, critic: nn.Module, latent: int, *, penalty: float = 10.0
    ) -> None:
        if latent < 1:
            raise ValueError(f"latent must be at least 1, got {latent}")
        check_range("penalty", penalty, 0)
        super().__init__()
        self.generator, self.critic = generator, critic
        self.latent, self.penalty = latent, penalty

    def critic_loss(self, features: Float[Tensor, "batch *features"]) -> Float[Tensor, ""]:
        """mean D(made) - mean D(real) + penalty · mean (‖∇D‖ - 1)², between real and made."""
        made = self.sample(len(features)).to(features.dtype)
        loss = wasserstein_gan_loss(self.critic(features), True)
        loss = loss + wasserstein_gan_loss(self.critic(made), False)
        share = torch.rand(len(features), *[1] * (features.ndim - 1), **DRAWN).to(features)
        between = torch.lerp(made, features.detach(), share).requires_grad_()
        (slope,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
        length = slope.flatten(1).norm(dim=1)
        return loss + self.penalty * (length - 1).square().mean()

    def generator_loss(self, count: int) -> Float[Tensor, ""]:
        """Minus the mean score of made features."""
        return wasserstein_gan_loss(self.critic(self.generator(self._noise(count))), True)

    @torch.no_grad()
    def sample(self, count: int) -> Float[Tensor, "count *features"]:
        return self.generator(self._noise(count))

    def _noise(self, count: int) -> Tensor:
        like = next(self.generator.parameters())
        return torch.randn(count, self.latent, **DRAWN).to(like)


@torch.no_grad()
def classify(
    network: nn.Module, task_classifier: nn.Module, images: Float[Tensor, "batch channels h w"]
) -> tuple[Int64[Tensor, "batch"], Int64[Tensor, "batch"]]:
    """Task and class within the task of pictures of which neither is told."""
    features = network.all_features(images)  # (B, tasks, D)
    tasks = task_classifier(features).argmax(1)
    classes = torch.empty_like(tasks)
    for task in tasks.unique().tolist():
        rows = tasks == task
        classes[rows] = network.heads[task](features[rows, task]).argmax(1)
    return tasks, classes

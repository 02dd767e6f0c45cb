"""MoCo: a queue of earlier keys, so that negatives do not need a large batch (He et al. 2019).

    query image ─ encoder ─────────────── q ┐
    key image ─ averaged encoder ──────── k ┴ q · [k, queue] / T: which is the key of q?
                                          └─ into the queue, in place of the oldest

v2 (Chen et al. 2020, arXiv:2003.04297): a head of two layers, temperature 0.2, blurred views and a
cosine schedule. arXiv:1911.05722.
"""

import copy

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.losses._checks import check_positive
from cvcourse.losses._reduce import at_least_float32, inner_products
from cvcourse.methods.mean_teacher import update_average


class MoCo(nn.Module):
    """Two views (batch, ...) of each image to logits (batch, 1 + queue), whose class is always 0.

    `F.cross_entropy(logits, zeros)` of them is InfoNCE. Names are the authors' (`encoder_q`,
    `encoder_k`, `queue`, `queue_ptr`), so that `load_pretrained` reads checkpoints of their
    training, and all state is in the `state_dict`: training goes on as if it had not stopped. The
    files that they released hold the query encoder alone: those go into the encoder,
    `MoCo(load_pretrained(moco_resnet50(), file))`.

    Args:
        encoder: to embeddings (batch, dim), which need not be of length 1; a copy becomes the key
            encoder. Such as `moco_resnet50()`.
        dim: of an embedding.
        queue: keys in it. It begins as random directions, so that the loss is low at first and
            rises while real keys come in.
        momentum: of the key encoder. With fast keys old ones look old, and the network tells a key
            by its age.
        temperature: 0.07, or 0.2 in v2.
        shuffle: groups that a batch is split into, each with batch statistics of its own, keys in
            another order than queries; so a key cannot be known by the statistics that it shares
            with its query. The authors' groups are the GPUs'. 1 is for encoders without batch
            normalisation.

    **Conventions**: the key encoder's parameters follow before the keys are computed, its buffers
    do not. Logits are those before this batch enters the queue, which may be of any size up to the
    queue's and wraps around. In evaluation mode nothing changes. Keys, queue and logits are in the
    queue's dtype, also under autocast.

    Raises ValueError for numbers out of range, embeddings of another size, or a larger batch.
    """

    def __init__(
        self,
        encoder: nn.Module,
        dim: int = 128,
        *,
        queue: int = 65_536,
        momentum: float = 0.999,
        temperature: float = 0.07,
        shuffle: int = 1,
    ) -> None:
        for name, value in (("dim", dim), ("queue", queue), ("shuffle", shuffle)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1], got {momentum}")
        check_positive("temperature", temperature)
        super().__init__()
        self.encoder_q = encoder
        self.encoder_k = copy.deepcopy(encoder).requires_grad_(False)
        self.momentum, self.temperature, self.shuffle = momentum, temperature, shuffle
        directions = F.normalize(torch.randn(dim, queue, dtype=torch.float32), dim=0)
        self.register_buffer("queue", directions)
        self.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.int64))

    def forward(
        self,
        query_images: Float[Tensor, "batch *image"],
        key_images: Float[Tensor, "batch *image"],
    ) -> Float[Tensor, "batch logits"]:
        size, groups = self.queue.shape[1], self.shuffle if self.training else 1
        if not groups <= len(query_images) == len(key_images) <= size:
            raise ValueError(
                f"query_images and key_images must be as many, from {groups} to {size}, "
                f"got {len(query_images)} and {len(key_images)}"
            )
        q = self._embed(self.encoder_q, query_images, groups)
        with torch.no_grad():
            if self.training:
                update_average(self.encoder_k, self.encoder_q, self.momentum)
            draw = torch.randperm if groups > 1 else torch.arange
            order = draw(len(key_images), device="cpu").to(key_images.device)
            k = self._embed(self.encoder_k, key_images[order], groups)[order.argsort()]
        positive = (q * k).sum(1, keepdim=True)
        logits = torch.cat([positive, inner_products(q, self.queue.T.clone())], 1)
        if self.training:
            self._enqueue(k)
        return logits / self.temperature

    def _embed(self, encoder: nn.Module, images: Tensor, groups: int) -> Tensor:
        z = torch.cat([encoder(part) for part in images.tensor_split(groups)])
        if z.shape != (len(images), len(self.queue)):
            raise ValueError(
                f"encoder must give {(len(images), len(self.queue))}, got {tuple(z.shape)}"
            )
        return F.normalize(at_least_float32(z), dim=1).to(self.queue.dtype)

    @torch.no_grad()
    def _enqueue(self, keys: Tensor) -> None:
        size = self.queue.shape[1]
        places = (self.queue_ptr + torch.arange(len(keys), device=keys.device)) % size
        self.queue[:, places] = keys.T
        self.queue_ptr[0] = (self.queue_ptr[0] + len(keys)) % size

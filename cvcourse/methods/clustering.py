"""From features to groups, and from groups to batches: what clustering methods share."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor
from torch.utils.data import Sampler

from cvcourse.losses._checks import check_integers, check_matrix
from cvcourse.losses._reduce import at_least_float32
from cvcourse.ops._checks import is_plain


def whiten(
    features: Float[Tensor, "images features"], dims: int = 256
) -> Float[Tensor, "images dims"]:
    """Centred, reduced by principal components, each of them divided by its deviation, of length 1.

    Without whitening a few large directions decide all distances.

    Args:
        dims: at most the number of features and of images.

    **Conventions**: the deviation is the population's, as in faiss. Directions in which nothing
    varies become 0 instead of rounding errors blown up; a row of zeros stays one. Computed in
    float64. The signs of the components are arbitrary.

    Raises ValueError for another shape, `dims` out of range, or on the CPU for nan.

    Reference: Caron et al., Deep Clustering, 2018, arXiv:1807.05520, section 3.3.
    """
    check_matrix("features", features)
    if not 1 <= dims <= min(features.shape):
        raise ValueError(f"dims must be from 1 to {min(features.shape)}, got {dims}")
    if is_plain(features) and not features.isfinite().all():
        raise ValueError("features must be finite, got nan or inf")
    x = features.detach().double()
    x = x - x.mean(0)
    left, values, _ = torch.linalg.svd(x, full_matrices=False)  # x = left · values · right
    varies = values > values[0] * max(x.shape) * torch.finfo(x.dtype).eps
    components = left[:, :dims] * len(x) ** 0.5 * varies[:dims]  # each divided by its deviation
    return F.normalize(components, dim=1).to(at_least_float32(features).dtype)


def k_means(
    features: Float[Tensor, "images features"],
    clusters: int,
    *,
    iterations: int = 20,
    seed: int = 0,
) -> Int64[Tensor, "images"]:
    """The cluster of each row, from 0 to clusters - 1; none is empty.

    Lloyd's iterations of scikit-learn from random rows, and `repair_empty_clusters` for what is
    left. Draw another seed in each epoch, so that clusters do not always begin at the same images.

    Raises ValueError for fewer rows than clusters, or counts below 1; ModuleNotFoundError without
    scikit-learn.
    """
    check_matrix("features", features)
    if not 1 <= clusters <= len(features):
        raise ValueError(f"clusters must be from 1 to {len(features)} images, got {clusters}")
    if iterations < 1:
        raise ValueError(f"iterations must be at least 1, got {iterations}")
    try:
        import warnings

        from sklearn.cluster import KMeans
        from sklearn.exceptions import ConvergenceWarning
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "k_means needs scikit-learn, which is not installed: pip install 'cvcourse[lessons]'",
            name="sklearn",
        ) from error
    values = at_least_float32(features.detach()).cpu().numpy()
    model = KMeans(clusters, init="random", n_init=1, max_iter=iterations, random_state=seed)
    with warnings.catch_warnings():  # of fewer different rows than clusters: repaired below
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = torch.from_numpy(model.fit_predict(values)).long()
    generator = torch.Generator().manual_seed(seed)
    found = repair_empty_clusters(torch.from_numpy(values), found, clusters, generator=generator)
    return found.to(features.device)


def repair_empty_clusters(
    features: Float[Tensor, "images features"],
    assignments: Integer[Tensor, "images"],
    clusters: int,
    *,
    generator: torch.Generator | None = None,
) -> Int64[Tensor, "images"]:
    """Each empty cluster takes the centre of a random other one, moved a little, and its share.

    The members of that cluster go to the nearer of the two centres; as they lie close together,
    that is to the sides of a plane through their mean. Clusters are drawn in proportion to their
    members, among those of two or more. Members that are all alike give one.

    Args:
        generator: on the CPU.

    Raises ValueError for labels outside, or fewer images than clusters.

    Reference: Caron et al. 2018, arXiv:1807.05520, section 3.3, trivial solutions.
    """
    check_matrix("features", features)
    check_integers("assignments", assignments)
    if len(features) < clusters or assignments.shape != features.shape[:1]:
        raise ValueError(
            f"assignments must be ({len(features)},), and at least {clusters} images, "
            f"got {tuple(assignments.shape)}"
        )
    device, features = assignments.device, at_least_float32(features.detach()).cpu()
    found = assignments.long().cpu().clone()
    if len(found) and (found.min() < 0 or found.max() >= clusters):
        raise ValueError(f"assignments must be from 0 to {clusters - 1}, got {found.max()}")
    for empty in (found.bincount(minlength=clusters) == 0).nonzero()[:, 0].tolist():
        counts = found.bincount(minlength=clusters).double()
        shares = torch.where(counts > 1, counts, 0.0)
        chosen = torch.multinomial(shares, 1, generator=generator)
        members = (found == chosen).nonzero()[:, 0]
        direction = torch.randn(
            features.shape[1:], generator=generator, dtype=features.dtype, device="cpu"
        )
        side = (features[members] - features[members].mean(0)) @ direction > 0
        moved = members[side] if side.any() else members[:1]
        found[moved] = empty
    return found.to(device)


class UniformClusterSampler(Sampler[int]):
    """Indices of an epoch in which each cluster comes equally often, in random order.

    Without it a few large clusters would be the task, and then the only clusters.

    Args:
        assignments: (n,) the cluster of each image.
        length: of an epoch; n by default.
        generator: on the CPU; the same seed gives the same epochs.

    Each of k clusters that have members gives ⌊length / k⌋ + 1 images, with replacement only where
    it has no more; the whole is shuffled and cut at `length`, as in the authors' code.

    Raises ValueError for other shapes, or nothing to draw from.

    Reference: Caron et al. 2018, arXiv:1807.05520, section 3.3.
    """

    def __init__(
        self,
        assignments: Integer[Tensor, "images"],
        *,
        length: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        check_integers("assignments", assignments)
        if assignments.ndim != 1 or not len(assignments):
            raise ValueError(f"assignments must be (n,), n > 0, got {tuple(assignments.shape)}")
        self.length = len(assignments) if length is None else length
        if self.length < 1:
            raise ValueError(f"length must be at least 1, got {length}")
        assignments = assignments.cpu()
        self.members = [(assignments == c).nonzero()[:, 0] for c in assignments.unique()]
        self.generator = generator

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        share = self.length // len(self.members) + 1
        like = {"generator": self.generator, "device": "cpu"}
        drawn = []
        for found in self.members:
            if len(found) > share:
                places = torch.randperm(len(found), **like)[:share]
            else:
                places = torch.randint(len(found), (share,), **like)
            drawn.append(found[places])
        chosen = torch.cat(drawn)
        order = torch.randperm(len(chosen), **like)[: self.length]
        yield from chosen[order].tolist()

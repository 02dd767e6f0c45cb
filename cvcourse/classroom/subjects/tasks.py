"""Six questions about the same pictures, and the networks that answer them.

    picture (3, H, W) ─ encoder ─ representation (8, H/4, W/4) ─ readout ─ answer (C, H, W)

All encoders have one shape, so that whatever one task has taught an encoder can be handed to the
readout of another. Trained ones come with lesson 13; `trained_network("depth")` gives them.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from cvcourse.classroom.device import choose_device
from cvcourse.classroom.figures import style
from cvcourse.classroom.figures.pictures import draw_image
from cvcourse.classroom.history import History
from cvcourse.classroom.training.evaluation import settled
from cvcourse.classroom.training.fit import fit, warmup_cosine
from cvcourse.classroom.training.weights import load_shared
from cvcourse.data.scenes import Scenes, stack

SHAPES = ("background", "disk", "square", "triangle", "star")
CHANNELS = {
    "autoencoding": 3,
    "edges": 1,
    "occlusion": 1,
    "depth": 1,
    "normals": 3,
    "segments": len(SHAPES),
}
TASKS = tuple(CHANNELS)
LONGER = ("depth", "normals")  # those that the lesson also trains longer
TRAINED = {"13-longer": LONGER, "13-sources-0": TASKS}  # files of weights, the longest first
WIDTH = 8  # channels of a representation
STRIDE = 4  # pixels of the picture between two places of a representation
LOG_DEPTH = 1.75, 0.18  # mean and spread of ln(depth) in these scenes
DEPTHS = 4.0, 8.0  # the range that is drawn
RATE = 3e-3  # of learning from few labels


class Network(nn.Module):
    """An encoder, new or given, and a new readout for one task."""

    def __init__(self, task: str, encoder: nn.Module | None = None):
        super().__init__()
        self.task = _known(task)
        self.encoder = new_encoder() if encoder is None else encoder
        self.readout = new_readout(task)

    def forward(self, images: Float[Tensor, "images 3 height width"]) -> Tensor:
        return self.readout(self.encoder(images))


def new_encoder() -> nn.Sequential:
    """(N, 3, H, W) -> (N, 8, H/4, W/4), each channel with mean 0 and spread 1 over training."""
    return nn.Sequential(
        _block(3, 16, stride=2),
        _block(16, 24, stride=2),
        _block(24, 32),
        _block(32, 32),
        nn.Conv2d(32, WIDTH, 3, padding=1),
        nn.BatchNorm2d(WIDTH, affine=False),
    )


def random_encoder(images: Float[Tensor, "images 3 height width"], seed: int) -> nn.Sequential:
    """An encoder that has learnt no weight, only the scale of each channel on these pictures."""
    torch.manual_seed(seed)
    return settled(new_encoder(), images).train()


def new_readout(task: str) -> nn.Sequential:
    """(N, 8, H/4, W/4) -> (N, channels, H, W): two convolutions, then a small decoder."""
    return nn.Sequential(
        _block(WIDTH, 24),
        _block(24, 24),
        nn.Upsample(scale_factor=2),
        _block(24, 12),
        nn.Conv2d(12, CHANNELS[_known(task)], 3, padding=1),
        nn.Upsample(scale_factor=2, mode="bilinear"),
    )


def new_networks(tasks: Sequence[str] = TASKS) -> nn.ModuleDict:
    """An untrained network for each task."""
    return nn.ModuleDict({task: Network(task) for task in tasks})


def file_of(task: str) -> str:
    """The file of `lessons/weights`, without its hash, that `trained_network` reads."""
    return next(file for file, together in TRAINED.items() if _known(task) in together)


def trained_network(task: str) -> Network:
    """The network that lesson 13 trained longest for `task`, in evaluation mode, on the CPU.

    It takes pictures (N, 3, H, W) in [0, 1] of about 48 pixels, sides multiples of 4; `answer` puts
    its outputs into the units of the scenes.

    Raises ValueError for another task, FileNotFoundError where the weights are not there.
    """
    file = file_of(task)
    networks = new_networks(TRAINED[file])
    load_shared(networks, file)
    return networks[task].eval()


def scenes(length: int, split: str, *, size: int = 48, seed: int = 0) -> Scenes:
    """The pictures of lesson 13: two to four shapes in front of photographs."""
    objects = {"objects": (2, 4), "classes": SHAPES, "scale": (0.35, 0.65)}
    return Scenes(length, size=size, split=split, seed=seed, texture=0.5, noise=0.5, **objects)


def wanted_of(images: Tensor, truth: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What each network is to say: (N, C, H, W) floats; for "segments" (N, H, W) labels.

    images: (N, 3, H, W) in [0, 1]. truth: `depth`, `normals` and `semantic` as `stack` gives them.
    """
    depth, grey = truth["depth"][:, None], images.mean(1, keepdim=True)
    mean, spread = LOG_DEPTH
    return {
        "autoencoding": images,
        "edges": 2 * _slope(grey),
        "occlusion": (_slope(depth.log()) > 0.03).float(),
        "depth": (depth.log() - mean) / spread,
        "normals": truth["normals"],
        "segments": truth["semantic"],
    }


class Pictures(Dataset):
    """Pictures of one size with everything that is wanted of them, kept in memory."""

    def __init__(self, length: int, split: str, *, size: int = 48, seed: int = 0):
        self.images, self.wanted, self.truth = pictures(length, split, size=size, seed=seed)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple[Tensor, dict[str, Tensor]]:
        return self.images[i], {task: of_all[i] for task, of_all in self.wanted.items()}


def pictures(
    length: int, split: str, *, size: int = 48, seed: int = 0
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """(images, what is wanted of them, truth): the first `length` of `scenes`, stacked."""
    drawn = scenes(length, split, size=size, seed=seed)
    images, truth = stack([drawn[i] for i in range(length)])
    return images, wanted_of(images, truth), truth


@torch.no_grad()
def ask(model: nn.Module, images: Tensor, *, batch: int = 50) -> Tensor:
    """What the model says, in evaluation mode, wherever it is; on the CPU."""
    device = next(model.parameters(), images).device
    model.eval()
    return torch.cat([model(part.to(device)).cpu() for part in images.split(batch)])


def losses_of(task: str, outputs: Tensor, wanted: Tensor) -> Float[Tensor, " images"]:
    """The loss of each picture that training minimises: cross-entropy, or the squared error."""
    losses = {"segments": F.cross_entropy, "occlusion": F.binary_cross_entropy_with_logits}
    loss = losses.get(_known(task), F.mse_loss)
    return loss(outputs, wanted, reduction="none").flatten(1).mean(1)


def losses_of_all(networks: nn.ModuleDict, batch: tuple[Tensor, dict]) -> dict[str, Tensor]:
    """The mean loss of each network on a batch of `Pictures`, by task: they share no weight."""
    images, wanted = batch
    return {
        task: losses_of(task, network(images), wanted[task]).mean()
        for task, network in networks.items()
    }


def learn_few(
    model: nn.Module,
    inputs: Tensor,
    wanted: Tensor,
    task: str,
    *,
    steps: int,
    slow: nn.Module | None = None,
) -> History:
    """Train on three quarters of the labelled pictures; the last quarter says when to stop.

    AdamW, batches of 8, up to a rate of 0.003 and down in a cosine. The model ends with the
    weights, of every 40 steps, whose loss on that quarter was lowest.

    slow: a part of the model that learns at a tenth of the rate.
    """
    slowly = set() if slow is None else {*slow.parameters()}
    if not slowly <= {*model.parameters()}:
        raise ValueError("slow must be a part of model")

    def optimizer(weights: Sequence[Tensor], lr: float) -> torch.optim.Optimizer:
        rates = [lr / 10 if weight in slowly else lr for weight in weights]
        groups = [{"params": w, "lr": r} for w, r in zip(weights, rates, strict=True)]
        return torch.optim.AdamW(groups)

    last, device = 3 * len(inputs) // 4, choose_device()
    few, held = TensorDataset(inputs[:last], wanted[:last]), (inputs[last:], wanted[last:])
    held = [part.to(device) for part in held]

    def loss(model: nn.Module, batch: Sequence[Tensor]) -> Tensor:
        return losses_of(task, model(batch[0]), batch[1]).mean()

    order = torch.Generator().manual_seed(0)
    return fit(
        model, DataLoader(few, 8, shuffle=True, generator=order), loss, live=False, steps=steps,
        optimizer=optimizer, lr=RATE, scheduler=warmup_cosine, validate_every=40,
        validate=lambda model: loss(model, held).item(), keep_best="lowest", progress=False,
    )  # fmt: skip


def as_numbers(task: str, wanted: Tensor) -> Float[Tensor, "images channels height width"]:
    """What is wanted as numbers in channels: of labels, a 1 in the channel of the right one."""
    if _known(task) == "segments":
        return F.one_hot(wanted, len(SHAPES)).movedim(-1, 1).float()
    return wanted


def probable(task: str, outputs: Tensor) -> Float[Tensor, "images channels height width"]:
    """A network's outputs as numbers of the same kind: probabilities where there are classes."""
    if _known(task) == "segments":
        return outputs.softmax(1)
    return outputs.sigmoid() if task == "occlusion" else outputs


def answer(task: str, numbers: Tensor) -> Tensor:
    """Numbers as `as_numbers` or a network gives them, in the units of the scenes.

    depth (N, H, W); normals (N, 3, H, W) of length 1; segments (N, H, W) labels; the others as
    they are.
    """
    if _known(task) == "depth":
        mean, spread = LOG_DEPTH
        return (numbers[:, 0] * spread + mean).exp()
    if task == "normals":
        return F.normalize(numbers, dim=1)
    return numbers.argmax(1) if task == "segments" else numbers


def show_answers(columns: Mapping[str, tuple[str, Tensor]], *, title: str) -> Figure:
    """A grid: a row for each picture, a column for each answer to it.

    columns: by what is written above it, ("picture", (N, 3, H, W)), or a task and what `answer`
        gives. Near is bright in depths; the colour of a normal is its direction.
    """
    rows = len(next(iter(columns.values()))[1])
    side = min(1.5, style.WIDTH / len(columns))
    size = (side * len(columns), side * rows + 0.75)
    figure, cells = plt.subplots(rows, len(columns), figsize=size, squeeze=False)
    for column, (name, (kind, answers)) in enumerate(columns.items()):
        cells[0][column].set_title(name, fontsize=9)
        for row in range(rows):
            draw_answer(cells[row][column], kind, answers[row].detach().cpu())
    figure.suptitle(title)
    return style.describe(
        figure, f"{title}. {rows} pictures in rows; columns: {', '.join(columns)}."
    )


def draw_answer(axes: Axes, kind: str, answer: Tensor) -> None:
    """One answer as a picture, without ticks."""
    if kind == "depth":
        near, far = DEPTHS
        axes.imshow(answer.numpy(), cmap="viridis_r", vmin=near, vmax=far)
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
    elif kind == "normals":
        draw_image(axes, answer / 2 + 0.5)
    elif kind == "segments":
        colours = [(0.2, 0.2, 0.2), *(to_rgb(style.colour_of(i)) for i in range(len(SHAPES) - 1))]
        draw_image(axes, torch.tensor(colours)[answer].movedim(-1, 0))
    else:
        draw_image(axes, answer)


def _slope(fields: Tensor) -> Tensor:
    """(N, 1, H, W): the largest difference between a pixel and its eight neighbours."""
    padded = F.pad(fields, (1, 1, 1, 1), mode="replicate")
    high, low = F.max_pool2d(padded, 3, 1), -F.max_pool2d(-padded, 3, 1)
    return torch.maximum(high - fields, fields - low)


def _block(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU())


def _known(task: str) -> str:
    if task not in CHANNELS:
        raise ValueError(f"task must be one of {', '.join(TASKS)}, got {task!r}")
    return task

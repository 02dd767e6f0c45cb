"""Train the trunk from which the lessons' small detectors start: `small_backbone.py`.

As large detectors start from ImageNet, it starts from classification: which shape, or none, is in
this crop of a training scene? A quarter of an hour on one core. Writes lessons/weights/backbone-*.
"""

import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader

from cvcourse.classroom import fit, warmup_cosine
from cvcourse.classroom.subjects.detecting import SHAPES, SIDE, WIDTH, Kept, shape_scenes
from cvcourse.classroom.training.weights import save_shared
from cvcourse.models.backbones.resnet import BasicBlock, ResNet
from cvcourse.ops import roi_align

MEAN, STD = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])[..., None, None]
CROP = 64  # pixels
EPOCHS = 40


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    scenes = Kept(shape_scenes(12_000, seed=7), mirror=True)
    held_out = Kept(shape_scenes(1_000, "val", seed=7))
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(
        scenes, 64, shuffle=True, drop_last=True, collate_fn=crops, generator=generator
    )
    model = ResNet(
        len(SHAPES), block=BasicBlock, depths=(1, 1, 1), width=WIDTH, norm=nn.BatchNorm2d
    )

    def accuracy(model: nn.Module) -> float:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            images, labels = crops([held_out[i] for i in range(len(held_out))])
        return float((model(images).argmax(1) == labels).float().mean())

    started = time.process_time()
    history = fit(
        model,
        loader,
        lambda model, batch: F.cross_entropy(model(batch[0]), batch[1]),
        epochs=EPOCHS,
        lr=3e-3,
        scheduler=warmup_cosine,
        validate=accuracy,
    )
    seconds = time.process_time() - started
    _, accuracies = history.curve("validation")
    trunk = nn.ModuleDict({k: v for k, v in model.named_children() if k not in ("avgpool", "fc")})
    path = save_shared(trunk, "backbone", cpu_seconds=seconds)
    print(f"{path}: {seconds:.0f} s, held-out accuracy {accuracies[-1]:.3f}")


def crops(pairs: list[tuple[Tensor, dict[str, Tensor]]]) -> tuple[Tensor, Tensor]:
    """From each scene one crop (3, 64, 64), normalised as detectors do, and its label."""
    squares, labels = zip(*[draw_square(target) for _, target in pairs], strict=True)
    images = torch.stack([image for image, _ in pairs])
    rois = torch.cat([torch.arange(len(pairs))[:, None], torch.stack(squares)], 1)
    pieces = roi_align(images, rois, CROP, aligned=True, sampling_ratio=1)
    return (pieces - MEAN) / STD, torch.tensor(labels)


def draw_square(target: dict[str, Tensor]) -> tuple[Tensor, int]:
    """A square around some object, 1.1 to 2.2 times as wide, or one whose centre no object has."""
    boxes = target["boxes"]
    if len(boxes) and torch.rand(()) < 0.8:
        chosen = int(torch.randint(len(boxes), ()))
        corner, far = boxes[chosen].view(2, 2)
        centre = (corner + far) / 2 + 3 * torch.randn(2)
        side = (far - corner).max() * torch.empty(()).uniform_(1.1, 2.2)
        return square_around(centre, side), int(target["labels"][chosen])
    for _ in range(20):
        centre = torch.empty(2).uniform_(8, SIDE - 8)
        covered = ((boxes[:, :2] - 4 < centre) & (centre < boxes[:, 2:] + 4)).all(1)
        if not covered.any():
            return square_around(centre, torch.empty(()).uniform_(20, 80)), 0
    return draw_square(target)


def square_around(centre: Tensor, side: Tensor) -> Tensor:
    return torch.cat([centre - side / 2, centre + side / 2])


if __name__ == "__main__":
    main()

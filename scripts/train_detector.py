"""RetinaNet of lesson 04 on one GPU, several, or several nodes: docs/scaling.md.

accelerate launch scripts/train_detector.py --to runs/a      scenes; Pascal VOC or COCO if fetched
  --shards FOLDER     instead: tar files with NAME.jpg or NAME.png and NAME.json, as WebDataset's
Called again with the same arguments, it goes on from the last checkpoint.
"""

import argparse
import io
import json
import os
import tarfile
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset

from cvcourse.classroom import begin, fit
from cvcourse.classroom.device import is_first_process
from cvcourse.classroom.subjects.detecting import (
    batches,
    detection_data,
    imagenet_backbone,
    loss_of,
    small_backbone,
    warmup_steps,
)
from cvcourse.models import LastLevelP6P7, RetinaNet


class Shards(Dataset):
    """Pictures and boxes in tar files, read where they lie: no unpacking, and any order.

    Of each NAME there is a picture (NAME.jpg or NAME.png) and NAME.json, with `boxes`, a list of
    x1, y1, x2, y2 in pixels, and `labels` from 1. WebDataset reads the same files.
    """

    def __init__(self, folder: Path):
        self.places = []  # (file, (offset, size) of the picture, of the json)
        for path in sorted(Path(folder).glob("*.tar")):
            parts: dict[str, dict[str, tuple[int, int]]] = {}
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    name, _, kind = member.name.rpartition(".")
                    parts.setdefault(name, {})[kind] = (member.offset_data, member.size)
            for name, found in parts.items():
                picture = found.get("jpg") or found.get("png")
                if picture is None or "json" not in found:
                    raise ValueError(f"{path}: {name} must have a picture and a json")
                self.places.append((path, picture, found["json"]))
        if not self.places:
            raise ValueError(f"no tar files with pictures in {folder}")

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[Tensor, dict[str, Tensor]]:
        path, *spans = self.places[index]
        with path.open("rb") as file:
            picture, text = (self._read(file, *span) for span in spans)
        image = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))
        truth = json.loads(text)
        target = {
            "boxes": torch.tensor(truth["boxes"], dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor(truth["labels"], dtype=torch.int64),
        }
        return torch.from_numpy(image.copy()).permute(2, 0, 1) / 255, target

    @staticmethod
    def _read(file, offset: int, size: int) -> bytes:
        file.seek(offset)
        return file.read(size)


def detector(classes: int, photographs: bool) -> RetinaNet:
    """The paper's, from an ImageNet backbone, for photographs; lesson 04's small one for scenes."""
    if photographs:
        backbone = imagenet_backbone(levels=(2, 3, 4), extra_levels=LastLevelP6P7())
        return RetinaNet(classes, backbone=backbone)
    return RetinaNet(
        classes, backbone=small_backbone(), min_size=None,
        anchor_sizes=((12, 17), (24, 34), (40, 56)), aspect_ratios=(1.0,),
        head_layers=2, head_norm=partial(nn.GroupNorm, 8),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--to", type=Path, required=True, help="folder of checkpoints and weights")
    parser.add_argument("--shards", type=Path)
    parser.add_argument("--classes", type=int, help="of the shards, the background among them")
    parser.add_argument("--batch", type=int, default=8, help="pictures a process and step")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--lr", type=float, default=0.005, help="for 8 pictures a step in all")
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--every", type=int, default=500, help="steps between checkpoints")
    given = parser.parse_args()
    if given.shards and not given.classes:
        parser.error("--shards needs --classes")
    os.environ.setdefault("CVCOURSE_SCALE", "full")
    run = begin("A detector on many machines", seed=0)
    torch.manual_seed(run.seed)
    if given.shards:
        data, classes, photographs = Shards(given.shards), given.classes, True
    else:
        found = detection_data(run, train=3000, test=1)
        data, classes, photographs = found.train, len(found.classes), found.photographs
    model = detector(classes, photographs)
    pictures = given.batch * int(os.environ.get("WORLD_SIZE", "1"))  # of one step
    history = fit(
        model,
        batches(data, given.batch, seed=run.seed, workers=given.workers),
        loss_of,
        steps=given.steps,
        optimizer=partial(torch.optim.SGD, momentum=0.9, weight_decay=1e-4),
        lr=given.lr * pictures / 8,
        scheduler=warmup_steps,
        gradient_clip=5.0,
        checkpoint=given.to / "checkpoints",
        checkpoint_every=given.every,
        live=False,
    )
    if is_first_process() and not history.interrupted:
        torch.save(model.state_dict(), given.to / "weights.pth")
        print(f"{len(history)} steps of {pictures} pictures, loss {history[-1]['loss']:.6f}")


if __name__ == "__main__":
    main()

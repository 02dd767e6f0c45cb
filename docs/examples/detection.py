"""A detector for your own boxes: pictures in a folder, annotations in COCO's json."""

import torch
from torch.utils.data import DataLoader

from cvcourse.data.real import Coco
from cvcourse.metrics import coco_average_precision
from cvcourse.models import RetinaNet


def train(folder, annotations, *, model=None, steps=1000, batch=4, lr=1e-4):
    """The model, trained, and its average precision on the pictures it was trained on."""
    data = Coco(folder, annotations, labels="consecutive", masks=False)
    model = model or RetinaNet(num_classes=len(data.classes))  # classes[0] is the background
    loader = DataLoader(
        data, batch, shuffle=True, collate_fn=lambda rows: tuple(zip(*rows, strict=True))
    )
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=lr)
    step = 0
    while step < steps:
        for images, targets in loader:
            optimizer.zero_grad()
            sum(model(list(images), list(targets)).values()).backward()
            optimizer.step()
            step += 1
    model.eval()
    with torch.no_grad():
        found = [model([image])[0] for image, _ in data]
    return model, coco_average_precision(found, [target for _, target in data])["map_50"]

"""A class for every pixel: `pictures/NAME.png`, and in `labels/NAME.png` the class of each."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from cvcourse.losses import lovasz_softmax_loss, softmax_focal_loss
from cvcourse.metrics import confusion_matrix, mean_iou
from cvcourse.models import ENet


def read(folder):
    pairs = []
    for path in sorted(Path(folder, "pictures").glob("*.png")):
        picture = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        labels = np.asarray(Image.open(Path(folder, "labels", path.name)), np.int64)
        pairs.append((torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(labels)))
    return pairs


def train(folder, num_classes, *, model=None, epochs=50, batch=4, lr=1e-3, ignore_index=255):
    """The model, trained, and its mean IoU on the pictures it was trained on (of one size)."""
    data, model = read(folder), model or ENet(num_classes)
    loader = torch.utils.data.DataLoader(data, batch, shuffle=True)
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=lr)
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            logits = model(images)
            loss = softmax_focal_loss(logits, labels, ignore_index=ignore_index)
            loss = loss + lovasz_softmax_loss(logits, labels, ignore_index=ignore_index)
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        answers = [model.eval()(images[None]).argmax(1)[0] for images, _ in data]
    counts = [
        confusion_matrix(answer, labels, num_classes, ignore_index=ignore_index)
        for answer, (_, labels) in zip(answers, data, strict=True)
    ]
    return model, mean_iou(sum(counts))

"""Find pictures of the same thing: vectors that are near for one label and far for others."""

import torch
import torch.nn.functional as F

from cvcourse.losses import mine_semi_hard, triplet_margin_loss
from cvcourse.metrics import recall_at_k


def train(model, images, labels, *, steps=500, batch=64, margin=0.2, lr=1e-3):
    """`model` maps images (B, ...) to vectors (B, D); its recall at 1, once trained."""
    optimizer = torch.optim.AdamW(model.train().parameters(), lr=lr)
    for _ in range(steps):
        chosen = torch.randint(len(images), (batch,))
        vectors = F.normalize(model(images[chosen]))
        anchors, positives, negatives = mine_semi_hard(vectors.detach(), labels[chosen], margin)
        loss = triplet_margin_loss(
            vectors[anchors], vectors[positives], vectors[negatives], margin=margin
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return recall_at_k(model.eval()(images), labels)[0]

# %% bias: the class is its own rival -> bias-values bias-negative
def raise_by(logits, c, k):
    lacks = logits.amax(1) - logits[:, c]
    return lacks.sort().values[k - 1].item()


# %% bias: the k largest are taken -> bias-values bias-negative
def raise_by(logits, c, k):
    rival = logits.clone()
    rival[:, c] = -torch.inf
    lacks = rival.amax(1) - logits[:, c]
    return lacks.sort(descending=True).values[k - 1].item()


# %% bias: never negative -> bias-values bias-negative
def raise_by(logits, c, k):
    rival = logits.clone()
    rival[:, c] = -torch.inf
    lacks = rival.amax(1) - logits[:, c]
    return max(0.0, lacks.sort().values[k - 1].item())


# %% soft: T² is forgotten -> soft-values soft-masks soft-gradient
import torch


def soft_loss(student, teacher, labels, trusted, T, alpha, void):
    log_q, log_p = (student / T).log_softmax(1), (teacher.detach() / T).log_softmax(1)
    divergence = (log_p.exp() * (log_p - log_q)).sum(1)
    labelled = labels != void
    picked = student.log_softmax(1).gather(1, labels.where(labelled, 0)[:, None])[:, 0]
    from_teacher = (divergence * trusted).sum() / trusted.sum().clamp(min=1)
    from_labels = -(picked * labelled).sum() / labelled.sum().clamp(min=1)
    return alpha * from_teacher + (1 - alpha) * from_labels


# %% soft: the divergence the other way round -> soft-values soft-masks soft-gradient
def soft_loss(student, teacher, labels, trusted, T, alpha, void):
    log_q, log_p = (student / T).log_softmax(1), (teacher.detach() / T).log_softmax(1)
    divergence = (log_q.exp() * (log_q - log_p)).sum(1)
    labelled = labels != void
    picked = student.log_softmax(1).gather(1, labels.where(labelled, 0)[:, None])[:, 0]
    from_teacher = (divergence * trusted).sum() / trusted.sum().clamp(min=1)
    from_labels = -(picked * labelled).sum() / labelled.sum().clamp(min=1)
    return alpha * T**2 * from_teacher + (1 - alpha) * from_labels


# %% soft: both means are over all pixels -> soft-masks soft-gradient
def soft_loss(student, teacher, labels, trusted, T, alpha, void):
    log_q, log_p = (student / T).log_softmax(1), (teacher.detach() / T).log_softmax(1)
    divergence = (log_p.exp() * (log_p - log_q)).sum(1)
    labelled = labels != void
    picked = student.log_softmax(1).gather(1, labels.where(labelled, 0)[:, None])[:, 0]
    from_teacher, from_labels = (divergence * trusted).mean(), -(picked * labelled).mean()
    return alpha * T**2 * from_teacher + (1 - alpha) * from_labels


# %% soft: the teacher learns too -> soft-gradient
def soft_loss(student, teacher, labels, trusted, T, alpha, void):
    log_q, log_p = (student / T).log_softmax(1), (teacher / T).log_softmax(1)
    divergence = (log_p.exp() * (log_p - log_q)).sum(1)
    labelled = labels != void
    picked = student.log_softmax(1).gather(1, labels.where(labelled, 0)[:, None])[:, 0]
    from_teacher = (divergence * trusted).sum() / trusted.sum().clamp(min=1)
    from_labels = -(picked * labelled).sum() / labelled.sum().clamp(min=1)
    return alpha * T**2 * from_teacher + (1 - alpha) * from_labels


# %% mimic: both maps with the student's scale -> mimic-values
from cvcourse.ops import roi_align


def mimic(student, teacher, boxes, stride, teacher_stride):
    kept = [b[(b[:, 2] - b[:, 0] >= 1) & (b[:, 3] - b[:, 1] >= 1)] for b in boxes]
    if not sum(map(len, kept)):
        return 0 * student.sum()
    ours = roi_align(student, kept, 5, 1 / stride, 1, aligned=True)
    theirs = roi_align(teacher.detach(), kept, 5, 1 / stride, 1, aligned=True)
    return (ours - theirs).square().mean() / 2


# %% mimic: every box counts, also those without an inside -> mimic-boxes
def mimic(student, teacher, boxes, stride, teacher_stride):
    if not sum(map(len, boxes)):
        return 0 * student.sum()
    ours = roi_align(student, boxes, 5, 1 / stride, 1, aligned=True)
    theirs = roi_align(teacher.detach(), boxes, 5, 1 / teacher_stride, 1, aligned=True)
    return (ours - theirs).square().mean() / 2


# %% mimic: no box, no gradient -> mimic-gradient
def mimic(student, teacher, boxes, stride, teacher_stride):
    kept = [b[(b[:, 2] - b[:, 0] >= 1) & (b[:, 3] - b[:, 1] >= 1)] for b in boxes]
    if not sum(map(len, kept)):
        return torch.tensor(0.0)
    ours = roi_align(student, kept, 5, 1 / stride, 1, aligned=True)
    theirs = roi_align(teacher.detach(), kept, 5, 1 / teacher_stride, 1, aligned=True)
    return (ours - theirs).square().mean() / 2


# %% mimic: the whole square -> mimic-values mimic-boxes mimic-gradient
def mimic(student, teacher, boxes, stride, teacher_stride):
    kept = [b[(b[:, 2] - b[:, 0] >= 1) & (b[:, 3] - b[:, 1] >= 1)] for b in boxes]
    if not sum(map(len, kept)):
        return 0 * student.sum()
    ours = roi_align(student, kept, 5, 1 / stride, 1, aligned=True)
    theirs = roi_align(teacher.detach(), kept, 5, 1 / teacher_stride, 1, aligned=True)
    return (ours - theirs).square().mean()

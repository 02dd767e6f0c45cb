import pytest
import torch
import torch.nn.functional as F

from cvcourse.methods import noisy_student_loss, select_pseudo_labels
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("noisy_student_loss", "less_supervision/cases.json"))
def test_the_authors_loss(case):
    def run(labelled, labels, unlabelled, teacher, **options):
        def loss(first, second, **others):
            return noisy_student_loss(first, labels, second, teacher, **{**options, **others})

        return {
            "value": loss(labelled, unlabelled),
            "loss_labelled": loss(labelled, unlabelled, ratio=0),
            "loss_unlabelled": loss(labelled, unlabelled, ratio=1)
            - loss(labelled, unlabelled, ratio=0),
        }

    oracle.assert_matches(case, run)


def test_terms_without_pictures_and_without_gradient_to_the_teacher():
    logits = torch.randn(4, 3, requires_grad=True)
    teacher = torch.randn(4, 3, requires_grad=True)
    nothing, none = torch.zeros(0, 3), torch.zeros(0).long()
    alone = noisy_student_loss(nothing, none, logits, teacher)
    want = F.cross_entropy(logits, teacher.detach().softmax(1))
    torch.testing.assert_close(alone, want)
    alone.backward()
    assert teacher.grad is None
    labels = torch.tensor([0, 1, 2, 1])
    only = noisy_student_loss(logits, labels, nothing, nothing, smoothing=0)
    torch.testing.assert_close(only, F.cross_entropy(logits, labels))


def test_half_precision_and_temperature():
    logits, labels = torch.randn(4, 3), torch.tensor([0, 1, 2, 1])
    teacher = 10 * torch.randn(4, 3)
    sharp = noisy_student_loss(logits, labels, logits, teacher, temperature=1e-3, smoothing=0)
    hard = F.cross_entropy(logits, labels) + F.cross_entropy(logits, teacher.argmax(1))
    torch.testing.assert_close(sharp, hard, rtol=1e-4, atol=1e-4)
    half = noisy_student_loss(logits.half(), labels, logits.half(), teacher.half())
    assert half.dtype == torch.float32


def test_sure_pictures_as_many_of_each_class():
    predictions = torch.tensor(
        [[0.9, 0.1, 0], [0.6, 0.4, 0], [0.8, 0.1, 0.1], [0.1, 0.7, 0.2], [0.34, 0.33, 0.33]]
    )
    chosen = select_pseudo_labels(predictions, least=0.35, per_class=2)
    assert chosen.tolist() == [0, 2, 3, 3]  # the surest two, the one of class 1 twice, none of 2
    everything = select_pseudo_labels(predictions, least=0, per_class=3)
    assert everything.tolist() == [0, 2, 1, 3, 3, 3]
    assert select_pseudo_labels(predictions, least=0.95).tolist() == []
    assert select_pseudo_labels(predictions[:0]).tolist() == []


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: select_pseudo_labels(torch.zeros(3)), "predictions must be"),
        (lambda: select_pseudo_labels(torch.zeros(3, 2), least=1.0), "least must lie in"),
        (lambda: select_pseudo_labels(torch.zeros(3, 2), per_class=0), "per_class must be"),
        (
            lambda: noisy_student_loss(
                torch.zeros(2, 3), torch.zeros(2).long(), torch.zeros(2, 3), torch.zeros(3, 3)
            ),
            "teacher_logits must have the shape of unlabelled_logits",
        ),
        (
            lambda: noisy_student_loss(
                torch.zeros(2, 3), torch.zeros(2).long(), *torch.zeros(2, 2, 3), temperature=0
            ),
            "temperature must be a number above 0",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

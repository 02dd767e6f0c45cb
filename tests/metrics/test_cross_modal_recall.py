import pytest
import torch

from cvcourse.metrics import cross_modal_recall


def naive(first, second, of_first, of_second, k):
    hits = []
    for x, label in zip(first, of_first.tolist(), strict=True):
        order = torch.cosine_similarity(x[None], second).argsort(descending=True)
        if (of_second == label).any():
            hits.append(bool((of_second[order[:k]] == label).any()))
    return sum(hits) / len(hits)


def test_both_ways_by_a_loop():
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(20, 6, generator=generator).double()
    second = first + torch.randn(20, 6, generator=generator).double()
    which = torch.arange(20)
    got = cross_modal_recall(first, second, (1, 3, 7), chunk=6)
    want = [
        [naive(*pair, which, which, k) for k in (1, 3, 7)]
        for pair in ((first, second), (second, first))
    ]
    torch.testing.assert_close(got, torch.tensor(want, dtype=got.dtype))
    assert (got[:, 1:] >= got[:, :-1]).all()
    assert got[0].tolist() != got[1].tolist()  # the two ways are two questions


def test_several_captions_of_a_picture():
    generator = torch.Generator().manual_seed(1)
    pictures = torch.randn(8, 5, generator=generator).double()
    captions = pictures.repeat_interleave(3, 0) + torch.randn(24, 5, generator=generator)
    of_picture, of_caption = torch.arange(8), torch.arange(8).repeat_interleave(3)
    labels = {"first_labels": of_picture, "second_labels": of_caption}
    got = cross_modal_recall(pictures, captions, (1, 4), **labels)
    for row, pair in enumerate(
        ((pictures, captions, of_picture, of_caption), (captions, pictures, of_caption, of_picture))
    ):
        want = [naive(*pair, k) for k in (1, 4)]
        assert got[row].tolist() == pytest.approx(want)


def test_same_things_and_collapsed_ones():
    x = torch.eye(5)
    assert (cross_modal_recall(x, 3 * x) == 1).all()
    assert (cross_modal_recall(torch.ones(5, 2), torch.ones(5, 2), (1, 4)) == 0).all()
    assert (cross_modal_recall(x[:1], x[:1], (1,)) == 1).all()


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        ((torch.eye(3), torch.eye(3)[:2]), {}, "first and second must have the same length"),
        ((torch.eye(3), torch.eye(4)), {}, "second must be .* with the dims of first"),
        ((torch.eye(3)[0], torch.eye(3)), {}, "first must be"),
        (
            (torch.eye(3), torch.eye(3)),
            {"first_labels": torch.arange(3)},
            "first_labels and second_labels must be given together",
        ),
        ((torch.eye(3), torch.eye(3), (0,)), {}, "ks must"),
    ],
)
def test_bad_input(inputs, options, message):
    with pytest.raises(ValueError, match=message):
        cross_modal_recall(*inputs, **options)

"""Captions: teacher forcing sees no later word; beam search finds what all sentences say."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from cvcourse.models import BasicBlock, Captioner, ResNetFeatures, caption_loss

START, END = 1, 2


def small(vocabulary: int = 9) -> Captioner:
    torch.manual_seed(0)
    trunk = ResNetFeatures(block=BasicBlock, depths=(1, 1), width=8)
    net = Captioner(vocabulary, trunk=trunk, width=10, dropout=0.0).eval()
    torch.nn.init.normal_(net.next_word.weight)
    torch.nn.init.normal_(net.words.weight)
    return net


class Pixels(torch.nn.Module):
    """No trunk at all."""

    out_channels = (3,)

    def forward(self, images):
        return [images]


def probability(net, image, words) -> float:
    captions = torch.tensor([[START, *words]])
    logs = F.log_softmax(net(image[None], captions), 2)
    return logs.gather(2, captions[:, 1:, None]).sum().item()


def test_a_word_is_told_from_those_before_it():
    net, image = small(), torch.rand(1, 3, 32, 40)
    captions = torch.tensor([[START, 3, 4, 5, END]])
    changed = torch.tensor([[START, 3, 4, 6, 7]])
    first, second = net(image, captions), net(image, changed)
    assert first.shape == (1, 4, 9)
    torch.testing.assert_close(first[:, :3], second[:, :3])
    assert not torch.allclose(first[:, 3], second[:, 3])
    other = net(torch.rand(1, 3, 32, 40), captions)
    assert not torch.allclose(first[:, 0], other[:, 0])


@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_finds_the_most_probable_caption(seed):
    net, longest = small(5), 3
    torch.manual_seed(seed)
    image = torch.rand(3, 32, 40)
    sentences = [
        [*words, END] if len(words) < longest else list(words)
        for n in range(longest + 1)
        for words in itertools.product([0, 1, 3, 4], repeat=n)
    ]
    with torch.no_grad():
        best = max(sentences, key=lambda words: probability(net, image, words))
    expected = [word for word in best if word != END]
    assert net.generate(image[None], beam=5**longest, longest=longest) == [expected]


def test_a_beam_of_one_takes_the_likeliest_word_each_time():
    net, images = small(), torch.rand(3, 3, 32, 40)
    for image, found in zip(images, net.generate(images, beam=1, longest=6), strict=True):
        words = [START]
        while len(words) < 7:
            captions = torch.tensor([[*words, 0]])
            words.append(int(net(image[None], captions)[0, -1].argmax()))
            if words[-1] == END:
                break
        assert found == [word for word in words[1:] if word != END]


def test_loss_leaves_padding_out():
    logits = torch.randn(2, 3, 9)
    captions = torch.tensor([[START, 4, END, 0], [START, 5, 6, END]])
    expected = torch.stack([
        F.cross_entropy(logits[i, j], captions[i, j + 1])
        for i, j in ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2))
    ]).mean()  # fmt: skip
    torch.testing.assert_close(caption_loss(logits, captions), expected)


@pytest.mark.parametrize("shape", [(2, 3, 9), (0, 3, 9), (2, 0, 9)])
def test_loss_without_words_is_0(shape):
    logits = torch.randn(shape, requires_grad=True)
    loss = caption_loss(logits, torch.zeros(shape[0], shape[1] + 1, dtype=torch.int64))
    [gradient] = torch.autograd.grad(loss, logits)
    assert loss == 0
    assert (gradient == 0).all()


def test_loss_of_halves_is_computed_in_float32():
    logits, captions = 20 * torch.randn(2, 3, 9), torch.randint(1, 9, (2, 4))
    expected = F.cross_entropy(logits.half().float().mT, captions[:, 1:])
    torch.testing.assert_close(caption_loss(logits.half(), captions), expected)


def test_it_learns_two_pictures_by_heart():
    net = Captioner(9, trunk=Pixels(), width=10, dropout=0.0)
    images = torch.stack([torch.zeros(3, 2, 2), torch.ones(3, 2, 2)])
    captions = torch.tensor([[START, 3, 4, END, 0], [START, 5, 6, 7, END]])
    optimizer = torch.optim.Adam(net.parameters(), 3e-2)
    for _ in range(100):
        loss = caption_loss(net(images, captions), captions)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert net.generate(images) == [[3, 4], [5, 6, 7]]


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Captioner(0), "vocabulary: expected at least 1, got 0"),
        (lambda: Captioner(5, end=7), "end must be a word below 5, got 7"),
        (
            lambda: small()(torch.rand(1, 3, 32, 32), torch.ones(1, 1).long()),
            "captions: expected two words or more, got 1",
        ),
        (
            lambda: small()(torch.rand(1, 4, 32, 32), torch.ones(1, 2).long()),
            r"images must have shape \(B, 3, H, W\), got \(1, 4, 32, 32\)",
        ),
        (
            lambda: caption_loss(torch.rand(2, 3, 9), torch.ones(2, 3).long()),
            r"captions must have shape \(2, 4\), got \(2, 3\)",
        ),
        (
            lambda: caption_loss(torch.rand(2, 3, 9), torch.ones(2, 4)),
            "captions must be integers, got torch.float32",
        ),
        (lambda: caption_loss(torch.rand(6, 9), torch.ones(2, 4).long()), "logits must have shape"),
        (lambda: small().generate(torch.rand(3, 32, 32)), r"images must have shape \(B, 3, H, W\)"),
        (lambda: small().generate(torch.rand(1, 3, 32, 32), beam=0), "beam: expected at least 1"),
    ],
)
def test_bad_input(make, message):
    with torch.device("cpu"), pytest.raises(ValueError, match=message):
        make()

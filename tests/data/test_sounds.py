"""Sounds and sentences of scenes: functions of seed and index, true, and told apart."""

import re

import numpy as np
import pytest
import torch

from cvcourse.data import sounds
from cvcourse.data.captions import (
    NUMBERS,
    RELATIONS,
    bag_of_words,
    plural,
    relations,
    scene_caption,
    vocabulary,
    words,
)
from cvcourse.data.scenes import COLORS, KINDS, Scenes
from cvcourse.data.sounds import log_spectrogram, pitch, scene_sound, timbre


def scenes(seed=0, **options):
    return Scenes(8, size=48, seed=seed, background="plain", **options)


def test_a_sound_is_a_function_of_seed_and_index():
    first, again, other = scenes(), scenes(), scenes(seed=1)
    _, target = first[3]
    sound = scene_sound(first, target)
    assert torch.equal(sound, scene_sound(again, again[3][1]))
    assert not torch.equal(sound, scene_sound(first, first[4][1]))
    moved = dict(target, image_id=5)  # the same objects, other phases and noise
    assert not torch.equal(sound, scene_sound(first, moved))
    assert not torch.equal(sound, scene_sound(other, target))
    assert sound.shape == (2000,)
    assert sound.dtype == torch.float32


def test_no_two_kinds_sound_alike():
    found = np.stack([timbre(kind) for kind in KINDS])
    assert np.allclose(np.linalg.norm(found, axis=1), 1)
    assert len({tuple(row.round(6)) for row in found}) == len(KINDS)


def test_a_tone_has_its_harmonics_and_small_is_high():
    assert pitch(0.3) < pitch(0.15) == 220 < pitch(0.1)
    assert pitch(0.001) == 440
    assert pitch(9.0) == 110
    made = scenes(objects=1, classes=("background", "disk"))
    _, target = made[0]
    target["poses"][0, 2] = 48 * 220 * 0.15 / 400  # 400 Hz
    sound = scene_sound(made, target, noise=0, distractors=0).numpy()
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    hertz = np.fft.rfftfreq(len(sound), 1 / sounds.RATE)
    loud = [spectrum[np.abs(hertz - 400 * n).argmin()] for n in range(1, 8)]
    want = timbre("disk")
    assert np.corrcoef(loud, want)[0, 1] > 0.99
    between = [spectrum[np.abs(hertz - 400 * (n + 0.5)).argmin()] for n in range(1, 7)]
    assert max(between) < 0.05 * max(loud)


def test_colours_are_not_heard():
    made = scenes()
    _, target = made[2]
    recoloured = dict(target, colors=(target["colors"] + 1) % len(COLORS))
    assert torch.equal(scene_sound(made, target), scene_sound(made, recoloured))


def test_spectrograms_of_pure_tones():
    time = torch.arange(2000) / sounds.RATE
    rows = []
    for hertz in (150, 400, 900, 2000, 3500):
        maps = log_spectrogram(torch.sin(2 * torch.pi * hertz * time))
        assert maps.shape == (1, 32, 16)
        rows.append(int(maps[0].mean(1).argmax()))
    assert rows == sorted(rows)
    assert len(set(rows)) == 5
    batch = log_spectrogram(torch.randn(3, 2, 2000))
    assert batch.shape == (3, 2, 1, 32, 16)
    assert log_spectrogram(torch.zeros(2000)).abs().max() == 0
    weights = sounds._rows()
    assert (weights.sum(1) > 0).all()
    assert (weights >= 0).all()


def parse(group, target, classes):
    """Members of "two red hearts", by the words alone."""
    number, *rest = words(group)
    color = COLORS.index(rest.pop(0)) if rest[0] in COLORS else None
    kind = " ".join(rest)
    [label] = [i for i, name in enumerate(classes) if i and kind in (name, plural(name, 2))]
    members = [
        i for i, (a, c) in enumerate(zip(target["labels"].tolist(), target["colors"].tolist(),
                                         strict=True))
        if a == label and color in (None, c)
    ]  # fmt: skip
    assert NUMBERS[len(members)] == number
    return members


def test_sentences_are_true():
    made = scenes(objects=(0, 5))
    joined = 0
    for i in range(8):
        _, target = made[i]
        for number in range(6):
            sentence = scene_caption(made, target, number)
            if sentence == "nothing":
                assert not len(target["labels"])
                continue
            parts = re.split(f" ({'|'.join(RELATIONS)}|and) ", sentence)
            groups = [parse(group, target, made.classes) for group in parts[::2]]
            if len(parts) == 3:
                joined += 1
                assert not set(groups[0]) & set(groups[1])
                a, b = (target["poses"][g, :2] for g in groups)
                side = {"left of": (0, 1), "right of": (0, -1), "above": (1, 1), "below": (1, -1)}
                if parts[1] in side:
                    axis, sign = side[parts[1]]
                    assert (sign * (b[None, :, axis] - a[:, None, axis]) > 0).all()
    assert joined > 10


def test_sentences_are_functions_of_seed_index_and_number():
    made = scenes(objects=4)
    _, target = made[1]
    found = [scene_caption(made, target, n) for n in range(8)]
    assert found == [scene_caption(scenes(objects=4), target, n) for n in range(8)]
    assert len(set(found)) > 2


def test_relations_and_plurals():
    left, right = torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, 5.0], [2.0, 7.0]])
    assert relations(left, right) == ["left of"]
    assert relations(right, left) == ["right of"]
    assert relations(left, left) == []
    assert (plural("cross", 2), plural("disk", 2), plural("disk", 1)) == (
        "crosses",
        "disks",
        "disk",
    )


def test_words_are_counted():
    known = vocabulary(scenes().classes)
    counts = bag_of_words(["two red hearts left of one disk", "nothing"], known)
    assert counts.sum().item() == 8
    assert counts[0, known.index("hearts")] == 1
    made = scenes(objects=5)
    bag_of_words([scene_caption(made, made[i][1], n) for i in range(4) for n in range(4)], known)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: timbre("cat"), "kind must be one of"),
        (lambda: log_spectrogram(torch.zeros(5)), "sounds must be"),
        (lambda: scene_sound(scenes(), scenes()[0][1], noise=9), "noise must be a strength"),
        (lambda: scene_sound(scenes(), scenes()[0][1], distractors=-1), "distractors must be"),
        (lambda: scene_caption(scenes(), scenes()[0][1], -1), "number must be at least 0"),
        (lambda: bag_of_words(["cat"], ("dog",)), "sentences must be of known words, got 'cat'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()

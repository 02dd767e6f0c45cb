import pytest
import torch

from cvcourse.classroom.subjects.carrying import (
    CLASSES,
    LAST,
    Segmenter,
    earlier,
    labelled_videos,
    streets,
    true_motion,
)
from cvcourse.methods import propagate
from tests.data.tiny import write_camvid


def test_earlier_counts_back_from_the_labelled_frame():
    assert earlier(torch.tensor([[10, 11, 12, 13]])).tolist() == [[12], [11], [10]]


def test_true_motion_of_constant_steps():
    steps = torch.tensor([[1.0, 0], [0, 2], [-1, 1]])  # x and y, from each frame to the next
    flow = steps[None, :, :, None, None].expand(1, 3, 2, 9, 9)
    hidden = torch.zeros(1, 3, 9, 9, dtype=torch.bool)
    hidden[0, 2, 4, 4] = True  # in the frame before the labelled one
    motions, seen = true_motion(flow, hidden)
    assert motions[:, 0, :, 0, 0].tolist() == [[-1, 1], [-1, 3], [0, 3]]
    assert not seen[0, 0, 4, 4]
    assert seen[0].sum() == 80
    assert not seen[1, 0, 2, 4]  # two rows further up, it goes there
    assert not seen[2, 0, 2, 3]  # and one column to the left of that
    assert not seen[1, 0, 7:].any()  # out of the picture on the way


@pytest.mark.as_user
def test_seen_parts_have_nearly_true_labels():
    videos = labelled_videos(4, "val", 0, size=48)
    assert videos.frames.shape == (4, LAST + 1, 3, 48, 48)
    assert videos.labels.max() < len(CLASSES)
    motions, seen = true_motion(videos.flow, videos.occluded)
    last = videos.frames[:, LAST], videos.labels[:, LAST]
    for motion, parts, truth in zip(motions, seen, earlier(videos.labels), strict=True):
        found = propagate(*last, motion, visible=parts)[1]
        assert (found == truth)[found != 255].float().mean() > 0.93


def test_a_rehearsal_sees_four_clips(monkeypatch):
    monkeypatch.setenv("CVCOURSE_REHEARSE", "lines")
    assert len(labelled_videos(6, "train", 0, size=32).frames) == 4


def test_streets(tmp_path):
    write_camvid(tmp_path)
    clips, labels = streets(tmp_path, "train", 3, around=1, size=(12, 16))
    assert clips.shape == (3, 3, 3, 12, 16)
    assert labels.shape == (3, 12, 16)
    assert set(labels.unique().tolist()) <= {0, 3, 255}
    assert streets(tmp_path, "test", 9, size=(12, 16))[0].shape == (4, 1, 3, 12, 16)


def test_the_network_answers_for_every_pixel():
    net = Segmenter(5, (4, 8, 12)).eval()
    assert net(torch.rand(2, 3, 30, 41)).shape == (2, 5, 30, 41)
    assert torch.isfinite(net(torch.rand(1, 3, 8, 8))).all()

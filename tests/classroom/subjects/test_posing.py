"""People for a pose network: the drawn ones, and crops of photographs in COCO's format."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from cvcourse.classroom.subjects import posing
from cvcourse.classroom.subjects.posing import COCO, STICK
from cvcourse.data.real import Coco
from cvcourse.models import BasicBlock, ResNetFeatures
from tests.data.tiny import write_coco, write_coco_keypoints


@pytest.mark.parametrize("skeleton", [COCO, STICK])
def test_skeletons_are_alike_on_both_sides(skeleton):
    for joint, other in enumerate(skeleton.mirrored):
        assert skeleton.mirrored[other] == joint
        assert skeleton.sigmas[joint] == skeleton.sigmas[other]
        name = skeleton.joints[joint].replace("left", "?").replace("right", "left")
        assert skeleton.joints[other] == name.replace("?", "right")
    limbs = {frozenset(limb) for limb in skeleton.limbs}
    assert limbs == {frozenset(skeleton.mirrored[j] for j in limb) for limb in limbs}


def test_sigmas_of_sticks_are_those_of_coco():
    told = dict(zip(STICK.joints, STICK.sigmas.tolist(), strict=True))
    assert told["head"] == pytest.approx(0.026)
    assert told["neck"] == pytest.approx(0.079)
    assert told["left hand"] == told["right hand"] == pytest.approx(0.062)
    assert told["right foot"] == pytest.approx(0.089)


def test_stick_people():
    people = posing.stick_people(3, "val")
    assert people.images.shape == (3, 3, 64, 64)
    assert people.visible.all()


def test_the_same_figures_without_and_with_hoods():
    run = SimpleNamespace(scale="small", pick=lambda *, small, full: 3)
    bare, hooded, skeleton = posing.with_and_without_hoods(run, seed=0)
    assert skeleton is STICK
    assert torch.equal(bare.joints, hooded.joints)
    assert not bare.hooded.any()
    assert hooded.hooded.all()
    assert not torch.equal(bare.images, hooded.images)


def test_similarity_by_the_program_of_coco():
    people = posing.stick_people(2, "val")
    area = torch.full((2,), 50.0)
    people = people._replace(area=area, visible=people.visible.clone())
    people.visible[0, 1:] = False
    off = people.joints + torch.tensor([3.0, 4.0])
    found = posing.oks_of_pycocotools(off, people, torch.full((11,), 0.5))
    torch.testing.assert_close(found, torch.full((2,), -25 / 100).exp(), atol=1e-5, rtol=0)


def test_people_of_coco(tmp_path):
    write_coco(tmp_path, "val2017", (5, 7), [])
    write_coco_keypoints(tmp_path, "val2017", (5, 7))
    people = posing.coco_people(tmp_path, "val2017", 1)
    assert people.images.shape == (1, 3, 64, 64)
    assert people.visible[0].tolist() == [True, True, False, *[True] * 14]
    assert people.area.item() == pytest.approx(450 * (64 / 50) ** 2)
    # the box is (8, 4) to (48, 24): 50 pixels around (28, 14), so from (3, -11)
    torch.testing.assert_close(
        people.joints[0, 3], (torch.tensor([16.5, 8.5]) - torch.tensor([3.0, -11])) * 64 / 50 - 0.5
    )
    photograph, _ = Coco(tmp_path, masks=False, keep_empty=True)[0]
    x, y = (people.joints[0, 3] + 0.5).long().tolist()
    assert (people.images[0, :, y, x] - photograph[:, 8, 16]).abs().max() < 0.1
    assert (people.images[0, :, :13] == 0).all()  # above the photograph
    assert len(posing.coco_people(tmp_path, "val2017", 9)[0]) == 2


def test_coordinates_are_in_sides_of_the_picture():
    trunk = ResNetFeatures(block=BasicBlock, depths=(1, 1, 1), width=16)
    net = posing.Coordinates(trunk, 3)
    nn.init.zeros_(net.out[3].weight)
    net.out[3].bias.data = torch.tensor([0.0, 0, 0.25, -0.5, 0.5, 0.125])
    found = posing.locate(net.train(), torch.rand(2, 3, 64, 64))
    assert found.tolist() == [[[32, 32], [48, 0], [64, 40]]] * 2
    assert not net.training


def test_places_of_heat_maps_are_four_times_theirs():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, images):
            maps = torch.zeros(len(images), 1, 16, 16)
            maps[..., 8, 3], maps[..., 8, 4], maps[..., 7, 3] = 1.0, 0.5, 0.5
            return maps

    images = torch.zeros(101, 3, 64, 64)  # more than are asked at once
    assert posing.locate(Fixed(), images).unique(dim=0).tolist() == [[[13, 31]]]
    assert posing.locate(Fixed(), images, quarter=False).unique(dim=0).tolist() == [[[12, 32]]]
    assert posing.locate(Fixed(), images[:1]).shape == (1, 1, 2)


def test_left_limbs_are_blue_and_right_ones_vermilion():
    people = posing.stick_people(1, "val")
    figure = posing.show_poses(people.images, people.joints, ["one"], title="A pose")
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "middle", "left", "right"
    ]  # fmt: skip
    colours = {line.get_label(): line.get_color() for line in figure.axes[0].lines}
    assert len(set(colours.values())) == 3
    assert len(figure.axes[0].lines) == len(STICK.limbs)
    plt.close(figure)


def test_a_map_lies_over_its_pixels():
    heat = torch.zeros(16, 16)
    heat[3, 5] = 2.0
    large = posing.enlarged(heat)
    assert large.shape == (64, 64)
    rows, columns = large.nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (10, 13, 18, 21)  # 12 and 20
    assert large.max() == 1


def test_answers_are_drawn_where_they_are():
    places = {"coordinates": torch.tensor([[3.0, 4.0]]), "heat maps": torch.tensor([[5.0, 6.0]])}
    figure = posing.show_answers(
        torch.rand(1, 3, 64, 64),
        torch.rand(1, 16, 16),
        torch.tensor([[7.0, 8.0]]),
        places,
        title="x",
    )
    found = {line.get_label(): line.get_xydata()[0].tolist() for line in figure.axes[0].lines}
    assert found == {"true": [7, 8], "coordinates": [3, 4], "heat maps": [5, 6]}
    plt.close(figure)

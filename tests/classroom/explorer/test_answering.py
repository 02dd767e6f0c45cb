"""Every trained model that ships is asked or named as not asked, and answers for every picture."""

import hashlib
import http.server
import re
import socket
import threading
from functools import partial

import matplotlib.pyplot as plt
import pytest
import torch
from torch import nn

from cvcourse.classroom.explorer import answering, ask_all, entries, shifted, tasks
from cvcourse.classroom.explorer.imagenet_names import IMAGENET
from cvcourse.classroom.explorer.pairs import PAIRS
from cvcourse.classroom.explorer.pictures_to_choose import PICTURES
from cvcourse.classroom.explorer.showing import fitted, grey, middle, sentence
from cvcourse.classroom.subjects import posing
from cvcourse.classroom.subjects.captioning import captioned_scenes, facts_right
from cvcourse.classroom.training import weights
from cvcourse.models import TORCHVISION_WEIGHTS, MobileNetV2, regnet_y, resnet50
from cvcourse.ops import warp, warp_is_inside
from tests.lessons.notebooks import LESSONS, number_of

MAKERS = {"resnet50": resnet50, "regnet_y_400mf": regnet_y, "mobilenet_v2": MobileNetV2}
TASKS = [task for of_group in tasks().values() for task in of_group]
CLASSIFIERS = [e for e in entries.PUBLISHED if e.task == "classification"]


def test_each_file_of_weights_is_asked_or_it_is_said_why_not():
    stems = {path.stem.rpartition("-")[0] for path in weights.folder().glob("*.safetensors")}
    asked = {file for entry in entries.OURS for file in entry.files}
    assert asked <= stems
    excused = {s for s in stems - asked for start in entries.NOT_ASKED if s.startswith(start)}
    assert stems - asked - excused == set()
    there = {n for n in entries.NOT_ASKED if any(s.startswith(n) for s in stems - asked)}
    assert there == set(entries.NOT_ASKED)


def test_lessons_are_there():
    numbers = {number_of(path.stem) for path in LESSONS}
    assert {entry.lesson for entry in entries.OURS} <= numbers


def test_no_task_without_a_model(monkeypatch):
    assert set(TASKS) == {entry.task for entry in entries.OURS}
    wider = {task for of_group in tasks(published=True).values() for task in of_group}
    assert {e.task for e in entries.PUBLISHED} <= wider == {*TASKS, "classification"}
    monkeypatch.setattr(entries, "OURS", tuple(e for e in entries.OURS if e.task == "depth"))
    assert tasks() == {"Scene geometry": {"depth": "How far is each pixel?"}}
    with pytest.raises(ValueError, match="task must be one of depth, but is 'digit'"):
        ask_all(torch.zeros(3, 40, 40), "digit")


def asked_of(image, task):
    return shifted(image, 3, -2) if task == "flow" else image


@pytest.mark.parametrize("task", TASKS)
def test_each_model_answers(task):
    asked = asked_of(PICTURES["scene: shapes"](), task)
    told = list(ask_all(asked, task))
    assert [t.name for t in told] == [e.name for e in entries.OURS if e.task == task]
    for answer in told:
        assert answer.problem == ""
        assert answer.confidence
        assert answer.parameters > 1000 or "learnt nothing" in answer.name
        assert max(answer.size) <= 96
        card = answer.card()
        assert card.count("<img ") == card.count("alt=") == 1
        assert f"lesson {answer.lesson}" in card


@pytest.mark.parametrize("shape", [(3, 30, 400), (3, 601, 20), (3, 16, 16)])
def test_pictures_of_any_shape(shape):
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    assert middle(image, 96).shape == (3, 96, 96)
    assert grey(image, 40).shape == (1, 40, 40)
    seen = fitted(image, 300)
    assert max(seen.shape[1:]) <= 300
    assert seen.shape[1] / seen.shape[2] == pytest.approx(shape[1] / shape[2], rel=0.1)
    assert len(list(ask_all(image, "depth"))) == 1


def test_the_models_know_their_own_scenes():
    """Boxes where the shapes are, the digit that is there: the weights fit what was built here."""
    boxes = {
        told.name: told.confidence for told in ask_all(PICTURES["scene: shapes"](), "detection")
    }
    for name, said in boxes.items():
        assert float(said.rpartition(" ")[2]) > 0.6, name
    digits = [t.confidence for t in ask_all(PICTURES["scene: a digit among scraps"](), "digit")]
    assert all(float(re.match(r"\d (\S+),", said).group(1)) > 0.5 for said in digits)
    assert len({said[0] for said in digits}) == 1
    for told in ask_all(PICTURES["scene: coins and a horse"](), "segmentation"):
        if told.lesson in ("07", "09"):
            assert "coin" in told.confidence or "horse" in told.confidence


def number_after(words, said):
    return float(re.search(rf"{words}\s*(\d+\.\d+)", said).group(1))


def test_the_captioner_says_what_is_there():
    scenes, true = captioned_scenes(12, "test", seed=0), 0
    for image, things in zip(scenes.images, scenes.things, strict=True):
        (told,) = ask_all(image, "caption")
        said, share = re.match(r"“(.*?)”, probability (0\.\d+),", told.confidence).groups()
        true += facts_right(said, things)
        assert 0.01 < float(share) < 1
    assert true >= 8


def test_the_probability_of_a_caption_is_that_of_its_words():
    """By hand, of a network that says each word with the same share wherever it stands:
    0.2 · 0.3 for red disk and 0.5 for the end; 0.3 · 0.5 for disk alone."""

    class Even(nn.Module):
        start, end = 1, 2

        def generate(self, image, *, beam, longest):
            return [[3, 4] if beam == 3 else [4]]

        def forward(self, image, rows):
            shares = torch.tensor([0.0, 0.0, 0.5, 0.2, 0.3]).log()
            return shares.expand(1, rows.shape[1] - 1, 5)

    told = sentence(Even(), torch.rand(3, 8, 8), words=("", "<s>", "<e>", "red", "disk"))
    want = (
        "“red disk”, probability 0.03, least for “red”, 0.20; word by word (greedy): “disk”, 0.15"
    )
    assert told.confidence == want


def test_a_caption_without_a_word():
    class Silent(nn.Module):
        start, end = 1, 2

        def generate(self, image, *, beam, longest):
            return [[]]

        def forward(self, image, rows):
            return torch.zeros(1, rows.shape[1] - 1, 4)

    told = sentence(Silent(), torch.rand(3, 8, 8), words=("", "<s>", "<e>", "red"))
    assert told.confidence.startswith("“”, probability 0.25, least for “the end”, 0.25")


def test_joints_are_where_they_are():
    """The drawn lines of heat maps end near the true joints, and a hood lowers the peaks."""
    bare, hooded = (posing.stick_people(12, "test", seed=0, hooded=h) for h in (0.0, 1.0))
    heat = next(e for e in entries.OURS if e.name == "Heat maps")
    model, peaks, off = heat.load(None), [], []
    for people in (bare, hooded):
        told = [heat.answer(model, heat.see(image)) for image in people.images]
        peaks.append(sum(number_after("mean", t.confidence) for t in told) / 12)
        off.append((posing.locate(model, people.images) - people.joints).norm(dim=2).median())
    assert off[0] < 3
    assert peaks[1] < peaks[0] - 0.05
    figure, axes = plt.subplots()
    told[0].draw(axes)
    ends = torch.tensor(axes.lines[0].get_xydata())
    found = posing.locate(model, heat.see(hooded.images[0])[None])[0]
    torch.testing.assert_close(ends.float(), found[list(posing.STICK.limbs[0])])
    plt.close(figure)


@pytest.mark.parametrize(("right", "down"), [(4, -2), (-3, 3), (0, 5)])
def test_a_shift_is_known_exactly_and_seen(right, down):
    pair = shifted(PICTURES["coffee"](), right, down)
    assert (torch.tensor([right, down]) == pair.flow.flatten(1).T).all()
    back = warp(pair.second[None], pair.flow[None])[0]
    inside = warp_is_inside(pair.flow[None])[0]
    torch.testing.assert_close(back[:, inside], pair.first[:, inside])
    assert inside.sum() == (64 - abs(right)) * (64 - abs(down))
    for told in ask_all(pair, "flow"):
        none = number_after("nothing moves” by", told.confidence)
        assert none == pytest.approx((right**2 + down**2) ** 0.5, abs=0.06)
        assert number_after("off by", told.confidence) < none / 2


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_have_a_true_flow_that_is_nearly_seen(name):
    pair = PAIRS[name]()
    told = [t.confidence for t in ask_all(pair, "flow")]
    for said in told:
        assert number_after("off by", said) < 0.6 * number_after("nothing moves” by", said)
    known = pair.flow.isfinite().all(0)
    none = pair.flow[:, known].norm(dim=0).mean().item()
    assert number_after("nothing moves” by", told[0]) == pytest.approx(none, abs=0.06)


def test_a_shift_too_far_and_motion_in_one_picture_are_refused():
    image = PICTURES["coffee"]()
    with pytest.raises(ValueError, match="right must be from -8 to 8, but is 9"):
        shifted(image, 9, 0)
    with pytest.raises(ValueError, match="down must be from -8 to 8, but is -10"):
        shifted(image, 0, -10)
    with pytest.raises(ValueError, match="image must be a Pair of frames for the task 'flow'"):
        ask_all(image, "flow")


def test_other_questions_ask_a_pair_for_its_first_frame():
    pair = shifted(PICTURES["coffee"](), 5, 5)
    (of_pair,), (of_first,) = ask_all(pair, "depth"), ask_all(pair.first, "depth")
    assert of_pair.confidence == of_first.confidence


class Small(nn.Module):
    """A network with two weights, as a published one."""

    def __init__(self):
        super().__init__()
        self.last = nn.Conv2d(3, 2, 1)

    def forward(self, images):
        return self.last(images)


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """serve(content) puts it on a local server, under a name with the hash of `hashed`."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    handler.func.log_message = lambda *arguments: None
    monkeypatch.setenv("CVCOURSE_CACHE", str(tmp_path / "cache"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def put(content: bytes, hashed: bytes) -> str:
        name = f"small-{hashlib.sha256(hashed).hexdigest()[:16]}.pth"
        (folder / name).write_bytes(content)
        return f"http://127.0.0.1:{server.server_port}/{name}"

    yield put
    server.shutdown()
    server.server_close()


@pytest.fixture
def published(monkeypatch):
    """published(address) offers `Small` for segmentation, from there."""

    def offer(address):
        monkeypatch.setitem(TORCHVISION_WEIGHTS, "small", address)
        entry = entries.PUBLISHED[2]
        small = entries.Entry(
            "segmentation", "Small, published", "", ("small",), entries.published(Small, "small"),
            entry.see, entry.answer, "Two weights.",
        )  # fmt: skip
        monkeypatch.setattr(entries, "OURS", ())
        monkeypatch.setattr(entries, "PUBLISHED", (small,))

    return offer


def checkpoint(tmp_path) -> bytes:
    torch.manual_seed(0)
    path = tmp_path / "made.pth"
    torch.save(Small().state_dict(), path)
    return path.read_bytes()


def test_published_weights_are_fetched_once_verified_and_used(tmp_path, serve, published):
    content = checkpoint(tmp_path)
    published(serve(content, content))
    said = []
    for _ in range(2):
        (told,) = ask_all(
            torch.rand(3, 20, 30), "segmentation", published=True, progress=said.append
        )
        assert told.problem == ""
        assert told.size == (20, 30)
        assert "published weights" in told.card()
    assert [words for words in said if "fetching" in words]
    assert len(list((tmp_path / "cache").rglob("small-*"))) == 1


def test_a_file_that_was_tampered_with_is_not_used(tmp_path, serve, published):
    content = checkpoint(tmp_path)
    published(serve(content + b"more", content))
    (told,) = ask_all(torch.rand(3, 20, 30), "segmentation", published=True)
    assert told.problem.startswith("Its weights")
    assert told.figure is None
    assert "SHA-256" in told.problem or "hash" in told.problem


def test_without_network_it_says_so(tmp_path, monkeypatch, published):
    monkeypatch.setenv("CVCOURSE_CACHE", str(tmp_path))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    published(f"http://127.0.0.1:{port}/small-0123456789abcdef.pth")
    (told,) = ask_all(torch.rand(3, 20, 30), "segmentation", published=True)
    assert told.problem.startswith("Its weights are not here, and cannot be fetched now")
    assert "class='problem'" in told.card()


@pytest.mark.parametrize("entry", CLASSIFIERS, ids=[e.files[0] for e in CLASSIFIERS])
def test_published_classifiers_name_what_their_weights_say(tmp_path, monkeypatch, serve, entry):
    """The true network, whose last layer says 2, 1 and 0 of three classes and -30 of the others."""
    model, classes = MAKERS[entry.files[0]](), (207, 388, 999)
    last = [layer for layer in model.modules() if isinstance(layer, nn.Linear)][-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(-30)
        last.bias[list(classes)] = torch.tensor([2.0, 1, 0])
    torch.save(model.state_dict(), tmp_path / "made.pth")
    content = (tmp_path / "made.pth").read_bytes()
    monkeypatch.setitem(TORCHVISION_WEIGHTS, entry.files[0], serve(content, content))
    monkeypatch.setattr(entries, "PUBLISHED", (entry,))
    (told,) = ask_all(torch.rand(3, 60, 80), "classification", published=True)
    assert told.problem == ""
    assert told.size == (224, 224)
    assert told.parameters == sum(p.numel() for p in model.parameters())
    want = "golden retriever 0.67, giant panda 0.24, toilet tissue 0.09"
    assert told.confidence.startswith(f"{want} (of 1,000 names")


def test_published_classifiers_are_given_what_they_were_trained_on():
    given = []

    def network(images):
        given.append(images)
        return torch.zeros(1, 1000)

    for entry in CLASSIFIERS:
        entry.answer(network, entry.see(torch.ones(3, 60, 80)))
    white = torch.tensor([0.515 / 0.229, 0.544 / 0.224, 0.594 / 0.225])
    for images in given:
        torch.testing.assert_close(images, white[None, :, None, None].expand(1, 3, 224, 224))


def test_the_names_are_torchvisions():
    """The hash is of torchvision 0.28's own list, which has the names once each."""
    assert len(set(IMAGENET)) == 1000
    digest = hashlib.sha256("\n".join(IMAGENET).encode()).hexdigest()
    assert digest == "0b0f9fee7c952f257418d62aa701f023a9da13b443a14f5c4291e5724d92967c"


def test_published_addresses_carry_a_hash():
    for entry in entries.PUBLISHED:
        (key,) = entry.files
        assert re.search(r"-[0-9a-f]{8}\.pth$", TORCHVISION_WEIGHTS[key])


def test_cards_escape_what_they_are_told():
    card = answering.Told("<b>", "", "a < b", problem="<script>").card()
    assert "<script>" not in card
    assert "&lt;b&gt;" in card

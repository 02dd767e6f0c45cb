"""Against a server on this machine, with small checkpoints in torchvision's true format."""

import argparse
import errno
import hashlib
import os
import pickle
import shutil
import threading
import warnings
from collections import OrderedDict, namedtuple
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from torch import nn

from cvcourse.models.backbones.frozen_batch_norm import FrozenBatchNorm2d
from cvcourse.models.backbones.resnet import BasicBlock, ResNet, ResNetFeatures
from cvcourse.models.pretrained import TORCHVISION_WEIGHTS, download, load_pretrained

pytestmark = pytest.mark.as_user  # the paths of pytest are given as they are
TINY = {"block": BasicBlock, "depths": (1, 1), "width": 4}


class Server:
    """Serves `files`; the last `cut` bytes of each answer are withheld; `log` lists the ranges."""

    def __init__(self):
        self.files, self.cut, self.log, self.ranges = {}, 0, [], True
        handler = type("Handler", (_Handler,), {"server_state": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def url(self, name):
        return f"http://127.0.0.1:{self.http.server_address[1]}/models/{name}"

    def add(self, name, content):
        self.files[f"/models/{name}"] = content
        return self.url(name)

    def close(self):
        self.http.shutdown()
        self.http.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        state = self.server_state
        content = state.files.get(self.path)
        requested = self.headers.get("Range")
        state.log.append(requested)
        if content is None:
            return self.send_error(404)
        start = int(requested[len("bytes=") : -1]) if requested and state.ranges else 0
        if start and start >= len(content):
            return self.send_error(416)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        return self.wfile.write(content[start : len(content) - state.cut])

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = Server()
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("CVCOURSE_CACHE", str(folder))
    monkeypatch.setenv("no_proxy", "*")
    return folder


def _bytes_of(model, tmp_path, *, legacy=False):
    torch.save(model.state_dict(), tmp_path / "x", _use_new_zipfile_serialization=not legacy)
    return (tmp_path / "x").read_bytes()


def _named(stem, content):
    return f"{stem}-{hashlib.sha256(content).hexdigest()[:8]}.pth"


def _same(model, other):
    return all(
        torch.equal(a, b)
        for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True)
    )


def _saved(model, tmp_path, stem="resnet18", **options):
    content = _bytes_of(model, tmp_path, **options)
    return _named(stem, content), content


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before torch 1.6"])
def test_fetched_verified_loaded_and_then_taken_from_the_cache(server, cache, tmp_path, legacy):
    model = ResNet(5, **TINY)
    name, content = _saved(model, tmp_path, legacy=legacy)
    url, seen = server.add(name, content), []
    loaded = load_pretrained(ResNet(5, **TINY), url, progress=lambda *args: seen.append(args))
    assert _same(loaded, model)
    assert seen[-1] == (len(content), len(content))
    assert [p.name for p in cache.iterdir()] == [name]
    load_pretrained(ResNet(5, **TINY), url)
    assert len(server.log) == 1


def test_a_local_file(tmp_path):
    model = ResNet(5, **TINY)
    path = tmp_path / "mine.pth"
    path.write_bytes(_bytes_of(model, tmp_path))
    assert _same(load_pretrained(ResNet(5, **TINY), path), model)
    with pytest.raises(FileNotFoundError, match=r"no file .*other\.pth"):
        load_pretrained(model, tmp_path / "other.pth")


def test_the_cache_is_torch_hubs_without_the_variable(server, tmp_path, monkeypatch):
    monkeypatch.delenv("CVCOURSE_CACHE", raising=False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    assert download(server.add("a.pth", b"x")) == tmp_path / "hub" / "checkpoints" / "a.pth"


def test_interrupted_then_resumed_where_it_stopped(server, cache, tmp_path):
    name, content = _saved(ResNet(5, **TINY), tmp_path)
    url, server.cut = server.add(name, content), 1000
    with pytest.raises(
        ConnectionError, match=rf"ended after {len(content) - 1000} of {len(content)} bytes"
    ):
        download(url)
    assert [p.name for p in cache.iterdir()] == [f"{name}.part"]
    server.cut = 0
    assert download(url).read_bytes() == content
    assert server.log == [None, f"bytes={len(content) - 1000}-"]
    assert [p.name for p in cache.iterdir()] == [name]


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "server without ranges"])
@pytest.mark.parametrize("left", ["too much", "another file's beginning"])
def test_a_strange_beginning_is_replaced(server, cache, ranges, left):
    content = bytes(range(256)) * 20
    name, server.ranges = _named("resnet18", content), ranges
    cache.mkdir()
    (cache / f"{name}.part").write_bytes(b"?" * (9999 if left == "too much" else 100))
    assert download(server.add(name, content)).read_bytes() == content


def test_without_a_hash_nothing_is_resumed(server, cache):
    url, server.cut = server.add("weights.pth", b"0123456789"), 4
    with pytest.raises(ConnectionError):
        download(url)
    server.cut = 0
    assert download(url).read_bytes() == b"0123456789"
    assert server.log == [None, None]


def test_a_wrong_hash_is_refused_and_nothing_is_left(server, cache):
    with pytest.raises(ValueError, match="damaged, its SHA-256 is not the one in its name"):
        download(server.add("resnet18-0123abcd.pth", b"something else"))
    assert not list(cache.iterdir())


def test_a_damaged_file_in_the_cache_is_fetched_again(server, cache):
    name = _named("resnet18", b"content")
    cache.mkdir()
    (cache / name).write_bytes(b"conten!")
    assert download(server.add(name, b"content")).read_bytes() == b"content"


def test_a_damaged_local_file_is_refused_and_kept(tmp_path):
    path = tmp_path / "resnet18-0123abcd.pth"
    path.write_bytes(b"x")
    with pytest.raises(ValueError, match="damaged"):
        load_pretrained(ResNet(5, **TINY), path)
    assert path.exists()


@pytest.mark.parametrize(
    ("url", "error", "message"),
    [
        (
            "http://127.0.0.1:9/a.pth",
            ConnectionError,
            r"cannot be reached .* put the file into .*cache",
        ),
        ("ftp://127.0.0.1/a.pth", ValueError, r"expected the http\(s\) address of a file"),
        ("http://127.0.0.1/", ValueError, "address of a file"),
        ("http://127.0.0.1/a/..", ValueError, "address of a file"),
    ],
)
def test_no_network_or_no_address(cache, url, error, message):
    with pytest.raises(error, match=message):
        download(url)


def test_a_file_that_the_server_does_not_have(server, cache):
    with pytest.raises(ConnectionError, match="404"):
        download(server.url("missing.pth"))
    assert not list(cache.iterdir())


def test_too_little_space_is_told_before_the_download(server, cache, monkeypatch):
    usage = namedtuple("usage", "total used free")(0, 0, 10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="MB to download, 0 MB free"):
        download(server.add("a.pth", b"x" * 11))
    assert not list(cache.iterdir())


def test_a_disk_that_fills_up_is_not_kept_full(server, cache):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left"):
        download(server.add("a.pth", b"x"), progress=full)
    assert not list(cache.iterdir())


class _Hostile:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@pytest.mark.parametrize(
    "save",
    [torch.save, lambda x, p: p.write_bytes(pickle.dumps(x, protocol=2))],
    ids=["torch", "pickle"],
)
def test_a_hostile_file_is_refused_and_does_nothing(tmp_path, save):
    trap, path = tmp_path / "trap", tmp_path / "evil.pth"
    save(OrderedDict(weight=_Hostile(str(trap))), path)
    with pytest.raises(ValueError, match="not a checkpoint of tensors alone"):
        load_pretrained(nn.Linear(1, 1), path)
    assert not trap.exists()


@pytest.mark.parametrize("content", [{"weight": 1.0}, [torch.ones(1)]], ids=["number", "list"])
def test_other_contents_are_refused(tmp_path, content):
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="does not map names to tensors"):
        load_pretrained(nn.Linear(1, 1), tmp_path / "x.pth")


def test_truncated_file_without_a_hash(tmp_path):
    content = _bytes_of(ResNet(5, **TINY), tmp_path)
    (tmp_path / "x.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="not a checkpoint"):
        load_pretrained(ResNet(5, **TINY), tmp_path / "x.pth")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("conv1.weight"), r"does not fit ResNet: missing conv1\.weight\."),
        (lambda s: s.update(other=torch.ones(1)), r"unexpected other\."),
        (lambda s: s.update({"fc.bias": torch.ones(7)}), r"size mismatch for fc\.bias: .*`drop`"),
    ],
    ids=["missing", "unexpected", "wrong shape"],
)
def test_a_checkpoint_that_does_not_fit_leaves_the_model_alone(tmp_path, change, message):
    state = ResNet(5, **TINY).state_dict()
    change(state)
    torch.save(state, tmp_path / "x.pth")
    model, twin = ResNet(5, **TINY), ResNet(5, **TINY)
    twin.load_state_dict(model.state_dict())
    with pytest.raises(ValueError, match=message):
        load_pretrained(model, tmp_path / "x.pth")
    assert _same(model, twin)


def test_another_number_of_classes_is_an_explicit_choice(tmp_path):
    torch.save(ResNet(1000, **TINY).state_dict(), tmp_path / "x.pth")
    model = ResNet(5, **TINY)
    head = model.fc.weight.clone()
    with pytest.raises(ValueError, match=r"fc\.weight"):
        load_pretrained(model, tmp_path / "x.pth")
    load_pretrained(model, tmp_path / "x.pth", drop=["fc"])
    assert torch.equal(model.fc.weight, head)
    assert torch.equal(model.conv1.weight, torch.load(tmp_path / "x.pth")["conv1.weight"])
    with pytest.raises(ValueError, match=r"drop: no layer 'f' in x\.pth or the model"):
        load_pretrained(model, tmp_path / "x.pth", drop=["f"])


def _parallel(model):
    return nn.DataParallel(model)


def _compiled(model):
    return torch.compile(model, backend="eager")


def _part_compiled(model):
    model.layer1 = _compiled(model.layer1)
    return model


def _averaged(model):
    return torch.optim.swa_utils.AveragedModel(model)


def _held(model):
    return nn.ModuleDict({"backbone": model})


@pytest.mark.parametrize(
    ("wrap", "removed"),
    [
        (_parallel, r"module\. in"),
        (_compiled, r"_orig_mod\. in"),
        (lambda m: _compiled(_parallel(m)), r"_orig_mod\. and module\. in"),
        (lambda m: _parallel(_compiled(m)), r"_orig_mod\. and module\. in"),
        (_part_compiled, r"_orig_mod\. in"),
        (_averaged, r"module\. in"),
        (_held, r"backbone\. in"),
        (lambda m: _held(_parallel(m)), r"backbone\. and module\. in"),
    ],
)
def test_prefixes_of_training_are_taken_off(tmp_path, wrap, removed):
    model, other = ResNet(5, **TINY), ResNet(5, **TINY)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    torch.save(wrap(model).state_dict(), tmp_path / "x.pth")
    with pytest.warns(UserWarning, match=rf"x\.pth: read from the whole, without {removed} its"):
        load_pretrained(other, tmp_path / "x.pth")
    assert all(torch.equal(value, state[name]) for name, value in other.state_dict().items())


def test_a_prefix_that_the_model_has_is_its_own(tmp_path):
    model, other = _parallel(ResNet(5, **TINY)), _parallel(ResNet(5, **TINY))
    torch.save(model.state_dict(), tmp_path / "x.pth")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _same(load_pretrained(other, tmp_path / "x.pth"), model)


def _training_state(**parts):
    """As torchvision's and timm's training scripts write it."""
    trained = ResNet(5, **TINY)
    optimizer = torch.optim.AdamW(trained.parameters())
    trained(torch.randn(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    return {
        "epoch": 3,
        "best": 0.5,
        "args": argparse.Namespace(lr=0.1, name="r18"),
        "optimizer": optimizer.state_dict(),
        "scaler": {},
        **parts,
    }


@pytest.mark.parametrize(
    ("parts", "where"),
    [
        (lambda s: {"model": s}, "model"),
        (lambda s: {"state_dict": s}, "state_dict"),
        (lambda s: {"model_ema": s}, "model_ema"),
        (lambda s: {"net": {"weights": s}}, r"net\.weights"),
        (lambda s: {"teacher": {"head.weight": torch.ones(2)}, "student": s}, "student"),
    ],
)
def test_dictionaries_of_training_are_opened(tmp_path, parts, where):
    model, other = ResNet(5, **TINY), ResNet(5, **TINY)
    torch.save(_training_state(**parts(model.state_dict())), tmp_path / "x.pth")
    with pytest.warns(UserWarning, match=rf"x\.pth: read from {where}$"):
        assert _same(load_pretrained(other, tmp_path / "x.pth"), model)


def test_of_several_the_average_or_what_is_asked_for(tmp_path):
    model, average, other = (ResNet(5, **TINY) for _ in range(3))
    parts = {"model": _parallel(model).state_dict(), "model_ema": _averaged(average).state_dict()}
    torch.save(_training_state(**parts), tmp_path / "x.pth")
    with pytest.warns(UserWarning, match=r"read from model_ema, without module\. in its names"):
        assert _same(load_pretrained(other, tmp_path / "x.pth"), average)
    with pytest.warns(UserWarning, match=r"read from model, without module\. in its names"):
        assert _same(load_pretrained(other, tmp_path / "x.pth", part="model"), model)
    with pytest.raises(ValueError, match=r"part: x\.pth has model, model_ema, .*, not 'ema'"):
        load_pretrained(other, tmp_path / "x.pth", part="ema")


def test_several_alike_are_a_choice(tmp_path):
    states = {name: ResNet(5, **TINY).state_dict() for name in ("student", "teacher")}
    torch.save(states, tmp_path / "x.pth")
    with pytest.raises(ValueError, match=r"x\.pth has several: choose one as part=student or te"):
        load_pretrained(ResNet(5, **TINY), tmp_path / "x.pth")


def test_what_is_dropped_is_named_as_in_the_model(tmp_path):
    torch.save({"model": _parallel(ResNet(7, **TINY)).state_dict()}, tmp_path / "x.pth")
    with pytest.warns(UserWarning, match="read from model, without module"):
        load_pretrained(ResNet(5, **TINY), tmp_path / "x.pth", drop=["fc"])


@pytest.mark.filterwarnings("ignore:x.pth. read from")
@pytest.mark.parametrize("content", ["model", "whole"])
def test_another_models_weights_in_a_dictionary(tmp_path, content):
    state = nn.Linear(2, 2).state_dict()
    torch.save({"model": state} if content == "model" else state, tmp_path / "x.pth")
    with pytest.raises(ValueError, match="does not fit ResNet: missing"):
        load_pretrained(ResNet(5, **TINY), tmp_path / "x.pth")


@pytest.mark.parametrize(
    "name", ["mine-20240131.pth", "mine-20240131153045.pth", "step-00012000.pt", "a-1706700000.pt"]
)
def test_a_date_or_a_count_is_no_hash(server, cache, tmp_path, name):
    model, other = ResNet(5, **TINY), ResNet(5, **TINY)
    content = _bytes_of(model, tmp_path)
    (tmp_path / name).write_bytes(content)
    assert _same(load_pretrained(ResNet(5, **TINY), tmp_path / name), model)
    assert _same(load_pretrained(other, server.add(name, content)), model)


@pytest.mark.parametrize(
    ("name", "eps"),
    [
        ("fasterrcnn_resnet50_fpn_coco", 0.0),
        ("maskrcnn_resnet50_fpn_coco", 0.0),
        ("retinanet_resnet50_fpn_coco", 0.0),
        ("fcos_resnet50_fpn_coco", 1e-5),
        ("fasterrcnn_resnet50_fpn_v2_coco", 1e-5),
        ("resnet50", 1e-5),
    ],
)
def test_eps_of_frozen_norms_follows_the_published_file(tmp_path, name, eps):
    classifier = ResNet(5, **TINY)
    file_name, content = _saved(classifier, tmp_path, name)
    (tmp_path / file_name).write_bytes(content)
    build = partial(ResNetFeatures, **TINY, norm=FrozenBatchNorm2d)
    trunk = load_pretrained(build(), tmp_path / file_name, drop=["fc"])
    assert {m.eps for m in trunk.modules() if isinstance(m, FrozenBatchNorm2d)} == {eps}
    chosen = load_pretrained(build(), tmp_path / file_name, drop=["fc"], frozen_bn_eps=1e-3)
    assert chosen.bn1.eps == 1e-3


def test_published_addresses_carry_a_hash():
    for url in TORCHVISION_WEIGHTS.values():
        assert len(url.rsplit("-", 1)[1]) == len("0676ba61.pth")


THEIRS = {
    "net.a.weight": torch.ones(2, 1),
    "net.a.bias": torch.full((2,), 2.0),
    "net.b.scale": torch.full((2,), 3.0),
    "net.fixed.kernel": torch.zeros(5),
    "same.weight": torch.full((1, 2), 4.0),
}
NAMES = {
    "net.a": "first",
    "net.b.scale": "norm.weight",
    "net.fixed": None,
}


class TestNames:
    """Files in other people's layout, read through a map of names."""

    def model(self):
        norm = nn.Module()
        norm.weight = nn.Parameter(torch.zeros(2))
        model = nn.ModuleDict({"first": nn.Linear(1, 2), "norm": norm, "same": nn.Linear(2, 1)})
        model["same"].bias = None
        return model

    @pytest.mark.parametrize("prefix", ["", "module."])
    def test_layers_tensors_and_what_is_not_needed(self, tmp_path, prefix):
        torch.save({prefix + k: v for k, v in THEIRS.items()}, tmp_path / "theirs.pth")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if prefix else "error")
            model = load_pretrained(self.model(), tmp_path / "theirs.pth", names=NAMES)
        got = [p.unique().item() for p in model.parameters()]
        assert got == [1, 2, 3, 4]

    def test_without_the_map_it_does_not_fit(self, tmp_path):
        torch.save(THEIRS, tmp_path / "theirs.pth")
        with pytest.raises(ValueError, match="does not fit ModuleDict: missing first"):
            load_pretrained(self.model(), tmp_path / "theirs.pth")

    def test_the_longest_name_counts(self, tmp_path):
        torch.save({"a.b.weight": torch.ones(1, 1), "a.weight": torch.zeros(1, 1)}, tmp_path / "x")
        model = nn.ModuleDict({"p": nn.Linear(1, 1, bias=False), "q": nn.Linear(1, 1, bias=False)})
        load_pretrained(model, tmp_path / "x", names={"a": "p", "a.b": "q"})
        assert [model["p"].weight.item(), model["q"].weight.item()] == [0, 1]

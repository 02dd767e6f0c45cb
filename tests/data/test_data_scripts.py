"""The scripts that fetch real data, run on tiny data sets from a server on this machine."""

import hashlib
import importlib.util
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "data_scripts"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder, and the address under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def script(monkeypatch):
    """Imports a script as `python data_scripts/NAME.py` would."""
    monkeypatch.syspath_prepend(SCRIPTS)

    def load(name):
        spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    sys.modules.pop("steps", None)


def pack(folder, file, kind):
    """An archive of a folder's contents, with its hash."""
    path = Path(shutil.make_archive(str(file), kind, folder))
    return path.name, f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


CASES = {
    "coco": ("coco", "", "val2017: 3 pictures, 4 objects"),
    "pascal_voc": ("voc", "VOCdevkit/VOC2012", "2012 train: 2 pictures with boxes, 2 with masks"),
    "oxford_pet": ("pets", "", "trainval: 1 cats and 1 dogs of 3 breeds"),
    "div2k": ("div2k", "", "valid-x3: 1 pictures, the first (12, 9) pixels beside (4, 3)"),
    "stl10": ("stl10", "", "test: {'airplane': 1, 'bird': 1,"),
    "omniglot": ("omniglot", "", "background: 2 alphabets, 6 letters, 120 drawings"),
    "cifar10": ("cifar", "cifar-10-batches-bin", "test: {'airplane': 1,"),
}


@pytest.mark.parametrize("name", CASES)
def test_fetch_verify_unpack_summarise(
    name, served, script, request, tmp_path, monkeypatch, capsys
):
    fixture, inside, summary = CASES[name]
    source = request.getfixturevalue(fixture)
    layout = tmp_path / "layout" / inside
    names = [p for p in source.iterdir() if p.name not in ("served", "layout")]
    for path in names:
        (shutil.copytree if path.is_dir() else copy_file)(path, layout / path.name)
    if name == "oxford_pet":
        shutil.copy(layout / "annotations/trainval.txt", layout / "annotations/test.txt")
    if name == "pascal_voc":
        for task in ("Main", "Segmentation"):
            (layout / "ImageSets" / task / "val.txt").write_text("2007_000001\n", encoding="utf-8")
    folder, address = served
    file, digest = pack(tmp_path / "layout", folder / "all", "gztar")

    module = script(name)
    part = next(iter(module.PARTS))
    archive = module.PARTS[part][0]._replace(url=f"{address}/{file}", known_hash=digest)
    monkeypatch.setattr(module, "PARTS", {part: [archive]})
    target = tmp_path / "data" / name
    monkeypatch.setattr(sys, "argv", [name, "--folder", str(target)])
    module.main()
    told = capsys.readouterr().out
    assert "verified" in told
    assert summary in told
    assert not (target / "archives" / file).exists()

    module.main()  # again: nothing is fetched
    assert "unpacked before" in capsys.readouterr().out

    (target / "archives" / f"{file}.unpacked").unlink()
    wrong = archive._replace(known_hash="sha256:" + "0" * 64)
    monkeypatch.setattr(module, "PARTS", {part: [wrong]})
    with pytest.raises(SystemExit, match="not the file that was expected"):
        module.main()


def copy_file(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


FILES = {
    "mnist": "train: {0: 3, 1: 3,",
    "svhn": "test: {0: 2, 1: 2,",
    "set5": "x3: 5 pictures of [(12, 9), (12, 9),",
}


@pytest.mark.parametrize("name", FILES)
def test_fetch_verify_summarise_what_is_not_packed(
    name, served, script, request, tmp_path, monkeypatch, capsys
):
    source = request.getfixturevalue(name)
    folder, address = served
    module = script(name)
    parts = []
    part = next(iter(module.PARTS))
    for archive in module.PARTS[part]:
        file = archive.url.rpartition("/")[2]
        copy_file(source / archive.inside / file, folder / file)
        digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
        parts.append(archive._replace(url=f"{address}/{file}", known_hash=f"sha256:{digest}"))
    monkeypatch.setattr(module, "PARTS", {part: parts})
    target = tmp_path / "data" / name
    monkeypatch.setattr(sys, "argv", [name, "--folder", str(target)])
    module.main()
    told = capsys.readouterr().out
    assert told.count("verified") == len(parts)
    assert FILES[name] in told

    for file in folder.iterdir():
        file.unlink()
    module.main()  # again: nothing is fetched
    wrong = [parts[0]._replace(known_hash="sha256:" + "0" * 64)]
    monkeypatch.setattr(module, "PARTS", {part: wrong})
    with pytest.raises(SystemExit, match=rf"^{name}: http"):
        module.main()


@pytest.mark.parametrize("name", [*CASES, *FILES])
def test_addresses_and_hashes_are_well_formed(name, script):
    module = script(name)
    for archive in (archive for part in module.PARTS.values() for archive in part):
        kind, digits = archive.known_hash.split(":")
        assert len(bytes.fromhex(digits)) == {"sha256": 32, "md5": 16}[kind]
        assert archive.url.startswith("http")
        assert archive.megabytes > 0

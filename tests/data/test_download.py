"""Downloads from a server on this machine that misbehaves, and archives that do."""

import contextlib
import errno
import hashlib
import io
import os
import shutil
import socket
import stat
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cvcourse.data import download
from cvcourse.data.download import fetch, unpack

CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT in the manner that the last part of the path names."""

    requests: list = []  # noqa: RUF012 (of one test: the fixture empties it)

    def do_GET(self):
        manner = self.path.rsplit("/", 1)[-1].split(".")[0]
        asked = self.headers.get("Range")
        self.requests.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if manner == "absent":
            return self.send_error(404)
        if manner == "fresh":  # knows no ranges
            start = 0
        body = CONTENT[start:]
        if start >= len(CONTENT):
            return self.send_error(416)
        if manner == "altered":
            body = bytes(len(body))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if manner == "cut" and not asked:  # stops half-way at the first request
            body = body[: len(body) // 2]
        with contextlib.suppress(ConnectionError):  # the client may have seen enough
            self.wfile.write(body)
        return None

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def _no_requests_yet():
    Handler.requests.clear()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("known", [SHA256, f"sha256:{SHA256}", f"md5:{MD5}"])
def test_fetch_and_find_again(server, tmp_path, known):
    for _ in range(2):
        path = fetch(f"{server}/good.bin", known, tmp_path / "new", progress=False)
        assert path == tmp_path / "new" / "good.bin"
        assert path.read_bytes() == CONTENT
    assert Handler.requests == [None]  # the second time, nobody was asked
    assert names(tmp_path / "new") == ["good.bin"]


def test_progress_is_shown(server, tmp_path, capsys):
    fetch(f"{server}/good.bin", SHA256, tmp_path)
    assert "good.bin" in capsys.readouterr().err


def test_interrupted_and_resumed(server, tmp_path):
    with pytest.raises(ConnectionError, match="stopped half-way"):
        fetch(f"{server}/cut.bin", SHA256, tmp_path, progress=False)
    assert names(tmp_path) == ["cut.bin.part"]
    half = len(CONTENT) // 2
    assert (tmp_path / "cut.bin.part").stat().st_size == half
    path = fetch(f"{server}/cut.bin", SHA256, tmp_path, progress=False)
    assert path.read_bytes() == CONTENT
    assert Handler.requests == [None, f"bytes={half}-"]
    assert names(tmp_path) == ["cut.bin"]


@pytest.mark.parametrize("size", [100, len(CONTENT), len(CONTENT) + 5])
@pytest.mark.parametrize("manner", ["good", "fresh"])
def test_any_beginning_ends_well(server, tmp_path, size, manner):
    """A right, complete or overlong part; a server with and without ranges."""
    (tmp_path / f"{manner}.bin.part").write_bytes((CONTENT + bytes(9))[:size])
    path = fetch(f"{server}/{manner}.bin", SHA256, tmp_path, progress=False)
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == [f"{manner}.bin"]


def test_a_wrong_beginning_is_thrown_away(server, tmp_path):
    (tmp_path / "good.bin.part").write_bytes(b"of another file")
    path = fetch(f"{server}/good.bin", SHA256, tmp_path, progress=False)
    assert path.read_bytes() == CONTENT
    assert Handler.requests == ["bytes=15-", None]


def test_a_damaged_file_is_fetched_again(server, tmp_path):
    (tmp_path / "good.bin").write_bytes(b"half of it")
    assert fetch(f"{server}/good.bin", SHA256, tmp_path, progress=False).read_bytes() == CONTENT


@pytest.mark.parametrize("known", [f"sha256:{SHA256}", f"md5:{MD5}"])
def test_altered_or_wrong_hash(server, tmp_path, known):
    with pytest.raises(ValueError, match=r"is not the file that was expected.*it was not kept"):
        fetch(f"{server}/altered.bin", known, tmp_path, progress=False)
    assert names(tmp_path) == []


def test_a_whole_file_survives_a_failed_update(server, tmp_path):
    """The file under its own name is replaced by a verified one, or not at all."""
    (tmp_path / "altered.bin").write_bytes(b"older")
    with pytest.raises(ValueError, match="not the file that was expected"):
        fetch(f"{server}/altered.bin", SHA256, tmp_path, progress=False)
    assert (tmp_path / "altered.bin").read_bytes() == b"older"


def test_absent(server, tmp_path):
    with pytest.raises(ConnectionError, match="the server answers 404"):
        fetch(f"{server}/absent.bin", SHA256, tmp_path, progress=False)
    assert names(tmp_path) == []


def test_no_network(tmp_path):
    with socket.socket() as free:  # a port on which nobody listens
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(ConnectionError, match=r"cannot be reached.*by hand"):
        fetch(f"http://127.0.0.1:{port}/a.bin", SHA256, tmp_path, progress=False)
    assert names(tmp_path) == []


def test_no_space_for_what_is_announced(server, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 8, 2))
    with pytest.raises(OSError, match="no space left") as raised:
        fetch(f"{server}/good.bin", SHA256, tmp_path, progress=False)
    assert raised.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's device that is full")
def test_disk_fills_up_while_writing(server, tmp_path):
    (tmp_path / "good.bin.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="no space left"):
        fetch(f"{server}/good.bin", SHA256, tmp_path, progress=False)
    assert names(tmp_path) == []


@pytest.mark.parametrize("known", ["", "sha256:12", "crc32:00000000", "g" * 64, MD5])
def test_bad_hash(tmp_path, known):
    with pytest.raises(ValueError, match="known_hash must be"):
        fetch("http://127.0.0.1/a.bin", known, tmp_path)


@pytest.mark.parametrize("name", ["../a.bin", "/etc/a", "a/b"])
def test_bad_name(tmp_path, name):
    with pytest.raises(ValueError, match="name must be that of a file"):
        fetch("http://127.0.0.1/a.bin", SHA256, tmp_path, name=name)


# --- archives


def make_tar(path, members, mode="w:gz"):
    """members: name -> bytes, or a function that alters the TarInfo."""
    with tarfile.open(path, mode) as archive:
        for name, value in members.items():
            info = tarfile.TarInfo(name)
            if isinstance(value, bytes):
                info.size = len(value)
                archive.addfile(info, io.BytesIO(value))
            else:
                value(info)
                archive.addfile(info)
    return path


def make_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in members.items():
            info = zipfile.ZipInfo(name)
            if not isinstance(value, bytes):
                info.external_attr = value << 16
                value = b"/etc/passwd"
            archive.writestr(info, value)
    return path


GOOD = {"set/a.txt": b"a" * 1000, "set/deep/b.txt": b"b", "c.txt": b""}


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("form", ["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_unpack(tmp_path, form):
    archive = tmp_path / f"a.{form}"
    if form == "zip":
        make_zip(archive, {"set/": b"", **GOOD})
    else:
        kind = form.removeprefix("tar").lstrip(".")
        folder = {"set": lambda info: setattr(info, "type", tarfile.DIRTYPE)}
        make_tar(archive, folder | GOOD, f"w:{kind}")
    for _ in range(2):  # again, over what is there
        assert unpack(archive, tmp_path / "out") == tmp_path / "out"
        assert files(tmp_path / "out") == GOOD
    assert names(tmp_path / "out") == ["c.txt", "set"]


def test_unpack_adds_to_what_is_there(tmp_path):
    unpack(make_zip(tmp_path / "a.zip", {"set/a.txt": b"1"}), tmp_path / "out")
    unpack(make_zip(tmp_path / "b.zip", {"set/b.txt": b"2"}), tmp_path / "out")
    assert files(tmp_path / "out") == {"set/a.txt": b"1", "set/b.txt": b"2"}


def link(kind, target):
    def alter(info):
        info.type, info.linkname = kind, target

    return alter


HOSTILE = {
    "upwards": {"../evil.txt": b"!"},
    "upwards later": {"set/a.txt": b"a", "set/../../evil.txt": b"!"},
    "absolute": {"/tmp/evil-of-test-download.txt": b"!"},
    "backslashes": {"..\\evil.txt": b"!"},
    "drive": {"C:/evil.txt": b"!"},
}
HOSTILE_TAR = {
    "symbolic link": {"a": link(tarfile.SYMTYPE, "/etc/passwd")},
    "symbolic link, then through it": {"a": link(tarfile.SYMTYPE, ".."), "a/evil.txt": b"!"},
    "hard link": {"a": link(tarfile.LNKTYPE, "../evil.txt")},
    "device": {"a": link(tarfile.CHRTYPE, "")},
    "pipe": {"a": link(tarfile.FIFOTYPE, "")},
}


@pytest.mark.parametrize("what", [*HOSTILE, *HOSTILE_TAR])
def test_hostile_tar(tmp_path, what):
    archive = make_tar(tmp_path / "a.tar.gz", (HOSTILE | HOSTILE_TAR)[what])
    with pytest.raises(ValueError, match="refused"):
        unpack(archive, tmp_path / "deep" / "out")
    assert names(tmp_path / "deep" / "out") == []
    assert names(tmp_path) == ["a.tar.gz", "deep"]
    assert not os.path.exists("/tmp/evil-of-test-download.txt")


@pytest.mark.parametrize("what", [*HOSTILE, "symbolic link", "device"])
def test_hostile_zip(tmp_path, what):
    special = {"symbolic link": {"a": stat.S_IFLNK | 0o777}, "device": {"a": stat.S_IFCHR | 0o666}}
    archive = make_zip(tmp_path / "a.zip", (HOSTILE | special)[what])
    with pytest.raises(ValueError, match="refused"):
        unpack(archive, tmp_path / "deep" / "out")
    assert names(tmp_path / "deep" / "out") == []
    assert names(tmp_path) == ["a.zip", "deep"]


@pytest.mark.parametrize("form", ["zip", "tar.gz", "tar.xz", "tar"])
def test_damaged_archive(tmp_path, form):
    noise = {"a.bin": os.urandom(50_000), "b.bin": os.urandom(50_000)}
    whole = tmp_path / f"whole.{form}"
    if form == "zip":
        make_zip(whole, noise)
    else:
        make_tar(whole, noise, f"w:{form.removeprefix('tar').lstrip('.')}")
    content = whole.read_bytes()
    cut, altered, none = (tmp_path / f"{name}.{form}" for name in ("cut", "altered", "none"))
    cut.write_bytes(content[:60_000])
    middle = len(content) // 2
    altered.write_bytes(content[: middle - 2000] + bytes(4000) + content[middle + 2000 :])
    none.write_bytes(b"this is no archive")
    for archive in (cut, none) if form == "tar" else (cut, altered, none):  # tar has no checksum
        with pytest.raises(ValueError, match="is damaged"):
            unpack(archive, tmp_path / "out")
        assert names(tmp_path / "out") == []


def test_file_where_a_folder_should_be(tmp_path):
    archive = make_zip(tmp_path / "a.zip", {"a": b"", "a/b": b""})
    with pytest.raises(ValueError, match="is damaged"):
        unpack(archive, tmp_path / "out")


def test_no_space_while_unpacking(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download.shutil, "copyfileobj", full)
    with pytest.raises(OSError, match="nothing was kept"):
        unpack(make_zip(tmp_path / "a.zip", GOOD), tmp_path / "out")
    assert names(tmp_path / "out") == []


def test_no_archive(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        unpack(tmp_path / "a.zip", tmp_path)

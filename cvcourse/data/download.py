"""Files of real data sets: fetched once, resumed, verified, and unpacked in their folder only."""

import errno
import gzip
import logging
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

from cvcourse.data._extras import extra

_CHUNK = 1 << 20
# What the standard library raises for archives that are cut off, altered, or contradict themselves.
_DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, LZMAError, EOFError,
    RuntimeError, FileExistsError, NotADirectoryError, IsADirectoryError,
)  # fmt: skip


def fetch(
    url: str, known_hash: str, folder: str | os.PathLike, *, name: str | None = None,
    progress: bool = True,
) -> Path:  # fmt: skip
    """Download a file into `folder`, or find it there, and return its path.

    known_hash: "sha256:..." or "md5:..." in hexadecimal digits, or 64 digits alone for SHA-256.
    name: of the file; by default the last part of the address.

    Written as NAME.part, verified, then renamed: a file under its own name is whole. An interrupted
    download goes on where it stopped, if the server can; a file that is there already is verified.
    Raises ValueError if the hash does not fit (nothing is kept), ConnectionError if the server
    cannot be reached or stops (NAME.part is kept), OSError if the disk is full (nothing is kept).
    """
    with extra("data", "fetch"):
        import pooch
        import requests  # noqa: F401 (by pooch, and below)

    algorithm, _, digits = known_hash.rpartition(":")
    lengths = {"": 64, "sha256": 64, "md5": 32}
    if len(digits) != lengths.get(algorithm) or set(digits.lower()) - set("0123456789abcdef"):
        raise ValueError(f"known_hash must be 'sha256:' or 'md5:' and digits, got {known_hash!r}")
    name = name or PurePosixPath(url.split("?")[0]).name
    if not name or PurePosixPath(name).name != name:
        raise ValueError(f"name must be that of a file, got {name!r} for {url}")
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.part"
    pooch.get_logger().setLevel(logging.WARNING)

    def attempt() -> Path:
        steps = partial(_download, part=part, progress=progress)
        return Path(pooch.retrieve(url, known_hash, name, folder, downloader=steps))

    if part.exists():
        with suppress(ValueError):  # its beginning may have been of another file
            return attempt()
    try:
        return attempt()
    except ValueError as error:
        kind = algorithm or "sha256"
        raise ValueError(
            f"{url} is not the file that was expected: its {kind} is another, so it was not kept"
        ) from error


def unpack(archive: str | os.PathLike, folder: str | os.PathLike) -> Path:
    """Unpack a .zip or .tar (.gz, .bz2, .xz) into `folder`, and return that.

    Only plain files and folders are accepted: an archive with a link, a device, an absolute path or
    one that leaves the folder is refused with ValueError, and so is a damaged one. Files appear in
    `folder` only once all of them are unpacked; what is there under the same names is replaced.
    """
    archive, folder = Path(archive).expanduser(), Path(folder).expanduser()
    if not archive.is_file():
        raise FileNotFoundError(f"archive: there is no file {archive}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=folder) as temporary:
        try:
            for path, source in _members(archive):
                target = Path(temporary, *path.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file, _CHUNK)
        except _DAMAGED as error:
            raise ValueError(f"archive: {archive} is damaged ({error})") from error
        except OSError as error:
            _explain_full_disk(error, folder)
            raise
        for file in sorted(Path(temporary).rglob("*")):
            target = folder / file.relative_to(temporary)
            if file.is_dir():
                target.mkdir(exist_ok=True)
            else:
                os.replace(file, target)
    return folder


def _members(archive: Path) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """Plain files in an archive, with their checked paths, in the order they are stored."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for member in opened.infolist():
                kind = stat.S_IFMT(member.external_attr >> 16)
                path = _checked(archive, member.filename, kind in (0, stat.S_IFREG, stat.S_IFDIR))
                if not member.is_dir():
                    yield path, opened.open(member)
        return
    with tarfile.open(archive) as opened:
        for member in opened:
            path = _checked(archive, member.name, member.isreg() or member.isdir())
            if member.isreg():
                yield path, opened.extractfile(member)


def _checked(archive: Path, name: str, plain: bool) -> PurePosixPath:
    path = PurePosixPath(name)
    if not plain:
        raise ValueError(f"archive: {archive} holds a link or a device, {name!r}: refused")
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        raise ValueError(f"archive: {archive} holds {name!r}, outside its folder: refused")
    return path


def _download(url: str, file: str, _pooch, *, part: Path, progress: bool) -> None:
    """Bring `part` to its full length, then move it to `file`, which pooch verifies and renames."""
    import requests

    try:
        _append_rest(url, part, progress)
    except requests.HTTPError as error:
        raise ConnectionError(f"{url}: the server answers {error}") from error
    except requests.RequestException as error:
        raise ConnectionError(
            f"{url} cannot be reached, or stopped half-way. Call again to go on, or put the file "
            f"into {part.parent} by hand ({type(error).__name__})"
        ) from error
    except OSError as error:
        part.unlink(missing_ok=True)
        _explain_full_disk(error, part.parent)
        raise
    os.replace(part, file)


def _append_rest(url: str, part: Path, progress: bool) -> None:
    import requests

    with extra("data", "fetch"):
        from tqdm import tqdm

    start = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    with requests.get(url, headers=headers, stream=True, timeout=30) as response:
        if response.status_code == 416 and start:  # nothing is left to send; the hash will tell
            return
        response.raise_for_status()
        if response.status_code != 206:  # the server sends all of it, again
            start = 0
        length = response.headers.get("Content-Length")
        total = None if length is None else start + int(length)
        if length is not None and int(length) > shutil.disk_usage(part.parent).free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        with part.open("ab" if start else "wb") as file, tqdm(
            total=total, initial=start, desc=part.stem, unit="B", unit_scale=True,
            disable=not progress,
        ) as bar:  # fmt: skip
            for chunk in response.iter_content(1 << 16):  # what an interruption may lose
                file.write(chunk)
                bar.update(len(chunk))
    if total is not None and part.stat().st_size != total:
        raise requests.ConnectionError(f"{part.stat().st_size} of {total} bytes came")


def _explain_full_disk(error: OSError, folder: Path) -> None:
    if error.errno == errno.ENOSPC:
        free = shutil.disk_usage(folder).free / 1e6
        raise OSError(
            errno.ENOSPC, f"no space left in {folder} ({free:.0f} MB free): nothing was kept"
        ) from error

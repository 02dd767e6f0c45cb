"""What all scripts of this folder do: read the options, fetch, verify, unpack, and say so."""

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

from cvcourse.data.download import fetch, unpack
from cvcourse.data.real import home


class Archive(NamedTuple):
    url: str
    known_hash: str  # "sha256:..." or "md5:..."
    megabytes: int
    packed: bool = True  # otherwise a file that is used as it is
    inside: str = ""  # the folder of such a file in the data set's


def run(
    name: str, text: str, parts: dict[str, list[Archive]], default: str
) -> tuple[Path, list[str]]:
    """Fetch the parts that were asked for; gives the folder they are in, and their names."""
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=parts, default=[default])
    parser.add_argument("--folder", type=_path, default=home() / name)
    parser.add_argument("--keep", action="store_true", help="keep the archives once unpacked")
    options = parser.parse_args()
    archives = {a.url: a for part in options.parts for a in parts[part]}
    try:
        for archive in archives.values():
            _fetch_and_unpack(archive, options.folder, options.keep)
    except (OSError, ValueError) as error:
        sys.exit(f"{name}: {error}")
    print(f"{name} is in {options.folder}")
    return options.folder, options.parts


def _path(text: str) -> Path:
    return Path(text).expanduser()  # of `--folder=~/data` not every shell does it


def _fetch_and_unpack(archive: Archive, folder: Path, keep: bool) -> None:
    file = Path(archive.url).name
    if not archive.packed:
        print(f"{archive.url} ({archive.megabytes:,} MB)")
        fetch(archive.url, archive.known_hash, folder / archive.inside)
        print(f"{file}: verified")
        return
    done = folder / "archives" / f"{file}.unpacked"
    if done.exists():
        print(f"{file}: unpacked before")
        return
    print(f"{archive.url} ({archive.megabytes:,} MB)")
    path = fetch(archive.url, archive.known_hash, folder / "archives")
    print(f"{file}: verified, unpacking")
    unpack(path, folder)
    done.write_text(f"{archive.url}\n{archive.known_hash}\n", encoding="utf-8")
    if not keep:
        path.unlink()

"""Do the addresses from which data and weights come still answer? python scripts/addresses.py

Asks for the first byte of each archive of `data_scripts/` and of each of `TORCHVISION_WEIGHTS`.
"""

import re
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "data_scripts")]


def addresses() -> list[str]:
    """All of them, from the scripts' own tables and the package's."""
    import importlib

    from steps import Archive

    from cvcourse.models import TORCHVISION_WEIGHTS

    found = list(TORCHVISION_WEIGHTS.values())
    for path in sorted((ROOT / "data_scripts").glob("*.py")):
        if "PARTS" not in path.read_text(encoding="utf-8"):
            continue
        parts = importlib.import_module(path.stem).PARTS
        found += [a.url for archives in parts.values() for a in archives if isinstance(a, Archive)]
    return list(dict.fromkeys(found))


def complaint(address: str) -> str:
    """Why an address does not answer, or ""."""
    try:
        with urlopen(Request(address, headers={"Range": "bytes=0-0"}), timeout=60) as response:
            response.read(1)
    except (URLError, TimeoutError, ConnectionError) as error:
        return re.sub(r"\s+", " ", str(error))
    return ""


def main() -> int:
    failed = 0
    for address in addresses():
        said = complaint(address) or complaint(address)  # a server may fail once
        failed += bool(said)
        print(f"{said or 'answers'}: {address}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())

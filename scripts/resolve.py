"""Does the course install? Looks for a wheel of every pin, for every supported Python and platform.

python scripts/resolve.py            asks the package index; nothing is installed
python scripts/resolve.py --lowest   prints the lower ends of pyproject's ranges, as constraints
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHONS = [line.split(":: ")[-1] for line in PROJECT["classifiers"] if ":: 3." in line]
PLATFORMS = {
    "Linux": [f"manylinux_2_{n}_x86_64" for n in (28, 27, 26, 24, 17, 12, 5)]
    + ["manylinux2014_x86_64", "linux_x86_64"],
    "macOS arm64": [f"macosx_{n}_0_{a}" for n in (14, 13, 12, 11) for a in ("arm64", "universal2")],
    "Windows": ["win_amd64"],
}


def without_wheel(pins: list[str], python: str, tags: list[str]) -> list[str]:
    """Those of the pins for which the index has no wheel, one after the other as pip finds them."""
    pins, missing = list(pins), []
    while pins:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "pins.txt"
            file.write_text("\n".join(pins), encoding="utf-8")
            command = [sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--quiet"]
            command += ["--disable-pip-version-check", "--only-binary=:all:", "--target", folder]
            command += ["--python-version", python, "-r", str(file)]
            command += [f"--platform={tag}" for tag in tags]
            result = subprocess.run(command, capture_output=True, encoding="utf-8")
        if result.returncode == 0:
            break
        found = re.search(r"No matching distribution found for (\S+)", result.stderr)
        if not found:
            raise SystemExit(result.stderr)
        missing.append(found.group(1))
        pins.remove(found.group(1))
    return missing


def main() -> int:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    failed = False
    for python in PYTHONS:
        for platform, tags in PLATFORMS.items():
            missing = without_wheel(pins, python, tags)
            missing = without_wheel(missing, python, tags)  # an index may fail to answer once
            failed |= bool(missing)
            said = f"no wheel of {', '.join(missing)}" if missing else "every pin has a wheel"
            print(f"Python {python} on {platform}: {said}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

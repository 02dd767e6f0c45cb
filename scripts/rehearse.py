"""Run what the tests do not: `rehearse.py [04 19b ...] [--seeds 0 1 2] [--data coco oxford_pet]`.

Without seeds: lessons at scale full on the CPU, so that no line of that scale is first executed on
somebody's GPU. Trainings end after two steps (where players take turns, after one of each), claims
are skipped, and real data are tiny folders in the true formats (those named by --data, or all;
"none" leaves lessons to their simulated data).
With seeds: lessons at scale small with each of them; which claims do not hold for all?
Cells that raise are listed, and the lesson goes on. Nothing beyond this machine is asked.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.data.tiny import (  # noqa: E402
    square_and_others,
    write_afhq,
    write_camvid,
    write_celeba,
    write_cifar,
    write_coco,
    write_coco_captions,
    write_coco_keypoints,
    write_div2k,
    write_mnist,
    write_omniglot,
    write_pets,
    write_set5,
    write_stl10,
    write_svhn,
    write_ucf101,
    write_vimeo,
    write_voc,
)
from tests.lessons.notebooks import LESSONS, number_of  # noqa: E402

RECORDS = ROOT / "build" / "rehearsal"
TRAIN, TEST = range(1, 17), range(17, 21)  # pictures of each tiny data set


def coco(folder: Path) -> None:
    for split, numbers in (("train2017", TRAIN), ("val2017", TEST)):
        annotations = [each for number in numbers for each in square_and_others(number)]
        write_coco(folder, split, numbers, annotations)
        write_coco_captions(folder, split, numbers)
        write_coco_keypoints(folder, split, numbers)


def pascal_voc(folder: Path) -> None:
    for split, numbers in (("train", TRAIN), ("val", TEST)):
        names = [f"2007_{number:06}" for number in numbers]
        write_voc(folder / "VOCdevkit" / "VOC2012", split, names)


def oxford_pet(folder: Path) -> None:
    for split, numbers in (("trainval", TRAIN), ("test", TEST)):
        cats = [f"Abyssinian_{number} 1 1 1" for number in numbers[::2]]
        dogs = [f"great_pyrenees_{number} 3 2 2" for number in numbers[1::2]]
        write_pets(folder, split, cats + dogs)


def cifar10(folder: Path) -> None:
    (folder / "cifar-10-batches-bin").mkdir(parents=True)
    write_cifar(folder / "cifar-10-batches-bin", count=30)


def mnist(folder: Path) -> None:
    write_mnist(folder, train=400, test=40)


DATA: dict[str, Callable[[Path], None]] = {
    "coco": coco, "pascal_voc": pascal_voc, "oxford_pet": oxford_pet, "cifar10": cifar10,
    "mnist": mnist, "svhn": write_svhn, "stl10": partial(write_stl10, count=100),
    "omniglot": partial(write_omniglot, letters=10),
    "ucf101": write_ucf101, "camvid": write_camvid, "afhq": write_afhq, "vimeo": write_vimeo,
    "div2k": partial(write_div2k, low=(40, 30)), "set5": partial(write_set5, low=(16, 12)),
    "celeba": write_celeba,
}  # fmt: skip


def execute(path: Path, records: Path, **environment: str) -> tuple[dict, list[str]]:
    """Run a lesson to its end; its record, and what its cells raised."""
    paths = [str(ROOT), str(ROOT / "tests" / "offline"), os.environ.get("PYTHONPATH", "")]
    settings = {
        **os.environ,
        **environment,
        "CVCOURSE_RECORDS": str(records),
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
    }
    record = records / f"{number_of(path.stem)}.json"
    record.unlink(missing_ok=True)
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": path.parent}}
    NotebookClient(notebook, timeout=None, allow_errors=True, resources=resources).execute(
        env=settings
    )
    raised = [
        f"{cell.id}: {output.ename}: {output.evalue}\n{where(output)}"
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {"claims": []}
    return known, raised


def where(error) -> str:
    """The lines that IPython points at in a traceback, innermost last."""
    plain = [line for part in error.traceback for line in strip_colours(part).splitlines()]
    return "\n".join(f"    {line.strip()}" for line in plain if line.startswith(("--", "File ")))


def strip_colours(text: str) -> str:
    from nbconvert.filters import strip_ansi

    return strip_ansi(text)


def rehearse_lines(paths: list[Path], names: list[str]) -> int:
    """Each lesson at scale full; how many did not come through."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            DATA[name](Path(folder) / name)
        for path in paths:
            started = time.time()
            record, raised = execute(
                path,
                RECORDS / "full",
                CVCOURSE_DEVICE="cpu",
                CVCOURSE_SCALE="full",
                CVCOURSE_REHEARSE="lines",
                CVCOURSE_DATA=folder,
            )
            failed += bool(raised)
            said = f"{len(raised)} cells raised" if raised else "every line ran"
            claims = f"{len(record['claims'])} claims skipped"
            print(f"{path.stem}: {said}, {claims}, {time.time() - started:.0f} s", flush=True)
            print(*(f"  {error}" for error in raised), sep="\n", end="\n" if raised else "")
    return failed


def rehearse_claims(paths: list[Path], seeds: list[int]) -> int:
    """Each lesson at scale small with each seed; how many have claims that depend on it."""
    failed = 0
    for path in paths:
        claims, errors = {}, {}
        for seed in seeds:
            record, errors[seed] = execute(
                path,
                RECORDS / f"seed-{seed}",
                CVCOURSE_DEVICE="cpu",
                CVCOURSE_SCALE="small",
                CVCOURSE_REHEARSE="claims",
                CVCOURSE_SEED=str(seed),
            )
            claims[seed] = record["claims"]
        doubtful = compared(claims)
        said = f"{len(doubtful)} claims do not hold for all of seeds {seeds}" if doubtful else ""
        raised = [f"seed {seed}, {error}" for seed in seeds for error in errors[seed]]
        failed += bool(doubtful or raised)
        print(f"{path.stem}: {said or f'all claims hold for seeds {seeds}'}", flush=True)
        print(*(f"  {line}" for line in [*doubtful, *raised]), sep="\n")
    return failed


def compared(claims: dict[int, list[dict]]) -> list[str]:
    """Of the claims of several seeds, matched by their order, those that do not hold for all."""
    told = []
    if len({len(of_seed) for of_seed in claims.values()}) > 1:
        counts = ", ".join(f"{len(of_seed)} with {seed}" for seed, of_seed in claims.items())
        told.append(f"not as many claims with each seed: {counts}")
    for same in zip(*claims.values(), strict=False):
        of_seeds = dict(zip(claims, same, strict=True))
        if all(claim["holds"] or "skipped" in claim for claim in same):
            continue
        verdicts = [f"{seed}: {verdict(claim)}" for seed, claim in of_seeds.items()]
        told.append(f"{same[0]['sentence']}\n    " + "\n    ".join(verdicts))
    return told


def verdict(claim: dict) -> str:
    if "skipped" in claim:
        return f"skipped, {claim['skipped']}"
    numbers = {key: x for key, x in claim.items() if key not in ("sentence", "holds")}
    shown = ", ".join(f"{key} {float(number):.4g}" for key, number in numbers.items())
    return f"{'holds' if claim['holds'] else 'does not hold'} ({shown})"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("lessons", nargs="*", metavar="NN")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--data", nargs="+", choices=[*DATA, "none"], default=list(DATA))
    given = parser.parse_args(arguments)
    by_number = {number_of(path.stem): path for path in LESSONS}
    if unknown := set(given.lessons) - by_number.keys():
        parser.error(f"there is no lesson {', '.join(sorted(unknown))}")
    paths = [by_number[number] for number in given.lessons] or LESSONS
    if given.seeds:
        return rehearse_claims(paths, given.seeds)
    return rehearse_lines(paths, [name for name in given.data if name != "none"])


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))

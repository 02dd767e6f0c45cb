"""Without an extra of the course, what needs it says which to install."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from PIL import Image
from torch import nn

from cvcourse.classroom import annotate, explore, fit
from cvcourse.classroom.figures.pieces import paint_pieces
from cvcourse.classroom.training import checkpoint as checkpoints
from cvcourse.data import real
from cvcourse.data.augmentations import augmentation
from cvcourse.data.cells import cell_pictures
from cvcourse.data.download import fetch
from cvcourse.data.polygons import level_outlines, simplify_polygon
from cvcourse.data.real import read_flow, read_video
from cvcourse.data.scenes.cutouts import _outline

ROOT = Path(__file__).parents[1]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]

IMPORTS = """
import importlib, sys
missing, modules = sys.argv[1], sys.argv[2:]
for name in [missing, *(n for n in sys.modules if n.startswith(missing + "."))]:
    sys.modules[name] = None  # as if it were not installed
for module in modules:
    try:
        importlib.import_module(module)
        print(module, "is there")
    except ImportError as error:
        print(type(error).__name__, error.name, error, sep="|")
"""


@pytest.mark.parametrize(
    ("missing", "told"),
    [
        (
            "PIL",
            {
                "cvcourse.data.real": ("cvcourse.data.real", "data"),
                "cvcourse.data.pictures": ("cvcourse.data.pictures", "data"),
                "cvcourse.data.scenes": ("cvcourse.data.scenes", "data"),
                "cvcourse.classroom": ("cvcourse.classroom", "lessons"),
                "cvcourse.models": None,
                "cvcourse.data.polygons": None,
            },
        ),
        (
            "matplotlib",
            {
                "cvcourse.classroom": ("cvcourse.classroom", "lessons"),
                "cvcourse.classroom.training.fit": ("cvcourse.classroom", "lessons"),
                "cvcourse.data.real": None,
            },
        ),
    ],
)
def test_imports_without_a_package(missing, told):
    command = [sys.executable, "-c", IMPORTS, missing, *told]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, encoding="utf-8")
    lines = done.stdout.splitlines()
    assert len(lines) == len(told), done.stderr
    for line, (module, expected) in zip(lines, told.items(), strict=True):
        if expected is None:
            assert line == f"{module} is there"
            continue
        what, extra = expected
        kind, name, message = line.split("|")
        assert (kind, name.partition(".")[0]) == ("ModuleNotFoundError", missing)
        assert message == (
            f"{what} needs {missing}, which is not installed: pip install 'cvcourse[{extra}]'"
        )


ALONE = """
import sys
for name in ("matplotlib", "IPython", "ipywidgets", "anywidget", "accelerate", "safetensors",
             "skimage", "sklearn", "scipy", "traitlets", "jupyterlab"):
    sys.modules[name] = None
import json, pathlib, torch
from PIL import Image
from cvcourse.data import download, real
folder = pathlib.Path(sys.argv[1])
Image.new("I;16", (6, 4), 12850).save(folder / "a.png")
entry = {"id": 1, "file_name": "a.png", "height": 4, "width": 6}
drawn = {"image_id": 1, "category_id": 3, "bbox": [1, 1, 3, 2], "id": 1,
         "segmentation": [[1, 1, 4, 1, 4, 3, 1, 3]]}
content = {"images": [entry], "categories": [{"id": 3, "name": "c"}], "annotations": [drawn]}
(folder / "a.json").write_text(json.dumps(content), encoding="utf-8")
image, target = real.Coco(folder, folder / "a.json")[0]
real.write_coco_results(folder / "r.json", [target | {"scores": torch.ones(1)}], [1])
print(f"{float(image.max()):.4f}", int(target["masks"].sum()))
"""


def test_real_data_is_read_with_the_small_extra_alone(tmp_path):
    command = [sys.executable, "-c", ALONE, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, encoding="utf-8")
    assert done.stdout == f"{12850 / 65535:.4f} 6\n", done.stderr


def _train():
    fit(nn.Linear(2, 1), [torch.ones(1, 2)], lambda m, x: m(x).sum(), steps=1)


def _png(folder):
    Image.new("RGB", (2, 2)).save(folder / "a.png")
    return folder / "a.png"


CALLS = {
    ("accelerate", "fit", "lessons"): lambda _: _train(),
    ("tqdm", "fit", "lessons"): lambda _: _train(),
    ("safetensors", "cvcourse.classroom", "lessons"): (
        lambda path: checkpoints.save_best(nn.Linear(2, 1), path, 1)
    ),
    ("pooch", "fetch", "data"): lambda path: fetch("http://127.0.0.1:9/a", "0" * 64, path),
    ("requests", "fetch", "data"): lambda path: fetch("http://127.0.0.1:9/a", "0" * 64, path),
    ("av", "read_video", "video"): lambda path: read_video(path / "a.mp4"),
    ("av", "read_flow", "video"): lambda path: read_flow(_png(path)),
    ("skimage", "level_outlines", "lessons"): lambda _: level_outlines(np.eye(4)),
    ("skimage", "simplify_polygon", "lessons"): lambda _: simplify_polygon(np.eye(4)[:, :2], 1),
    ("skimage", "paint_pieces", "lessons"): (
        lambda _: paint_pieces(torch.eye(8), torch.eye(8).long())
    ),
    ("scipy", "cvcourse.data.cells", "lessons"): lambda _: cell_pictures(1, size=64),
    ("scipy", "real.Svhn", "lessons"): lambda path: real.Svhn(path),
    ("scipy", "cvcourse.data.scenes", "lessons"): lambda _: _outline(np.eye(4, dtype=bool)),
    ("anywidget", "annotate", "lessons"): (
        lambda path: annotate([torch.zeros(3, 8, 8)], ("background", "cat"), path=path).widget
    ),
    ("kornia", "augmentation", "lessons"): lambda _: augmentation("crop", 32),
    ("ipywidgets", "explore", "lessons"): lambda _: explore(lambda x: None, x=(0, 1)),
}


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_calls_without_a_package(monkeypatch, tmp_path, call):
    missing, what, extra = call
    for name in [missing, *(n for n in sys.modules if n.startswith(f"{missing}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "cvcourse.classroom.widgets._polygon_canvas", raising=False)
    message = f"{what} needs {missing}, which is not installed: pip install 'cvcourse[{extra}]'"
    with pytest.raises(ImportError, match=re.escape(message)):
        CALLS[call](tmp_path)


def needed(names, seen=frozenset()):
    """Everything that is installed with these packages, by their own metadata."""
    for name in set(names) - seen:
        seen |= {name}
        for line in importlib.metadata.requires(name) or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                seen |= needed([requirement.name.lower().replace("_", "-")], seen)
    return seen


def test_the_extra_for_data_is_small():
    names = {Requirement(line).name for line in EXTRAS["data"]}
    assert names == {"pillow", "pooch", "requests", "tqdm"}
    installed = needed(names)
    assert len(installed) < 15
    large = re.compile("jupyter|ipython|matplotlib|notebook|torchvision")
    assert not [name for name in installed if large.search(name)]


def test_the_extra_for_lessons_holds_that_for_data():
    assert set(EXTRAS["data"]) <= set(EXTRAS["lessons"])

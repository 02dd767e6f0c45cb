"""Published weights: fetched once, verified, and read into a model without running their code."""

import argparse
import errno
import hashlib
import os
import re
import shutil
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path, PurePosixPath
from typing import TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

import torch
from torch import Tensor, nn

from cvcourse.models.backbones.frozen_batch_norm import FrozenBatchNorm2d

_HOST = "https://download.pytorch.org/models/"
TORCHVISION_WEIGHTS = {
    "resnet18": _HOST + "resnet18-f37072fd.pth",
    "resnet50": _HOST + "resnet50-0676ba61.pth",
    "vgg16": _HOST + "vgg16-397923af.pth",
    "vgg19": _HOST + "vgg19-dcbb9e9d.pth",
    "fcn_resnet50": _HOST + "fcn_resnet50_coco-1167a1af.pth",
    "mobilenet_v2": _HOST + "mobilenet_v2-b0353104.pth",
    "efficientnet_b0": _HOST + "efficientnet_b0_rwightman-7f5810bc.pth",
    "regnet_x_400mf": _HOST + "regnet_x_400mf-adf1edd5.pth",
    "regnet_x_800mf": _HOST + "regnet_x_800mf-ad17e45c.pth",
    "regnet_x_1_6gf": _HOST + "regnet_x_1_6gf-e3633e7f.pth",
    "regnet_x_3_2gf": _HOST + "regnet_x_3_2gf-f342aeae.pth",
    "regnet_x_8gf": _HOST + "regnet_x_8gf-03ceed89.pth",
    "regnet_x_16gf": _HOST + "regnet_x_16gf-2007eb11.pth",
    "regnet_x_32gf": _HOST + "regnet_x_32gf-9d47f8d0.pth",
    "regnet_y_400mf": _HOST + "regnet_y_400mf-c65dace8.pth",
    "regnet_y_800mf": _HOST + "regnet_y_800mf-1b27b58c.pth",
    "regnet_y_1_6gf": _HOST + "regnet_y_1_6gf-b11a554e.pth",
    "regnet_y_3_2gf": _HOST + "regnet_y_3_2gf-b5a9779c.pth",
    "regnet_y_8gf": _HOST + "regnet_y_8gf-d0d0e4a8.pth",
    "regnet_y_16gf": _HOST + "regnet_y_16gf-9e6ed7dd.pth",
    "regnet_y_32gf": _HOST + "regnet_y_32gf-4dee3f7a.pth",
    "fasterrcnn_resnet50_fpn": _HOST + "fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
    "maskrcnn_resnet50_fpn": _HOST + "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
    "retinanet_resnet50_fpn": _HOST + "retinanet_resnet50_fpn_coco-eeacb38b.pth",
    "fcos_resnet50_fpn": _HOST + "fcos_resnet50_fpn_coco-99b0c9b7.pth",
}
# trained when torchvision's FrozenBatchNorm2d had no eps: their networks need eps=0 to this day
_TRAINED_WITHOUT_EPS = re.compile(
    r"(fasterrcnn|maskrcnn|keypointrcnn|retinanet)_resnet50_fpn_coco-"
)
# with a letter: digits alone are a date or a number of steps
_HASH_IN_NAME = re.compile(r"-((?=\d*[a-f])[0-9a-f]{8,64})\.[^.]+$")
_COMPILED = "_orig_mod."  # within the names of compiled parts
_CHUNK = 1 << 20
Model = TypeVar("Model", bound=nn.Module)


def load_pretrained(
    model: Model,
    source: str | os.PathLike,
    *,
    names: Mapping[str, str | None] | None = None,
    drop: Sequence[str] = (),
    part: str | None = None,
    frozen_bn_eps: float | None = None,
    cache_dir: str | os.PathLike | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Model:
    """Read a checkpoint, a file or an http(s) address, into `model`, and return the model.

    Args:
        model: one of this package, or any module with the checkpoint's names. To start a detector
            from a classifier: `load_pretrained(detector.backbone.body, url, drop=["fc"])`.
        source: path or address, for instance a value of `TORCHVISION_WEIGHTS`. A hash in the name
            (`resnet50-0676ba61.pth`: the first digits of its SHA-256) is verified; digits without a
            letter are taken for a date.
        names: of layers or tensors in the file, each with the model's name for it (what is below a
            layer follows; the longest name counts), or None for what the model does without. Names
            that are not here are the same in both. Models whose authors publish weights in PyTorch
            have a `PUBLISHED_NAMES` in their file.
        drop: names of layers to leave out; in the model they keep their present values. For another
            number of classes: `drop=["roi_heads.box_predictor"]`.
        part: where in the file the weights are, such as "model" or "model_ema". By default found by
            the model's names; of several alike an average ("ema") is taken.
        frozen_bn_eps: set as `eps` of each `FrozenBatchNorm2d`. By default 0 for torchvision's
            published Faster, Mask and Keypoint R-CNN and RetinaNet, known by the file's name, which
            were trained so; unchanged for other files.
        cache_dir: where downloads are kept; else `$CVCOURSE_CACHE`, else torch hub's folder.
        progress: called with (bytes so far, bytes in all or None) while downloading.

    **Conventions**: every name and shape must fit; the older names that torchvision understands do.
    What training scripts put around the weights is taken off, and a warning says so: dictionaries
    (`{"model": ..., "optimizer": ...}`), and a prefix that all names share and the model lacks
    (`module.` of parallel, `_orig_mod.` of compiled models). Files are read with
    `weights_only=True`: one that holds other objects than tensors, numbers, text and options
    (`argparse.Namespace`) is refused. On any error the model is as it was.

    Raises: `ValueError` for a file that is damaged, hostile, or does not fit; `ConnectionError` if
    the download fails or stops (the next call goes on from there); `OSError` for a full disk.
    """
    path = Path(source).expanduser()
    if "://" in str(source):
        path = download(str(source), cache_dir=cache_dir, progress=progress)
    elif not path.is_file():
        raise FileNotFoundError(f"source: no file {path}")
    elif not _hash_fits(path, path.name):
        raise ValueError(f"source: {path} is damaged, its SHA-256 is not the one in its name")
    names = names or {}
    backwards = {ours: theirs for theirs, ours in names.items() if ours is not None}
    own = {_renamed(name, backwards): value for name, value in model.state_dict().items()}
    where, found = _find(_read(path), own, part, path)
    removed, plain = _plain_names(found, own)
    if where or removed:
        without = f", without {removed} in its names" if removed else ""
        warnings.warn(f"{path.name}: read from {where or 'the whole'}{without}", stacklevel=2)
    ours = {name: _renamed(name, names) for name in plain}
    state = OrderedDict(
        (ours[name], found[full]) for name, full in plain.items() if ours[name] is not None
    )
    state._metadata = {} if removed else getattr(found, "_metadata", {})
    _fill(model, state, drop, path)
    if frozen_bn_eps is None and _TRAINED_WITHOUT_EPS.match(path.name):
        frozen_bn_eps = 0.0
    if frozen_bn_eps is not None:
        for layer in model.modules():
            if isinstance(layer, FrozenBatchNorm2d):
                layer.eps = frozen_bn_eps
    return model


def download(
    url: str,
    *,
    cache_dir: str | os.PathLike | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    timeout: float = 30.0,
) -> Path:
    """Fetch a file into the cache, or find it there, and return its path.

    Written as `NAME.part`, verified, then renamed: a file under its own name is whole. Where the
    name has a hash to verify the result by, an interrupted download goes on where it stopped. Of
    several processes, let one download before the others.
    """
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if urlsplit(url).scheme not in ("http", "https") or not re.fullmatch(r"\w[\w.+-]*", name):
        raise ValueError(f"url: expected the http(s) address of a file, got {url}")
    folder = Path(cache_dir or os.environ.get("CVCOURSE_CACHE") or _hub_folder()).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    path, part = folder / name, folder / f"{name}.part"
    if path.is_file() and _hash_fits(path, name):
        return path
    if _HASH_IN_NAME.search(name) is None:  # nothing would tell whether two halves fit
        part.unlink(missing_ok=True)
    resumed = part.exists()
    _fetch(url, part, progress, timeout)
    if resumed and not _hash_fits(part, name):  # the beginning may have been of another file
        part.unlink()
        _fetch(url, part, progress, timeout)
    if not _hash_fits(part, name):
        part.unlink()
        raise ValueError(f"url: {url} is damaged, its SHA-256 is not the one in its name")
    os.replace(part, path)
    return path


def _hub_folder() -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints"


def _hash_fits(path: Path, name: str) -> bool:
    expected = _HASH_IN_NAME.search(name)
    if expected is None:
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(expected[1])


def _fetch(url: str, part: Path, progress, timeout: float) -> None:
    """Append to `part` what is missing of the file."""
    start = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        with urlopen(request, timeout=timeout) as response:
            if response.status != 206:  # the server sends everything, again
                start = 0
            length = response.headers.get("Content-Length")
            total = None if length is None else start + int(length)
            _check_space(part, 0 if length is None else int(length))
            done = _append(response, part, start, total, progress)
    except HTTPError as error:
        if error.code == 416 and start:  # nothing after the last byte: all is here, or too much
            return
        raise ConnectionError(f"{url}: the server answers {error.code} {error.reason}") from error
    except (URLError, TimeoutError, ConnectionError, HTTPException) as error:
        raise ConnectionError(
            f"{url} cannot be reached ({getattr(error, 'reason', error)}). Call again to go on, or "
            f"put the file into {part.parent} by hand"
        ) from error
    if total is not None and done != total:
        raise ConnectionError(
            f"{url}: the connection ended after {done} of {total} bytes. Call again to go on"
        )


def _append(response, part: Path, start: int, total: int | None, progress) -> int:
    done = start
    try:
        with part.open("ab" if start else "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                done += len(chunk)
                if progress is not None:
                    progress(done, total)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            part.unlink(missing_ok=True)
        raise
    return done


def _check_space(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"{needed / 1e6:.0f} MB to download, {free / 1e6:.0f} MB free in {part.parent}",
        )


def _read(path: Path):
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # a training script's options
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is no checkpoint
        raise ValueError(
            f"source: {path} is not a checkpoint of tensors alone, and nothing in it was run "
            f"({type(error).__name__})"
        ) from error


def _renamed(name: str, names: Mapping[str, str | None]) -> str | None:
    """`name` with the longest of its beginnings, up to a dot, that is in `names` exchanged."""
    begin, rest = name, ""
    while begin:
        if begin in names:
            return None if names[begin] is None else names[begin] + rest
        begin, _, last = begin.rpartition(".")
        rest = f".{last}{rest}"
    return name


def _find(content, own: dict[str, Tensor], part: str | None, path: Path) -> tuple[str, dict]:
    """Where in a checkpoint the weights are ("" for all of it), and they themselves."""
    found, waiting = {}, [("", content)]
    for where, inside in waiting:
        if not isinstance(inside, dict) or not inside:
            continue
        if all(isinstance(k, str) and isinstance(v, Tensor) for k, v in inside.items()):
            found[where] = inside
        else:
            waiting += [(f"{where}.{key}".lstrip("."), value) for key, value in inside.items()]
    if part is not None:
        if part not in found:
            raise ValueError(f"part: {path.name} has {', '.join(found) or 'none'}, not {part!r}")
        return part, found[part]
    if not found:
        raise ValueError(f"source: {path} does not map names to tensors")
    fits = {where: len(_plain_names(f, own)[1].keys() & own) for where, f in found.items()}
    best = [where for where, fit in fits.items() if fit == max(fits.values())]
    averages = [where for where in best if "ema" in where.lower()]
    if max(fits.values()) and len(averages or best) > 1:
        raise ValueError(f"source: {path.name} has several: choose one as part={' or '.join(best)}")
    where = (averages or best)[0]
    return where, found[where]


def _plain_names(names: Iterable[str], own: Iterable[str]) -> tuple[str, dict[str, str]]:
    """What training put into all names and the model lacks; names without it, with what they were.

    Names of compiled parts have `_orig_mod.` somewhere, those of parallel ones `module.` in front.
    """
    counted = "n_averaged"  # by PyTorch's averaged models, beside their `module.`
    short = {name: name for name in names if name != counted or name in own}
    removed = []
    if not any(_COMPILED in name for name in own) and any(_COMPILED in name for name in short):
        short = {name.replace(_COMPILED, ""): name for name in short}
        removed.append(_COMPILED)
    while short:
        first = next(iter(short)).partition(".")[0] + "."
        if not all(name.startswith(first) for name in short):
            break
        if any(name.startswith(first) for name in own):
            break
        short = {name.removeprefix(first): full for name, full in short.items()}
        removed.append(first)
    return " and ".join(removed), short if removed else {name: name for name in names}


def _fill(model: nn.Module, state: dict[str, Tensor], drop: Sequence[str], path: Path) -> None:
    def dropped(name: str) -> bool:
        return any(name == layer or name.startswith(f"{layer}.") for layer in drop)

    own = model.state_dict()
    for layer in drop:
        if not any(f"{name}.".startswith(f"{layer}.") for name in [*state, *own]):
            raise ValueError(f"drop: no layer {layer!r} in {path.name} or the model")
    kept = OrderedDict((name, value) for name, value in state.items() if not dropped(name))
    kept._metadata = getattr(state, "_metadata", {})
    before = OrderedDict((name, value.clone()) for name, value in own.items())
    problems = []
    try:
        result = model.load_state_dict(kept, strict=False)
        problems += [f"missing {k}" for k in result.missing_keys if not dropped(k)]
        problems += [f"unexpected {k}" for k in result.unexpected_keys]
    except RuntimeError as error:
        problems += [line.strip() for line in str(error).splitlines()[1:]]
    if problems:
        model.load_state_dict(before)
        shown = "; ".join(problems[:4]) + (f"; {len(problems) - 4} more" if problems[4:] else "")
        raise ValueError(
            f"source: {path.name} does not fit {type(model).__name__}: {shown}. "
            "Layers that shall keep their values, as after a change of classes, go into `drop`"
        )

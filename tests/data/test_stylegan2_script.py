"""The exporter of StyleGAN2's pickles, on a small network in the authors' layout."""

import os
import pickle
import subprocess
import sys

import torch
from torch import nn

from cvcourse.models import StyleGAN2Discriminator, load_pretrained
from cvcourse.models.generative import stylegan2
from tests.lessons.notebooks import ROOT

SCRIPT = ROOT / "data_scripts/stylegan2.py"


class Conv(nn.Module):
    """As theirs: a raw weight, a bias, and the filter as a buffer."""

    def __init__(self, weight, bias):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        if bias is not None:
            self.bias = nn.Parameter(bias.clone())
        self.register_buffer("resample_filter", torch.ones(4, 4))


def theirs(ours: StyleGAN2Discriminator) -> nn.Module:
    """Our weights under their names."""
    root = nn.Module()
    for side, block in ours.blocks.items():
        part = nn.Module()
        for name, layer in block.named_children():
            if not isinstance(layer, nn.Identity):
                part.add_module(name, Conv(layer.weight, layer.bias))
        root.add_module(f"b{side}", part)
    last = nn.Module()
    for name, layer in ours.last.named_children():
        last.add_module(name, Conv(layer.weight, layer.bias))
    for name in ("fc", "out"):
        del last.get_submodule(name).resample_filter
    root.add_module("b4", last)
    return root


def run(*arguments):
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_a_pickle_becomes_a_file_that_loads(tmp_path):
    ours = StyleGAN2Discriminator(16, width=64, most=6)
    path = tmp_path / "small.pkl"
    path.write_bytes(pickle.dumps({"D": theirs(ours), "training_set_kwargs": {}}))
    result = run(path)
    assert result.returncode == 0, result.stderr
    assert "small-D.pt" in result.stdout
    new = StyleGAN2Discriminator(16, width=64, most=6)
    load_pretrained(new, tmp_path / "small-D.pt", names=stylegan2.PUBLISHED_NAMES)
    images = torch.rand(4, 3, 16, 16)
    assert torch.equal(new(images), ours(images))


def test_without_the_authors_classes_or_networks_it_says_so(tmp_path):
    path = tmp_path / "ffhq.pkl"
    path.write_bytes(b"cdnnlib.util\nEasyDict\n.")
    result = run(path)
    assert result.returncode == 1
    assert "put the authors' repository on PYTHONPATH" in result.stderr
    path.write_bytes(pickle.dumps({"metadata": 1}))
    assert "none of G, G_ema, D is in it, but metadata" in run(path).stderr
    assert "NETWORK.pkl" in run(tmp_path / "nothing.pkl").stderr

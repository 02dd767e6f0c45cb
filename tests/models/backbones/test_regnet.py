"""AnyNet and RegNet: pycls' goldens and tables, torchvision's counts, names and outputs."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from cvcourse.methods import complexity
from cvcourse.models import (
    AnyNet,
    RegNet,
    basic_block,
    cifar_stem,
    compatible_widths,
    quantized_widths,
    regnet_x,
    regnet_y,
    resnet_stem,
    simple_stem,
    x_block,
)
from cvcourse.models.backbones import anynet, regnet
from tests import oracle
from tests.models import golden

TABLES = json.loads(
    (oracle.FOLDER / "design_language/regnet_widths.json").read_text(encoding="utf-8")
)
STEMS = {"res_stem_cifar": cifar_stem, "simple_stem_in": simple_stem, "res_stem_in": resnet_stem}
BLOCKS = {"res_bottleneck_block": x_block, "res_basic_block": basic_block}
SMALL = {"depth": 4, "w_0": 8, "w_a": 8.0, "w_m": 2.0, "group_width": 4}
# of torchvision 0.29.1's weights
TORCHVISION = {
    ("x", "400mf"): 5_495_976,
    ("x", "800mf"): 7_259_656,
    ("x", "1_6gf"): 9_190_136,
    ("x", "3_2gf"): 15_296_552,
    ("x", "8gf"): 39_572_648,
    ("x", "16gf"): 54_278_536,
    ("x", "32gf"): 107_811_560,
    ("y", "400mf"): 4_344_144,
    ("y", "800mf"): 6_432_512,
    ("y", "1_6gf"): 11_202_430,
    ("y", "3_2gf"): 19_436_338,
    ("y", "8gf"): 39_381_472,
    ("y", "16gf"): 83_590_140,
    ("y", "32gf"): 145_046_770,
    ("y", "128gf"): 644_812_894,
}
ROWS = TABLES["published"] + TABLES["other"]
BUILDERS = {"x": regnet_x, "y": regnet_y}


@pytest.mark.parametrize("case", ["anynet_x", "anynet_y_head", "anynet_basic"])
def test_anynet_equals_pycls(case, tmp_path):
    meta, want = oracle.design_language_golden(case)
    config = meta["config"]
    net = AnyNet(
        config["num_classes"],
        depths=config["depths"],
        widths=config["widths"],
        group_widths=config["group_ws"],
        bottlenecks=config["bot_muls"],
        strides=config["strides"],
        se_ratio=config["se_r"],
        block=BLOCKS[config["block_type"]],
        stem=STEMS[config["stem_type"]],
        stem_width=config["stem_w"],
        head_width=config["head_w"],
    )
    names = anynet.PUBLISHED_NAMES
    net = golden.load_published(net, meta["state_dict"], meta["gain"], names, tmp_path)
    layers = {"stem": "stem", "s1": "trunk_output.block1", "s2": "trunk_output.block2"}
    outputs = golden.capture(net, layers.values())
    tag, shape = meta["input"]
    x = oracle.formula_tensor(tag, shape, -1, 1).double()
    with torch.no_grad():
        logits = net(x)
    np.testing.assert_allclose(logits, want["logits"], atol=1e-9, rtol=0)
    for theirs, ours in layers.items():
        flat = outputs[ours].flatten()
        np.testing.assert_allclose(flat[:: -(-len(flat) // 120)], want[theirs], atol=1e-9, rtol=0)
    cost = complexity(net.float(), x[:1].float())
    assert cost._asdict() == {k: meta["complexity"][k] for k in ("flops", "params", "acts")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['w0']}+{row['wa']}")
def test_quantised_widths_are_the_published_ones(row):
    depths, widths = quantized_widths(row["d"], row["w0"], row["wa"], row["wm"])
    assert (depths, widths) == (row["depths"], row["widths"])
    if "group_w" in row:
        ones, groups = [1.0] * len(widths), [row["group_w"]] * len(widths)
        found = compatible_widths(widths, ones, groups, rounding="pycls")
        assert found == (row["adjusted_widths"], row["adjusted_group_widths"])


@pytest.mark.parametrize("row", TABLES["adjust"], ids=lambda row: str(row["widths"]))
def test_groups_fit_by_pycls_rule(row):
    widths, bottlenecks, groups = row["result"]
    found = compatible_widths(row["widths"], row["bot_muls"], row["group_ws"], rounding="pycls")
    assert found == (widths, groups)
    assert bottlenecks == row["bot_muls"]


@pytest.mark.parametrize("row", TABLES["published"], ids=lambda row: row["name"])
def test_published_networks_cost_what_pycls_says(row):
    kind, size = row["name"].removeprefix("RegNet").split("-")
    size = size.lower().replace(".0gf", "gf").replace(".", "_")
    with torch.device("meta"):
        net = BUILDERS[kind.lower()](size, rounding="pycls")
        cost = complexity(net, torch.empty(1, 3, 224, 224))
    assert cost._asdict() == row["complexity"]
    assert net.out_channels == row["adjusted_widths"]


@pytest.mark.parametrize(("kind", "size"), TORCHVISION)
def test_torchvisions_counts(kind, size):
    with torch.device("meta"):
        net = BUILDERS[kind](size)
    assert golden.parameter_count(net) == TORCHVISION[kind, size]


def test_defaults_are_400mf_of_torchvision_and_of_pycls():
    with torch.device("meta"):
        assert golden.parameter_count(RegNet()) == TORCHVISION["x", "400mf"]
        assert golden.parameter_count(AnyNet()) == 5_157_512


def test_where_torchvision_and_pycls_part():
    parted = []
    for kind, size in TORCHVISION:
        line = {"x": regnet.X_VARIANTS, "y": regnet.Y_VARIANTS}[kind][size]
        _, widths = quantized_widths(*line[:4])
        stages = widths, [1.0] * 4, [line.group_width] * 4
        ours, theirs = (compatible_widths(*stages, rounding=r)[0] for r in ("torchvision", "pycls"))
        if ours != theirs:
            parted.append((kind, size, ours, theirs))
    assert parted == [
        ("x", "400mf", [32, 64, 160, 400], [32, 64, 160, 384]),
        ("y", "800mf", [64, 144, 320, 784], [64, 128, 320, 768]),
        ("y", "8gf", [224, 448, 896, 2016], [168, 448, 896, 2016]),
    ]


def test_names_and_shapes_are_torchvisions():
    with torch.device("meta"):
        state = regnet_y("800mf").state_dict()
    expected = {
        "stem.0.weight": (32, 3, 3, 3),
        "stem.1.bias": (32,),
        "trunk_output.block1.block1-0.proj.1.weight": (64,),
        "trunk_output.block1.block1-0.f.a.1.weight": (64,),
        "trunk_output.block1.block1-0.f.se.fc1.weight": (8, 64, 1, 1),
        "trunk_output.block1.block1-0.f.se.fc2.bias": (64,),
        "trunk_output.block1.block1-0.f.c.1.running_mean": (64,),
        "trunk_output.block2.block2-0.proj.1.running_mean": (144,),
        "fc.weight": (1000, 784),
    }
    assert {name: tuple(state[name].shape) for name in expected} == expected


@pytest.mark.parametrize(
    ("make", "size", "expected"),
    [
        (
            regnet_x,
            "400mf",
            [
                [3.2306484874129597, 2.8823948975665266, 0.7144478713979583],
                [3.2720726289730346, 2.820405508932015, 0.6269609707736454],
            ],
        ),
        (
            regnet_y,
            "800mf",
            [
                [1.0373650767432372, 0.8853592412052795, -0.12556124476677027],
                [0.9253412212363954, 0.9401926439215333, -0.1529895998619837],
            ],
        ),
    ],
)
def test_equals_torchvision(make, size, expected):
    """Three logits of torchvision 0.29.1 for the formula weights, gain 1."""
    model = oracle.fill_(make(size), 1.0).double().eval()
    with torch.no_grad():
        logits = model(oracle.formula_batch((2, 3, 64, 80)).double())
    torch.testing.assert_close(logits[:, :3], logits.new_tensor(expected), rtol=1e-10, atol=0)


def test_anynet_moves_widths_to_where_groups_divide_them():
    net = AnyNet(3, depths=(1, 1), widths=(30, 100), group_widths=(16, 64), bottlenecks=(1.0, 0.5))
    assert net.out_channels == [32, 100]  # 30 to twice 16; 50 channels inside are one group
    assert net.trunk_output.block2[0].f.b[0].groups == 1


def test_one_step_of_training_lowers_the_loss():
    model, x, target = RegNet(5, **SMALL), torch.rand(8, 3, 32, 32), torch.arange(8) % 5
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    losses = []
    for _ in range(2):
        loss = nn.functional.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@pytest.mark.as_user
def test_exports_and_compiles():
    small = {**SMALL, "depth": 2}
    model, x = RegNet(5, **small, se_ratio=0.25).eval(), torch.rand(2, 3, 33, 47)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AnyNet(3, depths=(1,)), r"widths: expected one for each of 1 stages, got \[32"),
        (
            lambda: AnyNet(3, depths=(), widths=(), group_widths=()),
            r"depths: expected one for each of 0 stages, got \[\]",
        ),
        (
            lambda: AnyNet(3, depths=(0,), widths=(8,), group_widths=(4,)),
            r"depths: expected numbers above 0, got \[0\]",
        ),
        (
            lambda: RegNet(5, **SMALL)(torch.rand(2, 4, 33, 47)),
            r"x must have shape \(B, 3, H, W\), got \(2, 4, 33, 47\)",
        ),
        (partial(quantized_widths, 0, 8, 8.0, 2.0), "depth: expected at least 1, got 0"),
        (partial(quantized_widths, 4, 9, 8.0, 2.0), "w_0: expected a positive multiple of 8"),
        (partial(quantized_widths, 4, 8, -1.0, 2.0), "w_a: expected a slope of 0 or more"),
        (partial(quantized_widths, 4, 8, 1.0, 1.0), "w_m: expected a factor above 1, got 1.0"),
        (
            partial(compatible_widths, [8], [1.0], [8, 8]),
            "widths, bottlenecks and group_widths must be as many, got 1, 1 and 2",
        ),
        (lambda: regnet_x("300mf"), "size must be one of 200mf, .*, got '300mf'"),
        (lambda: RegNet(3, rounding="up"), "rounding must be 'torchvision' or 'pycls', got 'up'"),
    ],
)
def test_bad_input(make, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        make()

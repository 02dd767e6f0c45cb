"""ViLBERT and 12-in-1: the authors' numbers through their own names, counts, masks, order."""

import numpy as np
import pytest
import torch

from cvcourse.models import Stream, TwelveInOne, ViLBERT, ViLBERTPretraining
from cvcourse.models.language import twelve_in_one, vilbert
from cvcourse.models.language.vilbert import CoAttentionLayer
from cvcourse.models.pretrained import load_pretrained
from tests import oracle
from tests.models import golden

TEXT, VISION = Stream(12, 3, 3, 20), Stream(16, 2, 2, 18)


def small(tasks: int = 0, **options) -> ViLBERT:
    sizes = {"vocabulary": 30, "positions": 12, "region_features": 7, "co_width": 16, "co_heads": 4}
    places = {"text_at": (1, 2), "vision_at": (0, 1)}
    return ViLBERT(text=TEXT, vision=VISION, tasks=tasks, **{**sizes, **places, **options})


def lively(tasks: int = 0) -> ViLBERT:
    """With weights large enough for what one stream sees to change the other."""
    return oracle.fill_(small(tasks), 1.0).eval()


def inputs() -> tuple[torch.Tensor, ...]:
    tokens = torch.randint(1, 30, (2, 5))
    return tokens, torch.randn(2, 4, 7), torch.rand(2, 4, 5)


def test_coattention_equals_the_authors(tmp_path):
    meta, want = oracle.design_language_golden("vilbert_coattention")
    layer = CoAttentionLayer(TEXT, VISION, 16, 4, 0.0).double()
    weights = {
        name: oracle.formula_value(f"C.{name}", shape, meta["gain"]).double()
        for name, shape in meta["state_dict"]
    }
    torch.save(weights, tmp_path / "layer.pth")
    load_pretrained(layer, tmp_path / "layer.pth", names=vilbert.CO_ATTENTION_NAMES)
    v = oracle.formula_tensor("vilbert_coattention/v", (2, 5, 16), -1, 1).double()
    t = oracle.formula_tensor("vilbert_coattention/t", (2, 4, 12), -1, 1).double()
    masks = [
        (1 - torch.tensor(meta["masks"][name]).double())[:, None, None] * -1e4
        for name in ("visual", "text")
    ]
    with torch.no_grad():
        for_text, for_vision = layer.attend(v, t, *masks)
        vision, text = layer(v, t, *masks)
    found = {"ctx_text": for_text, "ctx_visual": for_vision, "visual": vision, "text": text}
    for name, value in found.items():
        np.testing.assert_allclose(value, want[name], atol=1e-9, rtol=0, err_msg=name)


def test_all_heads_equal_the_authors(tmp_path):
    meta, want = oracle.design_language_golden("vilbert_tasks")
    net = TwelveInOne(region_classes=9, trunk=small(20)).double()
    weights = {
        name: oracle.formula_value(f"V.{name}", shape, meta["gain"]).double()
        for name, shape in meta["state_dict"]
    }
    torch.save({f"module.{name}": value for name, value in weights.items()}, tmp_path / "model.bin")
    names = twelve_in_one.PUBLISHED_NAMES
    with pytest.warns(UserWarning, match=r"without module\."):
        load_pretrained(net, tmp_path / "model.bin", names=names)
    net.eval()
    given = meta["input"]
    regions = oracle.formula_tensor("vilbert_tasks/feat", (2, 5, 7), -1, 1).double()
    boxes = oracle.formula_tensor("vilbert_tasks/loc", (2, 5, 5), 0, 1).double()
    with torch.no_grad():
        found = net(
            torch.tensor(given["ids"]),
            regions,
            boxes,
            torch.tensor(given["task_ids"])[:, 0],
            torch.tensor(given["mask"]).bool(),
            torch.tensor(given["image_mask"]).bool(),
        )
    named = {
        "vqa": found.vqa,
        "gqa": found.gqa,
        "logit": found.fit,
        "binary": found.pair,
        "tri": found.entailment,
        "vision_prediction": found.pretraining.regions,
        "vision_logit": found.regions,
        "linguistic_prediction": found.pretraining.words,
        "linguistic_logit": found.tokens,
    }
    for name, value in named.items():
        flat = value.flatten()
        sample = flat[:: -(-len(flat) // 300)]
        np.testing.assert_allclose(sample, want[name], atol=1e-9, rtol=1e-12, err_msg=name)
    assert golden.parameter_count(net) == meta["parameters"]


def test_counts_of_the_papers():
    with torch.device("meta"):
        pretraining, twelve = ViLBERTPretraining(), TwelveInOne()
    assert golden.parameter_count(pretraining.trunk) == 246_726_656
    assert golden.parameter_count(pretraining) == 250_044_029
    assert golden.parameter_count(twelve) == 268_028_859
    unused = [p for n, p in twelve.named_parameters() if "unused" in n]
    assert sum(p.numel() for p in unused) == 11_020_800


def test_the_unused_layers_get_no_gradient_and_all_others_do():
    net = ViLBERTPretraining(9, trunk=small())
    sum(x.square().sum() for x in net(*inputs())).backward()
    without = {name for name, p in net.named_parameters() if p.grad is None}
    assert without == {
        f"trunk.co_layers.{i}.{s}_unused.{w}"
        for i in range(2) for s in ("text", "vision") for w in ("weight", "bias")
    }  # fmt: skip


@pytest.mark.parametrize("tasks", [0, 3])
def test_what_is_masked_does_not_matter(tasks):
    net = lively(tasks)
    tokens, regions, boxes = inputs()
    which = {"tasks": torch.tensor([0, 2])} if tasks else {}
    masks = torch.arange(5) < torch.tensor([[5], [3]]), torch.arange(4) < torch.tensor([[2], [4]])
    first = net(tokens, regions, boxes, *masks, **which)
    tokens[1, 3:], regions[0, 2:], boxes[0, 2:] = 7, 9.0, 0.5
    second = net(tokens, regions, boxes, *masks, **which)
    torch.testing.assert_close(second.pooled_text, first.pooled_text)
    torch.testing.assert_close(second.pooled_vision, first.pooled_vision)
    third = net(tokens, regions, boxes, **which)
    assert not torch.allclose(third.pooled_text, first.pooled_text, atol=1e-3)


def test_order_of_regions_does_not_matter_and_of_words_does():
    net = lively()
    tokens, regions, boxes = inputs()
    order = torch.tensor([0, 3, 1, 2])
    first, second = net(tokens, regions, boxes), net(tokens, regions[:, order], boxes[:, order])
    torch.testing.assert_close(second.pooled_text, first.pooled_text)
    torch.testing.assert_close(second.vision, first.vision[:, order])
    turned = net(tokens.flip(1), regions, boxes)
    assert not torch.allclose(turned.pooled_vision, first.pooled_vision, atol=1e-3)


def test_before_the_first_coattention_the_text_is_alone():
    """With the co-attention's projections at zero, neither stream knows of the other."""
    net = lively()
    for layer in net.co_layers:
        for part in (layer.text_project, layer.vision_project):
            torch.nn.init.zeros_(part.weight)
    tokens, regions, boxes = inputs()
    first, second = net(tokens, regions, boxes), net(tokens, regions + 1, boxes)
    torch.testing.assert_close(second.text, first.text)
    assert not torch.allclose(second.vision, first.vision, atol=1e-3)


def test_task_token_stands_after_the_first():
    net = small(3).eval()
    tokens, regions, boxes = inputs()
    out = net(tokens, regions, boxes, tasks=torch.tensor([1, 1]))
    assert out.text.shape == (2, 6, 12)
    text, _ = net._embed(tokens, None, None, torch.tensor([1, 2]))
    expected = net.text_norm(net.tasks.weight[1:3])
    torch.testing.assert_close(text[:, 1], expected)


def test_one_step_of_training_lowers_the_loss():
    net = TwelveInOne(answers=6, answers_gqa=4, region_classes=9, trunk=small(3, dropout=0.0))
    net.eval()  # no dropout: the same loss twice
    batch = (*inputs(), torch.tensor([0, 1]))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    losses = []
    for _ in range(2):
        loss = torch.nn.functional.cross_entropy(net(*batch).vqa, torch.tensor([2, 5]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


@pytest.mark.as_user
def test_exports():
    net, given = small().eval(), inputs()
    expected = net(*given)
    got = torch.export.export(net, given).module()(*given)
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.as_user
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
@pytest.mark.parametrize("name", ["token_mask", "region_mask"])
@pytest.mark.parametrize("net", [small, lambda: twelve()], ids=["ViLBERT", "TwelveInOne"])
def test_masks_of_ones_and_zeros_are_refused_not_misread(net, name, dtype):
    """BERT's masks are integers, in which ~1 is -2: real regions would score +20,000."""
    net, mask = net(), torch.ones(2, 5 if name == "token_mask" else 4)
    tasks = {} if isinstance(net, ViLBERT) else {"tasks": torch.tensor([0, 2])}
    with pytest.raises(ValueError, match=rf"{name} must be bool of shape \(2, \d\), got {dtype}"):
        net(*inputs(), **tasks, **{name: mask.to(dtype)})


ONES = torch.ones(2, 5, dtype=torch.int64)


def given(**changed):
    tokens, regions, boxes = inputs()
    return small()(**{"tokens": tokens, "regions": regions, "boxes": boxes, **changed})


def twelve() -> TwelveInOne:
    return TwelveInOne(answers=6, answers_gqa=4, region_classes=9, trunk=small(3))


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: small(text_at=(0, 1, 2)), "text_at and vision_at: expected as many, got 3 and 2"),
        (lambda: small(text_at=(2, 1)), r"text_at: expected rising numbers of layers from 0 to 3"),
        (lambda: small(co_heads=3), "co_width: expected a width that heads divide, got 16, 3"),
        (lambda: small(vocabulary=0), "vocabulary: expected at least 1, got 0"),
        (lambda: TwelveInOne(trunk=small()), "trunk: expected one with task tokens, got tasks=0"),
        (
            lambda: small()(torch.ones(1, 13).long(), torch.rand(1, 2, 7), torch.rand(1, 2, 5)),
            "tokens: expected at most 12, got 13",
        ),
        (
            lambda: small()(torch.ones(1, 3).long(), torch.rand(1, 2, 8), torch.rand(1, 2, 5)),
            "regions: expected 7 features, got 8",
        ),
        (
            lambda: small()(torch.ones(1, 3).long(), torch.rand(1, 2, 7), torch.rand(1, 2, 4)),
            r"boxes: expected \(1, 2, 5\), got \(1, 2, 4\)",
        ),
        (lambda: small(2)(*inputs()), "tasks: expected one for each of the batch, got None"),
        (lambda: given(tokens=ONES[0]), r"tokens must have shape \(batch, tokens\), got \(5,\)"),
        (lambda: given(tokens=ONES[:1]), "tokens and regions must have the same length, got 1 and"),
        (lambda: given(tokens=ONES[:, :0]), "tokens: expected at least 1, got 0"),
        (lambda: given(tokens=ONES.float()), "tokens must be int32 or int64, got torch.float32"),
        (lambda: given(regions=torch.rand(4, 7)), r"regions must have shape \(batch, regions, f"),
        (lambda: given(regions=torch.rand(2, 0, 7)), "regions: expected at least 1, got 0"),
        (lambda: given(boxes=torch.ones(2, 4, 5).long()), "boxes must be floating point, got torc"),
        (
            lambda: given(segments=ONES[:, 1:]),
            r"segments must have shape \(2, 5\), got \(2, 4\)",
        ),
        (
            lambda: given(token_mask=torch.ones(2, 4).bool()),
            r"token_mask must be bool of shape \(2, 5\), got torch.bool \(2, 4\)",
        ),
        (
            lambda: given(region_mask=torch.ones(1, 4).bool()),
            r"region_mask must be bool of shape \(2, 4\), got torch.bool \(1, 4\)",
        ),
        (
            lambda: twelve()(*inputs(), torch.tensor([1])),
            r"tasks must have shape \(2,\), got \(1,\)",
        ),
        (
            lambda: twelve()(*inputs(), torch.tensor([1.0, 2.0])),
            "tasks must be int32 or int64, got torch.float32",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()

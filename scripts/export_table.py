"""Which networks pass torch.export, torch.compile and ONNX: a table in build/export_table.md.

python scripts/export_table.py [NAME ...]  all, or those named; needs onnx, onnxscript, onnxruntime

Each class of `cvcourse.models` is made small, as for its tests, and in evaluation mode its answers
are compared with those of the exported or compiled one. Detectors answer with lists whose length
depends on the picture, which no export can know; of them backbone and heads are exported.
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
FOUND = ROOT / "build" / "export_table.json"
TABLE = ROOT / "build" / "export_table.md"
DENSE = {"RetinaNet": "head", "FCOS": "head", "PolarMask": "head", "FasterRCNN": "rpn.head"}


class BackboneAndHeads(nn.Module):
    """A batch (B, 3, H, W), prepared already, to the raw maps that suppression works on."""

    def __init__(self, model: nn.Module, head: str):
        super().__init__()
        self.backbone, self.head = model.backbone, model.get_submodule(head)

    def forward(self, images):
        return self.head(list(self.backbone(images).values()))


def cases() -> dict:
    """Names to (network, arguments): every class, and the parts of detectors that export."""
    from tests.models import examples

    found = {}
    for name in examples.NETWORKS:
        found[name] = (examples.network, examples.arguments, name)
    for name, head in DENSE.items():
        found[f"{name}: backbone and heads"] = (
            lambda name, head=head: BackboneAndHeads(examples.network(name), head),
            lambda name: (torch.rand(1, 3, 64, 96),),
            name,
        )
    return found


def flat(answer) -> list[torch.Tensor]:
    if isinstance(answer, torch.Tensor):
        return [answer]
    if isinstance(answer, dict):
        answer = answer.values()
    return [x for part in answer for x in flat(part)] if not isinstance(answer, float | int) else []


def agrees(got, wanted) -> bool:
    pairs = zip(flat(got), flat(wanted), strict=True)
    return all(torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in pairs)


def exported(model, inputs, wanted) -> bool:
    return agrees(torch.export.export(model, inputs).module()(*inputs), wanted)


def compiled(model, inputs, wanted) -> bool:
    return agrees(torch.compile(model, fullgraph=True, backend="aot_eager")(*inputs), wanted)


def onnx(model, inputs, wanted) -> bool:
    import onnxruntime

    program = torch.onnx.export(model, inputs, dynamo=True, verbose=False)
    content = program.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    given = dict(zip(names, [x.numpy() for x in flat(list(inputs))], strict=True))
    return agrees([torch.from_numpy(x) for x in session.run(None, given)], flat(wanted))


WAYS = {"torch.export": exported, "torch.compile": compiled, "ONNX": onnx}


def measure(make, ask, name) -> dict[str, str]:
    answers = {}
    for way, passes in WAYS.items():
        torch.compiler.reset()
        try:
            model, inputs = make(name).eval(), ask(name)
            if any(isinstance(x, list) and x and isinstance(x[0], dict) for x in inputs):
                inputs = inputs[:1]  # no targets
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                wanted = model(*inputs)
                answers[way] = "yes" if passes(model, inputs, wanted) else "other values"
        except Exception as error:  # whatever an exporter raises is the answer
            answers[way] = f"no ({type(error).__name__})"
    return answers


def table(found: dict[str, dict[str, str]]) -> str:
    lines = [f"| network | {' | '.join(WAYS)} |", "|---|---|---|---|"]
    for name in sorted(found, key=str.lower):
        lines.append(f"| {name} | {' | '.join(found[name][way] for way in WAYS)} |")
    return "\n".join(lines) + "\n"


def main(names: list[str]) -> None:
    found = json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.exists() else {}
    for name, (make, ask, network) in cases().items():
        if (names and name not in names) or (not names and name in found):
            continue
        found[name] = measure(make, ask, network)
        print(name, found[name], flush=True)
        FOUND.parent.mkdir(exist_ok=True)
        FOUND.write_text(json.dumps(found), encoding="utf-8")
    TABLE.write_text(table(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])

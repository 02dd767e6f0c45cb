"""What Taskonomy's authors measured: affinities and gains between their tasks, as they released it.

27 sources and 22 targets on photographs of buildings; the numbers are in the file of the same name.
"""

import json
from pathlib import Path
from typing import NamedTuple

from cvcourse.methods import Transfer

SAME_TASK = {  # what the tasks of lesson 13 are called there
    "autoencoding": "autoencoder",
    "edges": "edge2d",
    "occlusion": "edge3d",
    "depth": "rgb2depth",
    "normals": "rgb2sfnorm",
    "segments": "segmentsemantic_rb",
    "random": "random",
    "self": "self",
}


class Published(NamedTuple):
    """`affinities` and `gains` by (source, target); `pairs` by (source, source, target).

    affinities: of single sources after AHP; with those of pairs they sum to 1 for each target.
    gains: share of test pictures on which the transfer beats training from raw pixels.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    affinities: dict[tuple[str, str], float]
    gains: dict[tuple[str, str], float]
    pairs: dict[tuple[str, str, str], float]

    def transfers(self) -> list[Transfer]:
        """For `find_taxonomy`: all but the random encoder; "self" has the target as its source."""
        single = [
            Transfer((target if source == "self" else source,), target, affinity)
            for (source, target), affinity in self.affinities.items()
            if source != "random"
        ]
        return single + [
            Transfer((a, b), t, affinity) for (a, b, t), affinity in self.pairs.items()
        ]


def published() -> Published:
    """The released results (Zamir et al. 2018, 1804.08328)."""
    path = Path(__file__).with_suffix(".json")
    told = json.loads(path.read_text(encoding="utf-8"))
    sources, targets = tuple(told["sources"]), tuple(told["targets"])

    def table(rows: list[list[float]]) -> dict[tuple[str, str], float]:
        return {
            (source, target): number
            for source, row in zip(sources, rows, strict=True)
            for target, number in zip(targets, row, strict=True)
        }

    pairs = {(first, second, target): number for first, second, target, number in told["pairs"]}
    return Published(sources, targets, table(told["affinities"]), table(told["gains"]), pairs)

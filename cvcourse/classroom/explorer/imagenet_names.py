"""The 1,000 names of ImageNet's classes, in the order of torchvision's published classifiers.

The file of the same name has one a line, as `torchvision.models._meta` of torchvision 0.28 has them
(BSD 3-Clause): ILSVRC 2012's synsets in the order of their numbers, with shorter names.
"""

from pathlib import Path

IMAGENET = tuple(Path(__file__).with_suffix(".txt").read_text(encoding="utf-8").splitlines())

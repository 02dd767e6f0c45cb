"""How a network learns, where a paper adds something around network and loss. One paper a file.

Methods take networks and numbers as arguments and build no networks. SciPy and scikit-learn are
asked for only by the functions that need them.
"""

from cvcourse.methods.domain_randomization import AutomaticDomainRandomization, Boundary
from cvcourse.methods.taskonomy import (
    Taxonomy,
    Transfer,
    find_taxonomy,
    ordinal_affinities,
    win_rates,
)

__all__ = [
    "AutomaticDomainRandomization",
    "Boundary",
    "Taxonomy",
    "Transfer",
    "find_taxonomy",
    "ordinal_affinities",
    "win_rates",
]

"""How a network learns, where a paper adds something around network and loss. One paper a file.

Methods take networks and numbers as arguments and build no networks. SciPy and scikit-learn are
asked for only by the functions that need them.
"""

from cvcourse.methods.domain_randomization import AutomaticDomainRandomization, Boundary
from cvcourse.methods.pulse import (
    MappedGaussian,
    PulseResult,
    SphericalSteps,
    fit_mapping,
    linear_cycle_then_drop,
    pulse,
)
from cvcourse.methods.style_transfer import style_transfer
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
    "MappedGaussian",
    "PulseResult",
    "SphericalSteps",
    "Taxonomy",
    "Transfer",
    "find_taxonomy",
    "fit_mapping",
    "linear_cycle_then_drop",
    "ordinal_affinities",
    "pulse",
    "style_transfer",
    "win_rates",
]

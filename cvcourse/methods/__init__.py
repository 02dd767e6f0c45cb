"""How a network learns, where a paper adds something around network and loss. One paper a file.

Methods take networks and numbers as arguments and build no networks. SciPy and scikit-learn are
asked for only by the functions that need them.
"""

from cvcourse.methods.domain_randomization import AutomaticDomainRandomization, Boundary
from cvcourse.methods.label_propagation import compose_flows, flow_is_consistent, propagate
from cvcourse.methods.parallel_pipeline import DepthParallel, Schedule, pipeline_schedule
from cvcourse.methods.pulse import (
    MappedGaussian,
    PulseResult,
    SphericalSteps,
    fit_mapping,
    linear_cycle_then_drop,
    pulse,
)
from cvcourse.methods.sideways import sideways
from cvcourse.methods.style_transfer import style_transfer
from cvcourse.methods.taskonomy import (
    Taxonomy,
    Transfer,
    find_taxonomy,
    ordinal_affinities,
    win_rates,
)
from cvcourse.methods.temporal_redundancy import DeltaLayer, delta_network

__all__ = [
    "AutomaticDomainRandomization",
    "Boundary",
    "DeltaLayer",
    "DepthParallel",
    "MappedGaussian",
    "PulseResult",
    "Schedule",
    "SphericalSteps",
    "Taxonomy",
    "Transfer",
    "compose_flows",
    "delta_network",
    "find_taxonomy",
    "fit_mapping",
    "flow_is_consistent",
    "linear_cycle_then_drop",
    "ordinal_affinities",
    "pipeline_schedule",
    "propagate",
    "pulse",
    "sideways",
    "style_transfer",
    "win_rates",
]

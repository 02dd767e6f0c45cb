"""Networks that make pictures, and those that judge or invert them."""

from cvcourse.models.generative.infogan import (
    InfoGANDiscriminator,
    InfoGANGenerator,
    InfoGANOutput,
)

__all__ = ["InfoGANDiscriminator", "InfoGANGenerator", "InfoGANOutput"]

"""Area of boxes."""

from jaxtyping import Float, Num
from torch import Tensor

from cvcourse.ops._checks import as_float, check_boxes


def box_area(boxes: Num[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    """(x2 - x1)(y2 - y1) of boxes (x1, y1, x2, y2), in square pixels.

    **Conventions**: no +1; a malformed box (x2 < x1) has the signed product; half precision and
    integers are computed and returned in float32. Equals torchvision's `box_area`.

    Raises ValueError if the last axis is not 4.
    """
    check_boxes("boxes", boxes)
    (boxes,) = as_float(boxes)
    x1, y1, x2, y2 = boxes.unbind(-1)
    return (x2 - x1) * (y2 - y1)

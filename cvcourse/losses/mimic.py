"""Mimicking inside proposals: a small detector imitates a large one where objects may be."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from cvcourse.losses._checks import REDUCTIONS, check_choice, check_floating, check_positive
from cvcourse.losses._reduce import at_least_float32, reduce_loss
from cvcourse.ops import roi_align


def mimic_loss(
    student: Float[Tensor, "batch channels height width"],
    teacher: Float[Tensor, "batch channels teacher_height teacher_width"],
    boxes: Float[Tensor, "rois 5"] | Sequence[Float[Tensor, "_ 4"]],
    output_size: int | tuple[int, int] = 7,
    student_scale: float = 1.0,
    teacher_scale: float | None = None,
    sampling_ratio: int = -1,
    reduction: str = "mean",
) -> Float[Tensor, "..."]:
    r"""Squared distance of the feature maps inside proposals, pooled to one size.

    .. math:: L = \frac{1}{2N} \sum_i \frac{1}{m_i} \| u_i - r(v_i) \|^2

    with u, v what is pooled from teacher and student in proposal i, and m the numbers in it.

    Args:
        student: (B, C, H, W), brought to the teacher's channels by the caller's 1×1 convolution r.
        teacher: (B, C, H', W'); may be finer or coarser. Detached.
        boxes: the **student's** proposals, as for `roi_align`: a list of (n, 4) xyxy in pixels of
            the picture, or (K, 5) with the picture's index first. Their N over the batch. They have
            no gradient.
        output_size: what each proposal is pooled to, by `roi_align(aligned=True)`.
        student_scale, teacher_scale: of each map, such as 1/16; the teacher's is the student's if
            not given.
        sampling_ratio: of `roi_align`.
        reduction: "mean" over the proposals | "sum" | "none" (N,).

    **Conventions**: without proposals the loss is 0 with a zero gradient. Half precision is
    computed and returned in float32.

    Raises ValueError for maps of other dtypes, batches or channels, for scales that are not above
    0, and for another reduction.

    Reference: Li, Jin, Yan, Mimicking Very Efficient Network for Object Detection, CVPR 2017.
    """
    check_choice("reduction", reduction, REDUCTIONS)
    teacher_scale = student_scale if teacher_scale is None else teacher_scale
    for name, value in (("student_scale", student_scale), ("teacher_scale", teacher_scale)):
        check_positive(name, value)
    for name, value in (("student", student), ("teacher", teacher)):
        check_floating(name, value)
    if student.ndim != 4 or teacher.ndim != 4 or student.shape[:2] != teacher.shape[:2]:
        raise ValueError(
            f"student and teacher must be (B, C, H, W) with equal B and C, "
            f"got {tuple(student.shape)} and {tuple(teacher.shape)}"
        )
    pool = {"output_size": output_size, "sampling_ratio": sampling_ratio, "aligned": True}
    ours = roi_align(at_least_float32(student), boxes, spatial_scale=student_scale, **pool)
    theirs = roi_align(
        at_least_float32(teacher).detach(), boxes, spatial_scale=teacher_scale, **pool
    )
    loss = (ours - theirs).square().flatten(1).mean(1) / 2  # (N,)
    return reduce_loss(loss, reduction)

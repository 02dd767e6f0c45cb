"""Style transfer by optimisation: the picture is what is learnt (Gatys et al. 2015, 1508.06576).

    x ─ frozen network ─ features of chosen layers
    minimise over x:  Σ w mean (F - F(content))²  +  Σ w mean (G - G(style))²,  G = F Fᵀ / (H W)

The first sum keeps what is where, the second which features occur together, wherever that is. With
content layers alone it inverts the network: it shows what these layers keep of a picture.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cvcourse.losses import gram_matrix, perceptual_loss, style_loss

_EVALUATIONS_A_STEP = 20  # of torch.optim.LBFGS, by default


def style_transfer(
    extract: Callable[[Tensor], Sequence[Tensor]],
    content: Float[Tensor, "batch channels height width"],
    style: Float[Tensor, "styles channels _ _"] | None = None,
    *,
    content_layers: Sequence[int],
    style_layers: Sequence[int] = (),
    content_weights: Sequence[float] | None = None,
    style_weights: Sequence[float] | None = None,
    start: Float[Tensor, "batch channels height width"] | None = None,
    evaluations: int = 500,
    learning_rate: float = 1.0,
    line_search: str | None = None,
    on_evaluation: Callable[[int, float, Tensor], None] | None = None,
) -> Float[Tensor, "batch channels height width"]:
    r"""The picture with the content of one and the style of another, by L-BFGS on its pixels.

    Args:
        extract: from pictures to feature maps (B, C, H, W), such as `FeatureExtractor`.
        content, style: pictures in the range that `extract` takes; a style of batch 1 serves all.
        content_layers, style_layers: positions in what `extract` returns. Gatys: conv4_2, and
            conv1_1, conv2_1, conv3_1, conv4_1, conv5_1 after their ReLU.
        content_weights: one for each layer, 1 if None.
        style_weights: one for each layer, 1000 / C² of its channels C if None.
        start: where to begin, the content if None. The paper begins with noise, its authors' code
            with the content.
        evaluations: of loss and gradient; L-BFGS makes one for each step without a line search.
        learning_rate, line_search: of `torch.optim.LBFGS`; "strong_wolfe" is slower and safer.
        on_evaluation: called with (evaluations so far, loss, picture) after each; for a film.

    **Conventions**: those of the authors' PyTorch notebook: Gram matrices divided by H · W, means
    over C² and over all features. The result is not clamped, and nothing is clamped on the way,
    which would spoil the curvature that L-BFGS has noted.

    Raises ValueError for no layer, layers that are not there, a style without layers or the
    reverse, wrong numbers of weights, a start of another shape, and evaluations below 1.

    Reference: Gatys, Ecker, Bethge, A Neural Algorithm of Artistic Style, 2015, arXiv:1508.06576.
    """
    if evaluations < 1:
        raise ValueError(f"evaluations must be at least 1, got {evaluations}")
    if (style is None) != (len(style_layers) == 0):
        raise ValueError(f"style_layers must be given with a style, and only then: {style_layers}")
    if start is not None and start.shape != content.shape:
        raise ValueError(f"start must have shape {tuple(content.shape)}, got {tuple(start.shape)}")
    with torch.no_grad():
        features = list(extract(content))
        _check_layers("content_layers", content_layers, len(features), at_least=style is None)
        _check_layers("style_layers", style_layers, len(features))
        kept = [features[i] for i in content_layers]
        of_style = list(extract(style)) if style is not None else []
        grams = [gram_matrix(of_style[i], "hw") for i in style_layers]
    if style_weights is None:
        style_weights = [1000 / gram.shape[1] ** 2 for gram in grams]

    picture = (content if start is None else start).detach().clone().requires_grad_()
    optimizer = torch.optim.LBFGS([picture], learning_rate, line_search_fn=line_search)
    done = 0

    def evaluate() -> Tensor:
        nonlocal done
        found = extract(picture)
        loss = torch.zeros((), device=picture.device)
        if kept:
            loss = loss + perceptual_loss([found[i] for i in content_layers], kept, content_weights)
        if grams:
            ours = [found[i] for i in style_layers]
            loss = loss + style_loss(ours, grams, style_weights, normalize="hw")
        (picture.grad,) = torch.autograd.grad(loss, picture)
        done += 1
        if on_evaluation is not None:
            on_evaluation(done, loss.item(), picture.detach())
        return loss

    while done < evaluations:
        steps = min(_EVALUATIONS_A_STEP, evaluations - done)
        optimizer.param_groups[0].update(max_iter=steps, max_eval=steps)
        optimizer.step(evaluate)
    return picture.detach()


def _check_layers(name: str, layers: Sequence[int], count: int, at_least: bool = False) -> None:
    if at_least and not len(layers):
        raise ValueError(f"{name} must name a layer where there is no style, got none")
    if not all(-count <= i < count for i in layers):
        raise ValueError(f"{name} must be positions among {count} layers, got {tuple(layers)}")

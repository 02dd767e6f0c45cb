"""Context-free network: nine tiles, one trunk, and then the order (Noroozi and Favaro 2016).

each tile ─ AlexNet's convolutions ─ fc6 ─┐
... all nine with the same weights ───────┴─ fc7 ─ which permutation
"""

from jaxtyping import Float
from torch import Tensor, nn

from cvcourse.models._blocks import check_at_least, check_each


class ContextFreeNetwork(nn.Module):
    """Tiles (batch, tiles, 3, side, side) to logits (batch, permutations) of their order.

    Args:
        permutations: told apart; 1,000 in the paper.
        tiles: of a puzzle, 9.
        side: of a tile in pixels, at least 31. At 75 the last maps are 4 × 4 and there are
            27,407,208 parameters, those of the paper's text.
        widths: channels of the five convolutions.
        features: of a tile (fc6), and of all together (fc7).

    Tiles see nothing of each other before fc7, so that neither lines nor colours that continue
    from tile to tile can answer. `embed` gives a tile's features.

    Reference: Noroozi and Favaro, Unsupervised Learning of Visual Representations by Solving Jigsaw
    Puzzles, 2016, arXiv:1603.09246.
    """

    def __init__(
        self,
        permutations: int = 1000,
        *,
        tiles: int = 9,
        side: int = 75,
        widths: tuple[int, int, int, int, int] = (96, 256, 384, 384, 256),
        features: tuple[int, int] = (512, 4096),
    ) -> None:
        check_at_least("permutations", permutations, 2)
        check_at_least("tiles", tiles, 2)
        check_at_least("side", side, 31)
        super().__init__()
        a, b, c, d, e = widths
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.trunk = nn.Sequential(
            nn.Conv2d(3, a, 11, stride=2), nn.ReLU(), pool, nn.LocalResponseNorm(5),
            nn.Conv2d(a, b, 5, padding=2, groups=2), nn.ReLU(), pool, nn.LocalResponseNorm(5),
            nn.Conv2d(b, c, 3, padding=1), nn.ReLU(),
            nn.Conv2d(c, d, 3, padding=1, groups=2), nn.ReLU(),
            nn.Conv2d(d, e, 3, padding=1, groups=2), nn.ReLU(), pool,
        )  # fmt: skip
        small = (side - 11) // 2 + 1
        for _ in range(3):
            small = -(-(small - 3) // 2) + 1  # of a pooling with ceil_mode
        of_tile, of_all = features
        self.fc6 = nn.Sequential(nn.Linear(e * small * small, of_tile), nn.ReLU())
        self.fc7 = nn.Sequential(nn.Linear(tiles * of_tile, of_all), nn.ReLU())
        self.fc8 = nn.Linear(of_all, permutations)
        self.puzzle = (tiles, 3, side, side)

    def embed(self, tiles: Float[Tensor, "batch 3 side side"]) -> Float[Tensor, "batch features"]:
        check_each("tiles", tiles, self.puzzle[1:])
        return self.fc6(self.trunk(tiles).flatten(1))

    def forward(
        self, tiles: Float[Tensor, "batch tiles 3 side side"]
    ) -> Float[Tensor, "batch permutations"]:
        check_each("tiles", tiles, self.puzzle)
        each = self.embed(tiles.flatten(0, 1)).unflatten(0, tiles.shape[:2])
        return self.fc8(self.fc7(each.flatten(1)))

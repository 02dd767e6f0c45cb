"""Cats and dogs at one size: real pictures for the lessons that name every pixel."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from cvcourse.data import real

PETS = ("background", "cat", "dog")


def pet_pictures(
    split: str, count: int, *, side: int, seed: int = 0
) -> tuple[Float[Tensor, "pictures 3 side side"], Int64[Tensor, "pictures side side"]]:
    """Pictures in [0, 1] and maps of PETS from Oxford-IIIT Pet, all resized to squares.

    split: "trainval" or "test". count: so many of them, drawn with `seed`; fewer where there are no
    more. Maps are 255 on the border that the authors left undecided.

    Raises FileNotFoundError where the data set is not present; `real.find("oxford_pet")` tells.
    """
    folder = real.find("oxford_pet")
    if folder is None:
        raise FileNotFoundError(
            "no Oxford-IIIT Pet; `python data_scripts/oxford_pet.py` fetches it"
        )
    data = real.OxfordPet(folder, split)
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed))
    images, maps = [], []
    for index in order[:count].tolist():
        image, target = data[index]
        size = (side, side)
        image = F.interpolate(image[None], size, mode="bilinear", antialias=True).clamp(0, 1)
        semantic = target["semantic"]
        for species in target["species"]:  # 1 cat, 2 dog; none where there is border alone
            semantic = semantic.where(semantic != 1, species)
        images.append(image)
        maps.append(F.interpolate(semantic[None, None].float(), size, mode="nearest")[0].long())
    return torch.cat(images), torch.cat(maps)

"""From the authors' pickle of StyleGAN2 to a plain file of weights: `stylegan2.py NETWORK.pkl`.

NVIDIA publishes its networks as pickles, which run code when they are read. This script reads one
beside the authors' own repository, whose classes it needs, and writes NETWORK-G.pt, -G_ema.pt and
-D.pt, dictionaries of names and tensors. These `load_pretrained` reads without running anything:

    git clone https://github.com/NVlabs/stylegan2-ada-pytorch
    PYTHONPATH=stylegan2-ada-pytorch python data_scripts/stylegan2.py ffhq.pkl
    load_pretrained(StyleGAN2Generator(1024), "ffhq-G_ema.pt", names=stylegan2.PUBLISHED_NAMES)

Run it only on a file that you trust, away from anything that you would not show its authors.
"""

import pickle
import sys
from pathlib import Path

import torch

NETWORKS = ("G", "G_ema", "D")


def main(arguments: list[str]) -> None:
    sys.stdout.reconfigure(errors="backslashreplace")  # names may have any character
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        raise SystemExit(__doc__)
    path = Path(arguments[0])
    try:
        with path.open("rb") as file:
            networks = pickle.load(file)
    except ModuleNotFoundError as error:
        raise SystemExit(f"{error}: put the authors' repository on PYTHONPATH") from error
    for part, weights in plain(networks).items():
        target = path.with_name(f"{path.stem}-{part}.pt")
        torch.save(weights, target)
        count = sum(tensor.numel() for tensor in weights.values())
        print(f"{target}: {len(weights)} tensors, {count:,} numbers")


def plain(networks: dict) -> dict[str, dict[str, torch.Tensor]]:
    """The state of each network in a pickle, on the CPU, by its part's name."""
    found = [part for part in NETWORKS if hasattr(networks.get(part), "state_dict")]
    if not found:
        raise SystemExit(
            f"none of {', '.join(NETWORKS)} is in it, but {', '.join(map(str, networks))}"
        )
    return {
        part: {
            name: tensor.detach().cpu().clone()
            for name, tensor in networks[part].state_dict().items()
        }
        for part in found
    }


if __name__ == "__main__":
    main(sys.argv[1:])

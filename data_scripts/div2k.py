"""DIV2K: fetch, verify, unpack, summarise. Photographs beside versions of 1/2, 1/3 or 1/4 the size.

Agustsson and Timofte 2017, https://data.vision.ee.ethz.ch/cvl/DIV2K, for research only. By default
the 100 pictures of "valid", three times smaller; "train" is another 4 GB.
SHA-256 as recorded by TensorFlow Datasets for these addresses.
"""

from steps import Archive, run

from cvcourse.data.real import Div2k

_HOST = "https://data.vision.ee.ethz.ch/cvl/DIV2K"
_HIGH = {
    "train": ("9d0b9c463f6e35b6c62cc6a930ee2224f670b34c1df841a57670f9acf0f6c335", 3_531),
    "valid": ("20dd31fd84d777bc1cf5d6b7654a3f569c0aec74458ae094122ad1d0489900fc", 449),
}
_LOW = {
    ("valid", 3): ("04b9a2ed3b4a0715d3924d3ae8514830c3328fac8d30512ce716d6f419e052a3", 55),
    ("valid", 2): ("60eed9875c697df51204aa579e2a699e1d5215095788a097ff54dd17e2664d57", 118),
    ("valid", 4): ("a50a5d1c4b88de4e8d300d8fb2b904c52fe93b2b298a4899697760d7cbb6d553", 32),
    ("train", 2): ("a53a424317575838dadce4bcd97cf7b744d6855f43740ed5f0245af3cf4bd850", 925),
    ("train", 3): ("ad5c8e5507e2765823d3c2c5bd0934842efcd487c5370604c224090898b3163a", 428),
    ("train", 4): ("f006b837f4eb52b82909aa01478e6d6d199eefce932179491d0c9dbb706dde3a", 247),
}


def _archive(file: str, digits: str, megabytes: int) -> Archive:
    return Archive(f"{_HOST}/{file}.zip", f"sha256:{digits}", megabytes)


PARTS = {
    f"{split}-x{scale}": [
        _archive(f"DIV2K_{split}_HR", *_HIGH[split]),
        _archive(f"DIV2K_{split}_LR_bicubic_X{scale}", *low),
    ]
    for (split, scale), low in _LOW.items()
}


def main() -> None:
    folder, parts = run("div2k", __doc__, PARTS, default="valid-x3")
    for part in parts:
        split, scale = part.split("-x")
        pictures = Div2k(folder, split, scale=int(scale))
        low, target = pictures[0]
        print(f"{part}: {len(pictures)} pictures, the first {tuple(target['high'].shape[1:])} "
              f"pixels beside {tuple(low.shape[1:])}")  # fmt: skip


if __name__ == "__main__":
    main()

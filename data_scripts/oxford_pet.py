"""Oxford-IIIT Pet: fetch, verify, unpack, summarise. 37 breeds of cats and dogs, with outlines.

Parkhi et al., CVPR 2012; https://www.robots.ox.ac.uk/~vgg/data/pets. CC BY-SA 4.0.
SHA-256 as recorded by TensorFlow Datasets for these addresses.
"""

from collections import Counter

from steps import Archive, run

from cvcourse.data.real import OxfordPet

_HOST = "https://thor.robots.ox.ac.uk/~vgg/data/pets"
PARTS = {
    "all": [
        Archive(
            f"{_HOST}/images.tar.gz",
            "sha256:67195c5e1c01f1ab5f9b6a5d22b8c27a580d896ece458917e61d459337fa318d",
            792,
        ),
        Archive(
            f"{_HOST}/annotations.tar.gz",
            "sha256:52425fb6de5c424942b7626b428656fcbd798db970a937df61750c0f1d358e91",
            19,
        ),
    ]
}


def main() -> None:
    folder, _ = run("oxford_pet", __doc__, PARTS, default="all")
    for split in ("trainval", "test"):
        dataset = OxfordPet(folder, split)
        species = Counter(kind for _, _, kind in dataset.entries)
        breeds = len(dataset.classes) - 1
        print(f"{split}: {species[1]} cats and {species[2]} dogs of {breeds} breeds")


if __name__ == "__main__":
    main()

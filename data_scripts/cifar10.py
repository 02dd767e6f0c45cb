"""CIFAR-10: fetch, verify, unpack, summarise. 60,000 pictures of 32 x 32 pixels in ten classes.

Krizhevsky 2009; https://www.cs.toronto.edu/~kriz/cifar.html. The binary version, which needs no
pickle. SHA-256 as recorded by TensorFlow Datasets for this address.
"""

from steps import Archive, run

from cvcourse.data.real import Cifar10

PARTS = {
    "all": [
        Archive(
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            170,
        )
    ]
}


def main() -> None:
    folder, _ = run("cifar10", __doc__, PARTS, default="all")
    for split in ("train", "test"):
        dataset = Cifar10(folder / "cifar-10-batches-bin", split)
        counts = dataset.labels.bincount(minlength=10).tolist()
        print(f"{split}: {dict(zip(dataset.classes, counts, strict=True))}")


if __name__ == "__main__":
    main()

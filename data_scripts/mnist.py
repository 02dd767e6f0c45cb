"""MNIST: fetch, verify, summarise. 70,000 handwritten digits of 28 x 28 pixels.

LeCun et al. 1998, from the mirror that torchvision uses, in its original files. MD5 as recorded by
torchvision.
"""

from steps import Archive, run

from cvcourse.data.real import Mnist

MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist"
DIGESTS = {
    "train-images-idx3-ubyte.gz": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", 10),
    "train-labels-idx1-ubyte.gz": ("d53e105ee54ea40749a09fcbcd1e9432", 1),
    "t10k-images-idx3-ubyte.gz": ("9fb629c4189551a2d022fa330f9573f3", 2),
    "t10k-labels-idx1-ubyte.gz": ("ec29112dd5afa0611ce80d1b7f02629c", 1),
}
PARTS = {
    "all": [
        Archive(f"{MIRROR}/{name}", f"md5:{digits}", size, packed=False)
        for name, (digits, size) in DIGESTS.items()
    ]
}


def main() -> None:
    folder, _ = run("mnist", __doc__, PARTS, default="all")
    for split in ("train", "test"):
        counts = Mnist(folder, split).labels.bincount(minlength=10).tolist()
        print(f"{split}: {dict(enumerate(counts))}")


if __name__ == "__main__":
    main()

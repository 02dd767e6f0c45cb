"""Street View House Numbers: fetch, verify, summarise. 99,289 cropped digits, 32 x 32 pixels.

Netzer et al. 2011; http://ufldl.stanford.edu/housenumbers. For non-commercial use only. MD5 as
recorded by torchvision.
"""

from steps import Archive, run

from cvcourse.data.real import Svhn

HOME = "http://ufldl.stanford.edu/housenumbers"
PARTS = {
    "all": [
        Archive(f"{HOME}/{name}", f"md5:{digits}", size, packed=False)
        for name, digits, size in (
            ("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373", 182),
            ("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3", 64),
        )
    ]
}


def main() -> None:
    folder, _ = run("svhn", __doc__, PARTS, default="all")
    for split in ("train", "test"):
        counts = Svhn(folder, split).labels.bincount(minlength=10).tolist()
        print(f"{split}: {dict(enumerate(counts))}")


if __name__ == "__main__":
    main()

"""STL-10: fetch, verify, unpack, summarise. 13,000 pictures of ten classes and 100,000 of no class.

Coates, Lee, Ng 2011; https://cs.stanford.edu/~acoates/stl10. The binary version, 96 x 96 pixels.
MD5 as recorded by torchvision.
"""

from steps import Archive, run

from cvcourse.data.real import Stl10

PARTS = {
    "all": [
        Archive(
            "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz",
            "md5:91f7769df0f17e558f3565bffb0c7dfb",
            2_640,
        )
    ]
}


def main() -> None:
    folder, _ = run("stl10", __doc__, PARTS, default="all")
    for split in ("train", "test"):
        dataset = Stl10(folder / "stl10_binary", split)
        counts = dataset.labels.bincount(minlength=10).tolist()
        print(f"{split}: {dict(zip(dataset.classes, counts, strict=True))}")
    print(f"without labels: {len(Stl10(folder / 'stl10_binary', 'unlabeled')):,}")


if __name__ == "__main__":
    main()

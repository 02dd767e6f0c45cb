"""Omniglot: fetch, verify, unpack, summarise. 32,460 drawings of 1,623 letters of 50 alphabets.

Lake, Salakhutdinov, Tenenbaum 2015; https://github.com/brendenlake/omniglot. MD5 as recorded by
torchvision.
"""

from steps import Archive, run

from cvcourse.data.real import Omniglot

HOME = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
PARTS = {
    "all": [
        Archive(f"{HOME}/images_{split}.zip", f"md5:{digits}", size)
        for split, digits, size in (
            ("background", "68d2efa1b9178cc56df9314c21c6e718", 10),
            ("evaluation", "6b91aef0f799c5bb55b94e3f2daec811", 7),
        )
    ]
}


def main() -> None:
    folder, _ = run("omniglot", __doc__, PARTS, default="all")
    for split in ("background", "evaluation"):
        drawings = Omniglot(folder, split)
        counts = f"{len(drawings.alphabets)} alphabets, {len(drawings.names):,} letters"
        print(f"{split}: {counts}, {len(drawings):,} drawings")


if __name__ == "__main__":
    main()

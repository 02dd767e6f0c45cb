"""Pascal VOC 2012 and 2007: fetch, verify, unpack, summarise. 20 kinds of things.

Everingham et al., IJCV 2015; http://host.robots.ox.ac.uk/pascal/VOC. Pictures under the terms of
Flickr. The annotations of test 2012 were never published; those of test 2007 were.
The organisers publish no checksums; these MD5 are torchvision's for the same addresses. MD5 tells
damage, but would not tell a forgery.
"""

from steps import Archive, run

from cvcourse.data.real import VocDetection, VocSegmentation

_HOST = "http://host.robots.ox.ac.uk/pascal/VOC"
PARTS = {
    "2012": [
        Archive(
            f"{_HOST}/voc2012/VOCtrainval_11-May-2012.tar",
            "md5:6cd6e144f989b92b3379bac3b3de84fd",
            2_000,
        )
    ],
    "2007": [
        Archive(
            f"{_HOST}/voc2007/VOCtrainval_06-Nov-2007.tar",
            "md5:c52e279531787c972589f7e41ab4ae64",
            460,
        ),
        Archive(
            f"{_HOST}/voc2007/VOCtest_06-Nov-2007.tar",
            "md5:b6e924de25625d8de591ea690078ad9f",
            451,
        ),
    ],
}
SPLITS = {"2012": ("train", "val"), "2007": ("train", "val", "test")}


def main() -> None:
    folder, parts = run("pascal_voc", __doc__, PARTS, default="2012")
    for part in parts:
        root = folder / "VOCdevkit" / f"VOC{part}"
        for split in SPLITS[part]:
            boxes, masks = VocDetection(root, split), VocSegmentation(root, split)
            print(f"{part} {split}: {len(boxes)} pictures with boxes, {len(masks)} with masks")


if __name__ == "__main__":
    main()

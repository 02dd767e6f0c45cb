"""COCO 2017: fetch, verify, unpack, summarise. 80 kinds of things, captions, people's joints.

Lin et al. 2014, arXiv 1405.0312; https://cocodataset.org. Annotations CC BY 4.0; pictures under the
terms of Flickr. By default the 5,000 pictures of val2017; train2017 is another 19 GB.
SHA-256 as recorded by TensorFlow Datasets for these addresses.
"""

from collections import Counter

from steps import Archive, run

from cvcourse.data.real import Coco, CocoCaptions, CocoKeypoints

_HOST = "http://images.cocodataset.org"
ANNOTATIONS = Archive(
    f"{_HOST}/annotations/annotations_trainval2017.zip",
    "sha256:113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268",
    253,
)
PARTS = {
    "val2017": [
        ANNOTATIONS,
        Archive(
            f"{_HOST}/zips/val2017.zip",
            "sha256:4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
            816,
        ),
    ],
    "train2017": [
        ANNOTATIONS,
        Archive(
            f"{_HOST}/zips/train2017.zip",
            "sha256:69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
            19_337,
        ),
    ],
}


def main() -> None:
    folder, parts = run("coco", __doc__, PARTS, default="val2017")
    for part in parts:
        dataset = Coco(folder, part, keep_empty=True)
        things = [a.category for found in dataset.annotations.values() for a in found]
        print(f"{part}: {len(dataset)} pictures, {len(things)} objects; most frequent:")
        for number, count in Counter(things).most_common(5):
            print(f"  {dataset.classes[number]:12} {count}")
        captions = CocoCaptions(folder, part)
        people = CocoKeypoints(folder, part, masks=False)
        said = sum(map(len, captions.captions))
        print(f"  {said} captions of {len(captions)} pictures; people on {len(people)}")


if __name__ == "__main__":
    main()

"""Set5: fetch, verify, summarise. Five photographs, each beside one 1/2, 1/3 or 1/4 the size.

Bevilacqua et al. 2012, as Huang et al. (CVPR 2015) cropped and shrank them for their benchmark,
from one commit of https://github.com/jbhuang0604/SelfExSR. By default those three times smaller.
Nobody publishes checksums: SHA-256 of the files of that commit, whose hash names their contents.
With the files of x3, bicubic enlargement has the published 30.39 dB.
"""

from steps import Archive, run

from cvcourse.data.real import Set5

_COMMIT = "18e00f2d1bd3941e9b8d4895d3541543ad86d5b2"
_HOST = f"https://raw.githubusercontent.com/jbhuang0604/SelfExSR/{_COMMIT}/data/Set5"
_SHA256 = {  # scale: of the small and the large pictures, 1 to 5
    2: {
        "LR": (
            "257687f5393ee47ce78212d6654a2ed4a49dbfc6c1f3f7a6d6be8204a8a9b92b",
            "e70d3f436dc687f3b478d53e2dc47e787db12603fdf61eb36679d1e4a613eef4",
            "d524ab06f05d76b03e63a1ff3e1c5e134e17d0a452c25fc82862ee696c565d42",
            "d7f48f9f15d3c16ddd59d10ea884f8a86b5e554361224aa580ee50fb8a9fbc03",
            "dc769662364be953164eee14c0eb565cb77063537bb98b9ce1e69816efefb77b",
        ),
        "HR": (
            "b7f0633258c4dc1a1ef57f26ef2e2db414b64c170cb7c618730cb2f2aae3c7ed",
            "6f9d47ea7f70bc8a98f33d483fc7ffe684e79c9c8398321006ab8093fce5e4ef",
            "a58f6334af41127d8de5ea64e36ad174623a689c1bd5c4100aee20738b93a944",
            "30bd282537e4660651d5f668252353a66723c301ccba541a699af053269e9eb3",
            "653e3aa5cbc70487e38e31260ba2d42588d575e267e23951ea66157adc3285e6",
        ),
    },
    3: {
        "LR": (
            "0ff620bb6b068fc4cc5ec0b44561ef9a03da7d96ab7be4194f95f5352c9944ca",
            "ee9b76206d4b0ca3f4cd4f88027f5f16238134bbb8cdc6b8d25b94f212aa7ae0",
            "c5366bc368d0d1ee4b1e1b0b4f95af4cc6e8a01ed9bd83ddb3a49dc63b797b33",
            "612c398bb1140f78fb2c4a204e9d461b709b1b12dcf5f830158f59f21894d724",
            "9c79151de3b4e51c48f08ab45f5bb897787689fc40daf7943481aafb87d54613",
        ),
        "HR": (
            "676c9c2ed5c02a52c463799ceeb28fbf0508490758cccdb90cf9d698f87b821c",
            "7ed486a42ce3fca8d9ed2ff328419a92a50fc64e479765552ee544eb45f187a2",
            "6c1af99062dc37d69e950e493cc9cf01460f96863ea6779f20d6efb72fd991cb",
            "ce231e0d6d38b4742fda8fb4cb0da1938537d7d3cebbcdaf7ae2bdc9bf26fbf9",
            "4ddb1ad08b0fa118463c53fb345402a7542c26c7320d16236e0e1504c8daaaf2",
        ),
    },
    4: {
        "LR": (
            "55b1355cd7d7ac91180b3ddfc7c81b580e1d3e2a3dd5f77067ed228ab3af66cd",
            "ee4ddf5ad14578e61e4882f72d18c84a294f25982559c46b727afbeed385180d",
            "4655f67e64a1249695825d8705f1e34ef627c57cef26054372971fe512f224c4",
            "a3cd8770e0f1fd3ae3a2acd2c82b2eb56f2672b1c111c724c9c3f74a7b122e38",
            "4fedc415705fcd2d5106fb96bb191471680d48291f0602ef09ad1b12b4d370f4",
        ),
        "HR": (
            "ac41483d2caa808a58d1361f0172023913da3ac4a9514a135c92836eef1fbe99",
            "7ed486a42ce3fca8d9ed2ff328419a92a50fc64e479765552ee544eb45f187a2",
            "a58f6334af41127d8de5ea64e36ad174623a689c1bd5c4100aee20738b93a944",
            "30bd282537e4660651d5f668252353a66723c301ccba541a699af053269e9eb3",
            "653e3aa5cbc70487e38e31260ba2d42588d575e267e23951ea66157adc3285e6",
        ),
    },
}


def _archives(scale: int) -> list[Archive]:
    folder = f"image_SRF_{scale}"
    return [
        Archive(
            f"{_HOST}/{folder}/img_{number:03}_SRF_{scale}_{kind}.png", f"sha256:{digits}", 1,
            packed=False, inside=folder,
        )
        for kind, of_kind in _SHA256[scale].items()
        for number, digits in enumerate(of_kind, start=1)
    ]  # fmt: skip


PARTS = {f"x{scale}": _archives(scale) for scale in (3, 2, 4)}


def main() -> None:
    folder, parts = run("set5", __doc__, PARTS, default="x3")
    for part in parts:
        pictures = Set5(folder, scale=int(part.removeprefix("x")))
        sizes = [tuple(target["high"].shape[1:]) for _, target in pictures]
        print(f"{part}: {len(pictures)} pictures of {sizes} pixels")


if __name__ == "__main__":
    main()

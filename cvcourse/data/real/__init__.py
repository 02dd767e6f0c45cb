"""Readers for real data sets, in the formats in which they are published.

Each gives `(image, target)` like `cvcourse.data.scenes.Scenes`: an image (3, H, W) float32 in
[0, 1], and a dictionary with boxes (N, 4) xyxy on the edges of pixels, labels from 1, and so on.
Pictures may have any number of bits, and are turned upright as their EXIF orientation says.
Films and pairs of frames come as `cvcourse.data.scenes.Clips` gives them. Nothing is downloaded
here; `data_scripts/` has scripts for most data sets, and `find` tells whether one was run.
"""

from .afhq import Afhq
from .camvid import CamVid
from .celeba import CelebA
from .cifar10 import Cifar10
from .coco import Coco, CocoCaptions, CocoKeypoints
from .coco_results import read_coco_results, write_coco_results
from .flow import read_flow, write_flow
from .flow_pairs import FlyingChairs, KittiFlow, Sintel
from .frames import Frames, read_video
from .mnist import Mnist
from .omniglot import Omniglot
from .oxford_pet import OxfordPet
from .pascal_voc import VOC_CLASSES, VocDetection, VocSegmentation
from .places import find, home
from .stl10 import Stl10
from .super_resolution import Div2k, Set5
from .svhn import Svhn
from .ucf101 import Ucf101
from .vimeo import VimeoTriplets

__all__ = [
    "VOC_CLASSES",
    "Afhq",
    "CamVid",
    "CelebA",
    "Cifar10",
    "Coco",
    "CocoCaptions",
    "CocoKeypoints",
    "Div2k",
    "FlyingChairs",
    "Frames",
    "KittiFlow",
    "Mnist",
    "Omniglot",
    "OxfordPet",
    "Set5",
    "Sintel",
    "Stl10",
    "Svhn",
    "Ucf101",
    "VimeoTriplets",
    "VocDetection",
    "VocSegmentation",
    "find",
    "home",
    "read_coco_results",
    "read_flow",
    "read_video",
    "write_coco_results",
    "write_flow",
]

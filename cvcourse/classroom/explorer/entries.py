"""What the explorer can ask: each trained model of the course, and published ones."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from cvcourse.classroom.explorer.coco_names import COCO
from cvcourse.classroom.explorer.showing import (
    Answer,
    enlarged,
    fitted,
    found,
    grey,
    labelled,
    middle,
    per_pixel,
    recognised,
)
from cvcourse.classroom.subjects import styles, tasks
from cvcourse.classroom.subjects.detecting import SHAPES, STRIDES, small_backbone
from cvcourse.classroom.subjects.instances import SMALL_MASK_RCNN, on_one_level
from cvcourse.classroom.subjects.readers import trained_reader
from cvcourse.classroom.training.weights import load_shared
from cvcourse.data.real.pascal_voc import VOC_CLASSES
from cvcourse.models import (
    FCN,
    SRCNN,
    ENet,
    FasterRCNN,
    MaskRCNN,
    PolarMask,
    RetinaNet,
    SegNet,
    SpatialTransformerNetwork,
    fcn_resnet50,
    load_pretrained,
)
from cvcourse.models.pretrained import TORCHVISION_WEIGHTS
from cvcourse.ops import roi_align

Progress = Callable[[int, int | None], None]
THINGS = ("background", "coin", "horse")  # what lessons 07 and 09 label


@dataclass(frozen=True)
class Entry:
    """A model and its task."""

    task: str
    name: str
    lesson: str  # "" for a published one
    files: tuple[str, ...]  # of lessons/weights, without hashes; or a key of TORCHVISION_WEIGHTS
    load: Callable[[Progress | None], nn.Module]  # told of a download as `load_pretrained` tells
    see: Callable[[Tensor], Tensor]  # from a picture (3, H, W) to what the network is given
    answer: Callable[[nn.Module, Tensor], Answer]  # of the network, and what `see` gave
    limits: str


def shipped(make: Callable[[], nn.Module], file: str) -> Callable[[Progress | None], nn.Module]:
    def load(progress: Progress | None = None) -> nn.Module:
        model = make()
        load_shared(model, file)
        return model.eval()

    return load


def published(make: Callable[[], nn.Module], key: str) -> Callable[[Progress | None], nn.Module]:
    def load(progress: Progress | None = None) -> nn.Module:
        model = load_pretrained(make(), TORCHVISION_WEIGHTS[key], progress=progress)
        return model.eval()

    return load


def small_faster_rcnn() -> FasterRCNN:
    return FasterRCNN(
        len(SHAPES),
        backbone=small_backbone(),
        min_size=None,
        anchor_sizes=((12, 17), (20, 28), (34, 44)),
        aspect_ratios=(1.0,),
        rpn_pre_nms_top_n_test=150,
        rpn_post_nms_top_n_test=50,
        roi_levels=("0", "1", "2"),
        roi_canonical_size=56,
        box_pool_size=5,
        box_representation_size=128,
    )


def small_retinanet() -> RetinaNet:
    return RetinaNet(
        len(SHAPES),
        backbone=small_backbone(),
        min_size=None,
        anchor_sizes=((12, 15, 19), (20, 25, 32), (34, 40, 48)),
        aspect_ratios=(0.5, 1.0, 2.0),
        head_layers=2,
        head_norm=partial(nn.GroupNorm, 8),
    )


def small_fcn(stride: int) -> FCN:
    stages = ((8,), (16,), (32,), (48,), (64, 64))
    same = {"fc_kernel": 4, "padding": 49, "batch_norm": True, "dropout": 0.0}
    return FCN(3, stride=stride, stages=stages, hidden=64, **same)


def small_mask_rcnn() -> MaskRCNN:
    one = {
        "roi_levels": ("1",),
        "roi_pooling": on_one_level(partial(roi_align, sampling_ratio=2, aligned=True), 8),
    }
    return MaskRCNN(len(SHAPES), backbone=small_backbone(), **SMALL_MASK_RCNN, **one)


def small_polar_mask() -> PolarMask:
    return PolarMask(
        len(SHAPES),
        backbone=small_backbone(),
        strides=STRIDES,
        head_layers=2,
        head_norm=partial(nn.GroupNorm, 8),
        min_size=None,
        detections_per_img=30,
    )


def _task_entry(task: str, name: str, kind: str, limits: str) -> Entry:
    files = ("13-longer",) if kind in tasks.LONGER else ("13-sources-0",)
    return Entry(
        task,
        name,
        "13",
        files,
        lambda progress=None: tasks.trained_network(kind),
        partial(middle, side=48),
        partial(per_pixel, task=kind),
        limits,
    )


DIGITS = tuple("0123456789")
SCENES_ONLY = (
    "It has seen scenes of 96 pixels with four flat shapes, and no photograph of anything else: "
    "what it finds on yours is texture that looks like a shape."
)
THINGS_ONLY = (
    "It knows coins and one horse's outline on plain ground, at 96 pixels; everything else is "
    "called one of the three."
)
SMALL_WORLD = (
    "Learnt from 1,200 simulated scenes of 48 pixels, with two to four shapes before a wall."
)

OURS: tuple[Entry, ...] = (
    Entry(
        "digit",
        "Plain network",
        "03b",
        ("03b-plain-12000-0",),
        lambda progress=None: trained_reader(),
        partial(grey, side=40),
        partial(recognised, names=DIGITS),
        "Reads one bright digit on black, among scraps; of anything else it says a digit, too.",
    ),
    Entry(
        "digit",
        "Spatial transformer",
        "03b",
        ("03b-transformer-4000-0",),
        shipped(
            lambda: SpatialTransformerNetwork(image_size=40, crop_size=24), "03b-transformer-4000-0"
        ),
        partial(grey, side=40),
        partial(recognised, names=DIGITS),
        "As the plain network; it cuts the digit out first. Upside down it fails (lesson 03b).",
    ),
    Entry(
        "photograph",
        "Small VGG",
        "17",
        ("17-features-0",),
        shipped(lambda: styles.new_classifier(0), "17-features-0"),
        partial(middle, side=48),
        partial(recognised, names=styles.SEEN),
        "Says which of 15 photographs a piece of 48 pixels is from. It has learnt colours and "
        "textures of these 15, and no object.",
    ),
    Entry(
        "detection",
        "Faster R-CNN",
        "03",
        ("03-detector",),
        shipped(small_faster_rcnn, "03-detector"),
        partial(middle, side=96),
        partial(found, names=SHAPES),
        SCENES_ONLY,
    ),
    Entry(
        "detection",
        "RetinaNet, focal loss",
        "04",
        ("04-focal",),
        shipped(small_retinanet, "04-focal"),
        partial(middle, side=96),
        partial(found, names=SHAPES),
        SCENES_ONLY,
    ),
    Entry(
        "instances",
        "Mask R-CNN",
        "12",
        ("12-roialign",),
        shipped(small_mask_rcnn, "12-roialign"),
        partial(middle, side=96),
        partial(found, names=SHAPES),
        SCENES_ONLY,
    ),
    Entry(
        "instances",
        "PolarMask",
        "12",
        ("12-polarmask",),
        shipped(small_polar_mask, "12-polarmask"),
        partial(middle, side=96),
        partial(found, names=SHAPES, least=0.3),
        SCENES_ONLY + " Its score, a class times a stretched centre-ness, can be above 1.",
    ),
    Entry(
        "segmentation",
        "FCN-32s",
        "07",
        ("07-fcn-32s",),
        shipped(lambda: small_fcn(32), "07-fcn-32s"),
        partial(middle, side=96),
        partial(labelled, names=THINGS),
        THINGS_ONLY + " It labels by cells of 32 pixels, and its outlines show it.",
    ),
    Entry(
        "segmentation",
        "FCN-16s",
        "07",
        ("07-fcn-16s",),
        shipped(lambda: small_fcn(16), "07-fcn-16s"),
        partial(middle, side=96),
        partial(labelled, names=THINGS),
        THINGS_ONLY,
    ),
    Entry(
        "segmentation",
        "FCN-8s",
        "09",
        ("09-fcn-8s",),
        shipped(lambda: small_fcn(8), "09-fcn-8s"),
        partial(middle, side=96),
        partial(labelled, names=THINGS),
        THINGS_ONLY,
    ),
    Entry(
        "segmentation",
        "SegNet",
        "07",
        ("07-segnet-with-indices",),
        shipped(
            lambda: SegNet(3, stages=[(w,) for w in (12, 24, 32, 48)]), "07-segnet-with-indices"
        ),
        partial(middle, side=96),
        partial(labelled, names=THINGS),
        THINGS_ONLY,
    ),
    Entry(
        "segmentation",
        "ENet",
        "09",
        ("09-enet",),
        shipped(lambda: ENet(3, widths=(16, 32, 64)), "09-enet"),
        partial(middle, side=96),
        partial(labelled, names=THINGS),
        THINGS_ONLY,
    ),
    _task_entry("segmentation", "Network for shapes", "segments", SMALL_WORLD),
    _task_entry(
        "depth",
        "Network for depth",
        "depth",
        SMALL_WORLD + " A photograph's depth it makes up from what shapes and wall looked like.",
    ),
    _task_entry(
        "normals",
        "Network for normals",
        "normals",
        SMALL_WORLD + " Lesson 13 prints by how many degrees it errs even there.",
    ),
    _task_entry("edges", "Network for edges", "edges", SMALL_WORLD),
    _task_entry(
        "edges",
        "Network for occlusion edges",
        "occlusion",
        SMALL_WORLD + " It should mark edges of depth alone, and marks patterns, too.",
    ),
    Entry(
        "super-resolution",
        "SRCNN, pixels",
        "18",
        ("18-enlarger-pixels",),
        shipped(lambda: SRCNN(padding="replicate"), "18-enlarger-pixels"),
        partial(grey, side=96),
        enlarged,
        "Brightness alone, made three times smaller and enlarged again. Detail that is lost it "
        "does not know.",
    ),
    Entry(
        "super-resolution",
        "SRCNN, features",
        "18",
        ("18-enlarger-features",),
        shipped(lambda: SRCNN(padding="replicate"), "18-enlarger-features"),
        partial(grey, side=96),
        enlarged,
        "As above, but judged in training by a network's features, not by pixels (lesson 18).",
    ),
)

# Weights that ship and are not asked here, by the beginning of the file's name, and why.
NOT_ASKED = {
    "backbone": "a trunk without a task; detectors start from it",
    "03b-plain": "shorter trainings of the network that is asked",
    "03b-transformer": "shorter trainings of the network that is asked",
    "04-balanced": "another loss for the detector that is asked",
    "04-cross-entropy": "another loss for the detector that is asked",
    "04-mined": "another loss for the detector that is asked",
    "05-inside": "its head is written in the lesson",
    "06-": "its body and neck are put together in the lesson",
    "08-": "asks for cells under a microscope, and is put together in the lesson",
    "09-heavy-branch": "a branch that is put together in the lesson",
    "10-": "other losses for one network of the lesson",
    "12-finer": "another training of Mask R-CNN",
    "12-roipool": "Mask R-CNN with the poorer pooling",
    "13-sources": "two more trainings of the networks that are asked",
    "15-": "classifiers of 8 x 8 pixels with and without a teacher",
    "15b-": "a pair of digit detectors that is put together in the lesson",
    "16-": "features without a task",
    "17-features": "two more trainings of the classifier that is asked",
    "17-gravel": "a stylist that is put together in the lesson",
    "17-restored": "restorers that are put together in the lesson",
    "18-enlarger-first": "the beginning of the enlargers that are asked",
    "18-never": "autoencoders of 8 x 8 pixels",
    "21-": "needs two frames",
    "27-": "answers where one piece of a photograph lies from another",
    "28-": "a game about spoiled pictures, without an answer to show",
    "34-": "makes pictures; takes none",
    "35-": "codes of digits of 8 x 8 pixels",
    "40-": "needs a step of the camera; lesson 40 shows its depth",
}
NOT_ASKED |= {
    "19-": "brightens photographs, and is put together in the lesson",
    "19b-": "names the blur of a grey patch, and is put together in the lesson",
    "22-": "needs two frames",
    "29-": "colours, splits and fills small pictures, and is put together in the lesson",
    "36-": "makes pictures; takes none",
}
# Lessons that are being written: whoever adds weights of theirs strikes them out here.
NEWER = ("20b", "23", "24", "33", "37", "38", "39", "42", "43")
NOT_ASKED |= dict.fromkeys(NEWER, "newer than the explorer")

FROM_COCO = (
    "Torchvision's published weights, trained on 118 thousand photographs of COCO: it knows 80 "
    "kinds of things, and calls others one of these or nothing."
)
PUBLISHED: tuple[Entry, ...] = (
    Entry(
        "detection",
        "Faster R-CNN ResNet-50 FPN, published",
        "",
        ("fasterrcnn_resnet50_fpn",),
        published(FasterRCNN, "fasterrcnn_resnet50_fpn"),
        partial(fitted, longest=800),
        partial(found, names=COCO),
        FROM_COCO,
    ),
    Entry(
        "instances",
        "Mask R-CNN ResNet-50 FPN, published",
        "",
        ("maskrcnn_resnet50_fpn",),
        published(MaskRCNN, "maskrcnn_resnet50_fpn"),
        partial(fitted, longest=800),
        partial(found, names=COCO),
        FROM_COCO,
    ),
    Entry(
        "segmentation",
        "FCN ResNet-50, published",
        "",
        ("fcn_resnet50",),
        published(fcn_resnet50, "fcn_resnet50"),
        partial(fitted, longest=520),
        partial(labelled, names=VOC_CLASSES, normalise=True),
        "Torchvision's published weights, trained on COCO with the 20 classes of Pascal VOC.",
    ),
)

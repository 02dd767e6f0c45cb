"""What the explorer can ask: each trained model of the course, and published ones."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from torch import Tensor, nn

from cvcourse.classroom.explorer.coco_names import COCO
from cvcourse.classroom.explorer.imagenet_names import IMAGENET
from cvcourse.classroom.explorer.showing import (
    Answer,
    Pair,
    enlarged,
    fitted,
    found,
    grey,
    labelled,
    middle,
    moved,
    moved_by_tv_l1,
    per_pixel,
    posed,
    recognised,
    sentence,
)
from cvcourse.classroom.subjects import motion, posing, styles, tasks
from cvcourse.classroom.subjects.captioning import Cells, captioned_scenes, vocabulary_of
from cvcourse.classroom.subjects.detecting import SHAPES, STRIDES, small_backbone
from cvcourse.classroom.subjects.instances import roialign_mask_rcnn
from cvcourse.classroom.subjects.readers import untrained_reader
from cvcourse.classroom.training.weights import load_shared
from cvcourse.data.real.pascal_voc import VOC_CLASSES
from cvcourse.models import (
    FCN,
    SRCNN,
    BasicBlock,
    Captioner,
    ENet,
    FasterRCNN,
    MaskRCNN,
    MobileNetV2,
    PolarMask,
    PoseNet,
    ResNetFeatures,
    RetinaNet,
    SegNet,
    SpatialTransformerNetwork,
    fcn_resnet50,
    load_pretrained,
    regnet_y,
    resnet50,
)
from cvcourse.models.pretrained import TORCHVISION_WEIGHTS

Progress = Callable[[int, int | None], None]
JOINTS = posing.STICK.joints
THINGS = ("background", "coin", "horse")  # what lessons 07 and 09 label


@dataclass(frozen=True)
class Entry:
    """A model and its task."""

    task: str
    name: str
    lesson: str  # "" for a published one
    files: tuple[str, ...]  # of lessons/weights, without hashes; or a key of TORCHVISION_WEIGHTS
    load: Callable[[Progress | None], nn.Module]  # told of a download as `load_pretrained` tells
    # from a picture (3, H, W), or for "flow" a pair, to what the network is given
    see: Callable[[Tensor | Pair], Tensor | Pair]
    answer: Callable[[nn.Module, Tensor | Pair], Answer]  # of the network, and what `see` gave
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

DRAWN_PEOPLE = (
    "Learnt from drawn figures of 64 pixels over pieces of photographs; in any picture it finds "
    "one figure with all its joints, people or not. Left and right it cannot know in a hood. "
)

SQUARE = partial(middle, side=96)


def as_it_is(seen: Pair) -> Pair:
    return seen


@cache
def caption_words() -> tuple[str, ...]:
    return vocabulary_of(captioned_scenes(200, seed=0).captions)  # as lesson 42b has them


def small_captioner() -> Captioner:
    trunk = Cells(small_backbone(pretrained=False).body)
    return Captioner(len(caption_words()), trunk=trunk, width=160)


def small_pose_trunk() -> ResNetFeatures:
    return ResNetFeatures(block=BasicBlock, depths=(1, 1, 1), width=16)


def of_lesson(
    task: str,
    name: str,
    file: str,
    make: Callable[[], nn.Module],
    see: Callable[[Tensor], Tensor],
    answer: Callable[[nn.Module, Tensor], Answer],
    limits: str,
) -> Entry:
    """A network of the lesson whose number begins the name of the file of its weights."""
    lesson = file.partition("-")[0]
    return Entry(task, name, lesson, (file,), shipped(make, file), see, answer, limits)


def reads_digits(name: str, file: str, make: Callable[[], nn.Module], limits: str) -> Entry:
    answer = partial(recognised, names=tuple("0123456789"))
    return of_lesson("digit", name, file, make, partial(grey, side=40), answer, limits)


def finds_shapes(
    task: str,
    name: str,
    file: str,
    make: Callable[[], nn.Module],
    more: str = "",
    *,
    least: float = 0.5,
) -> Entry:
    answer = partial(found, names=SHAPES, least=least)
    return of_lesson(task, name, file, make, SQUARE, answer, SCENES_ONLY + more)


def labels_things(name: str, file: str, make: Callable[[], nn.Module], more: str = "") -> Entry:
    answer = partial(labelled, names=THINGS)
    return of_lesson("segmentation", name, file, make, SQUARE, answer, THINGS_ONLY + more)


def enlarges(name: str, file: str, limits: str) -> Entry:
    make, see = partial(SRCNN, padding="replicate"), partial(grey, side=96)
    return of_lesson("super-resolution", name, file, make, see, enlarged, limits)


def answers_per_pixel(task: str, name: str, kind: str, more: str = "") -> Entry:
    """One of the networks that lesson 13 trains together, which share a file."""
    see, answer = partial(middle, side=48), partial(per_pixel, task=kind)
    files, limits = (tasks.file_of(kind),), SMALL_WORLD + more
    return Entry(
        task, name, "13", files, lambda _: tasks.trained_network(kind), see, answer, limits
    )


def finds_joints(name: str, file: str, make: Callable[[], nn.Module], more: str) -> Entry:
    see = partial(middle, side=posing.SIZE)
    return of_lesson("keypoints", name, file, make, see, posed, DRAWN_PEOPLE + more)


def sees_motion(name: str, more: str = "") -> Entry:
    """One of the networks that lesson 21 trains longest, which share a file."""
    return Entry(
        "flow", name, "21", ("21-longer",), lambda _: motion.trained_networks()[name], as_it_is,
        moved, f"Learnt from photographs' cut-outs that fly by a few of 64 pixels; it answers in "
        f"clouds without outlines, and TV-L1 errs less in lesson 21's tables.{more}",
    )  # fmt: skip


OURS: tuple[Entry, ...] = (
    reads_digits(
        "Plain network",
        "03b-plain-12000-0",
        partial(untrained_reader, 0),
        "Reads one bright digit on black, among scraps; of anything else it says a digit, too.",
    ),
    reads_digits(
        "Spatial transformer",
        "03b-transformer-4000-0",
        partial(SpatialTransformerNetwork, image_size=40, crop_size=24),
        "As the plain network; it cuts the digit out first. Upside down it fails (lesson 03b).",
    ),
    of_lesson(
        "photograph",
        "Small VGG",
        "17-features-0",
        partial(styles.new_classifier, 0),
        partial(middle, side=48),
        partial(recognised, names=styles.SEEN),
        "Says which of 15 photographs a piece of 48 pixels is from. It has learnt colours and "
        "textures of these 15, and no object.",
    ),
    finds_shapes("detection", "Faster R-CNN", "03-detector", small_faster_rcnn),
    finds_shapes("detection", "RetinaNet, focal loss", "04-focal", small_retinanet),
    finds_shapes("instances", "Mask R-CNN", "12-roialign", roialign_mask_rcnn),
    finds_shapes(
        "instances",
        "PolarMask",
        "12-polarmask",
        small_polar_mask,
        " Its score, a class times a stretched centre-ness, can be above 1.",
        least=0.3,
    ),
    labels_things(
        "FCN-32s",
        "07-fcn-32s",
        partial(small_fcn, 32),
        " It labels by cells of 32 pixels, and its outlines show it.",
    ),
    labels_things("FCN-16s", "07-fcn-16s", partial(small_fcn, 16)),
    labels_things("FCN-8s", "09-fcn-8s", partial(small_fcn, 8)),
    labels_things(
        "SegNet",
        "07-segnet-with-indices",
        partial(SegNet, 3, stages=[(w,) for w in (12, 24, 32, 48)]),
    ),
    labels_things("ENet", "09-enet", partial(ENet, 3, widths=(16, 32, 64))),
    answers_per_pixel("segmentation", "Network for shapes", "segments"),
    answers_per_pixel(
        "depth",
        "Network for depth",
        "depth",
        " A photograph's depth it makes up from what shapes and wall looked like.",
    ),
    answers_per_pixel(
        "normals",
        "Network for normals",
        "normals",
        " Lesson 13 prints by how many degrees it errs even there.",
    ),
    answers_per_pixel("edges", "Network for edges", "edges"),
    answers_per_pixel(
        "edges",
        "Network for occlusion edges",
        "occlusion",
        " It should mark edges of depth alone, and marks patterns, too.",
    ),
    enlarges(
        "SRCNN, pixels",
        "18-enlarger-pixels",
        "Brightness alone, made three times smaller and enlarged again. Detail that is lost it "
        "does not know.",
    ),
    enlarges(
        "SRCNN, features",
        "18-enlarger-features",
        "As above, but judged in training by a network's features, not by pixels (lesson 18).",
    ),
    of_lesson(
        "caption",
        "Show and tell",
        "42b-captioner",
        small_captioner,
        partial(middle, side=64),
        lambda network, seen: sentence(network, seen, words=caption_words()),
        "Knows two flat shapes on plain ground and 23 words: of any other picture it tells of two "
        "shapes, too. Three ways of saying one thing share its probability.",
    ),
    finds_joints(
        "Heat maps",
        "42b-heat-maps",
        lambda: PoseNet(len(JOINTS), trunk=small_pose_trunk(), channels=(32, 32)),
        "It may put a joint's two sides in one place.",
    ),
    finds_joints(
        "Coordinates",
        "42b-coordinates",
        lambda: posing.Coordinates(small_pose_trunk(), len(JOINTS)),
        "Where it cannot know it answers between the possible places.",
    ),
    sees_motion("C, stride 4, centred"),
    sees_motion("FlowNetS"),
    Entry(
        "flow",
        "TV-L1, which learnt nothing",
        "21",
        (),
        lambda _: nn.Identity(),
        as_it_is,
        moved_by_tv_l1,
        "Takes brightness to stay as it is, and flow to be smooth but for few jumps; what no pixel "
        "shows it takes from its neighbours.",
    ),
)

# Weights that ship and are not asked here, by the beginning of the file's name, and why.
NOT_ASKED = {
    "00-": "marks simulated disks and squares, and is put together in the lesson",
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
    "19-": "brightens photographs, and is put together in the lesson",
    "19b-": "names the blur of a grey patch, and is put together in the lesson",
    "19c-": "takes simulated reflections off, and is put together in the lesson",
    "20b-": "needs a person's outline, and the scene without the person",
    "22-": "paints the frame between two",
    "23-": "needs a film",
    "27-": "answers where one piece of a photograph lies from another",
    "28-": "a game about spoiled pictures, without an answer to show",
    "29-": "colours, splits and fills small pictures, and is put together in the lesson",
    "33b-": "answers whether a sound belongs to a picture",
    "34-": "makes pictures; takes none",
    "35-": "codes of digits of 20 x 20 pixels",
    "36-": "makes pictures; takes none",
    "36b-": "paints balls from two numbers or from noise; looks at no picture",
    "37-": "relights simulated heads and dresses digits of 16 x 16 pixels",
    "37b-": "asks for one letter of 32 x 32 pixels, and for the letter wanted",
    "38-": "mixes drawn figures, and makes pictures of 16 x 16 pixels from a classifier's features",
    "39-": "makes pictures of maps of materials, and a reader of these",
    "40-": "needs a step of the camera; lesson 40 shows its depth",
    "42-": "answers sentences about what a detector found",
    "43-": "four places on a game's table; what they follow is measured in the lesson",
}

FROM_COCO = (
    "Torchvision's published weights, trained on 118 thousand photographs of COCO: it knows 80 "
    "kinds of things, and calls others one of these or nothing."
)

FROM_IMAGENET = (
    "Torchvision's published weights, trained on 1.28 million photographs of ImageNet: one name of "
    "1,000, more than a tenth of them breeds of dogs, for the square in the middle. It has hardly "
    "any for people, and none for what it does not know."
)

WHOLE = partial(fitted, longest=800)


def from_torchvision(
    task: str,
    name: str,
    key: str,
    make: Callable[[], nn.Module],
    answer: Callable[[nn.Module, Tensor], Answer],
    limits: str = FROM_COCO,
    *,
    see: Callable[[Tensor], Tensor] = WHOLE,
) -> Entry:
    return Entry(task, f"{name}, published", "", (key,), published(make, key), see, answer, limits)


def classifies(name: str, key: str, make: Callable[[], nn.Module]) -> Entry:
    answer = partial(recognised, names=IMAGENET, normalise=True)
    see = partial(middle, side=224)
    return from_torchvision("classification", name, key, make, answer, FROM_IMAGENET, see=see)


FINDS = partial(found, names=COCO)
PUBLISHED: tuple[Entry, ...] = (
    from_torchvision(
        "detection", "Faster R-CNN ResNet-50 FPN", "fasterrcnn_resnet50_fpn", FasterRCNN, FINDS
    ),
    from_torchvision(
        "instances", "Mask R-CNN ResNet-50 FPN", "maskrcnn_resnet50_fpn", MaskRCNN, FINDS
    ),
    from_torchvision(
        "segmentation",
        "FCN ResNet-50",
        "fcn_resnet50",
        fcn_resnet50,
        partial(labelled, names=VOC_CLASSES, normalise=True),
        "Torchvision's published weights, trained on COCO with the 20 classes of Pascal VOC.",
        see=partial(fitted, longest=520),
    ),
    classifies("ResNet-50", "resnet50", resnet50),
    classifies("RegNetY-400MF", "regnet_y_400mf", regnet_y),
    classifies("MobileNetV2", "mobilenet_v2", MobileNetV2),
)

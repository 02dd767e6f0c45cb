"""What the lessons on restoration share: pieces of photographs, and what of one is lost."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from cvcourse.classroom.device import is_first_process
from cvcourse.classroom.printing import say
from cvcourse.classroom.run import Run
from cvcourse.data import pictures
from cvcourse.data._extras import extra
from cvcourse.data.real import Coco, Div2k, Set5, find
from cvcourse.metrics import psnr
from cvcourse.ops import blur, gaussian_kernel, resize_bicubic, rgb_to_ycbcr, roi_align

# The pictures that test are not shown to any network of these lessons, loss networks included.
TESTED = ("astronaut", "chelsea", "coffee", "flower")
TRAINED = ("camera", "china", "clock", "coins", "grass", "hubble", "motorcycle", "retina", "rocket")
_SIDE = 256  # pixels of a picture's side that pieces are cut from
_MOST = 1000  # real photographs that are held in memory
_WINDOW = 32


def training_photographs(run: Run, data: str) -> Tensor:
    """(N, 3, 256, 256): those of `TRAINED`; at scale full up to 1,000 of "coco" or "div2k".

    The middles of real photographs, where `find` has them; it says which it took.
    """
    folder = _found(run, data)
    if folder is None:
        return torch.stack([pictures.load(name, _SIDE) for name in TRAINED])
    if data == "coco":
        reader = Coco(folder, masks=False, keep_empty=True)
        real = (reader[i][0] for i in range(min(_MOST, len(reader))))
    else:
        reader = Div2k(folder, "valid")
        real = (reader[i][1]["high"] for i in range(len(reader)))
    return torch.stack([middle(image, _SIDE) for image in real])


def held_out_photographs(run: Run, size: int) -> Tensor:
    """(N, 3, size, size): those of `TESTED`; at scale full Set5's middles, where they are there."""
    folder = _found(run, "set5")
    if folder is None:
        return torch.stack([pictures.load(name, size) for name in TESTED])
    reader = Set5(folder)
    return torch.stack([middle(reader[i][1]["high"], size) for i in range(len(reader))])


def whole_set5(run: Run) -> list[tuple[Tensor, Tensor]]:
    """Set5 as its benchmark has it, small and large: (1, 3, H, W) and (1, 3, 3 H, 3 W) each.

    Empty below scale full, and where it is not at hand.
    """
    folder = find("set5") if run.scale == "full" else None
    reader = Set5(folder) if folder else ()
    return [(low[None], target["high"][None]) for low, target in reader]


def set5_decibels(light: Tensor, truth: Tensor) -> float:
    """PSNR as papers print it of Set5 at 3, of luma (1, 1, H, W): 256 levels, no border of 3."""
    both = ((255 * x[..., 3:-3, 3:-3]).round() / 255 for x in (light, truth))
    return psnr(*both).item()


def on_set5(run: Run, ways: Mapping[str, Callable[[Tensor], Tensor]]) -> dict[str, list[float]]:
    """`set5_decibels` of each picture of `whole_set5`, by way; empty where there is none.

    ways: from the small picture's luma, enlarged by bicubic interpolation, (1, 1, H, W) on the
        run's device, to the answer.
    """
    found: dict[str, list[float]] = {}
    for low, high in whole_set5(run):
        light, truth = (rgb_to_ycbcr(x)[:, :1] for x in (low, high))
        start = resize_bicubic(light, truth.shape[2:]).to(run.device)
        for name, way in ways.items():
            found.setdefault(name, []).append(set5_decibels(way(start).cpu(), truth))
    return found


def _found(run: Run, data: str):
    folder = find(data) if run.scale == "full" else None
    if run.scale == "full" and is_first_process():
        say(f"{data}: {folder or 'not at hand, the photographs of the packages are taken'}")
    return folder


def square(image: Tensor) -> Tensor:
    """The largest square in the middle of a picture (C, H, W)."""
    side = min(image.shape[1:])
    top, left = ((length - side) // 2 for length in image.shape[1:])
    return image[:, top : top + side, left : left + side]


def middle(image: Tensor, side: int) -> Tensor:
    """The largest square in the middle of a picture (3, H, W), as (3, side, side) in [0, 1]."""
    cut = square(image)[None]
    return F.interpolate(cut, (side, side), mode="bicubic", antialias=True)[0].clamp(0, 1)


class Pieces:
    """`steps` batches (size, 3, side, side) in [0, 1]: pieces of `photographs` (N, 3, 256, 256).

    A piece shows a part of `side` to 2 · `side` pixels of a picture of 256, perhaps mirrored, its
    channels in a random order and each × 0.6 to 1.2, since few of the pictures have many colours.
    """

    def __init__(
        self, photographs: Tensor, steps: int, size: int = 8, side: int = 48, *, seed: int
    ) -> None:
        self.photographs, self.seed = photographs, seed
        self.steps, self.size, self.side = steps, size, side

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Tensor]:
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.steps):
            which = torch.randint(len(self.photographs), (self.size,), generator=generator)
            share = torch.rand(4, self.size, generator=generator)
            shown = self.side * (1 + share[0])
            x, y = share[1] * (_SIDE - shown), share[2] * (_SIDE - shown)
            rois = torch.stack([which.float(), x, y, x + shown, y + shown], 1)
            pieces = roi_align(self.photographs, rois, self.side, aligned=True, sampling_ratio=2)
            mirrored = share[3] < 0.5
            pieces[mirrored] = pieces[mirrored].flip(-1)
            order = torch.rand(self.size, 3, 1, 1, generator=generator).argsort(1)
            gain = 0.6 + 0.6 * torch.rand(self.size, 3, 1, 1, generator=generator)
            yield (gain * pieces.gather(1, order.expand_as(pieces))).clamp(0, 1)


class SpoiltPieces(Pieces):
    """The same, in pairs: each batch spoilt by `blur_and_noise`, and as it was."""

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(self.seed)
        return ((blur_and_noise(truth, generator), truth) for truth in super().__iter__())


def blur_and_noise(images: Tensor, generator: torch.Generator) -> Tensor:
    """A Gaussian blur of 1.5 pixels, and noise of deviation 0.05 from a generator on the CPU."""
    noise = torch.randn(images.shape, generator=generator)
    return blur(images, gaussian_kernel(1.5, size=9).to(images)) + 0.05 * noise.to(images)


def wiener(images: Tensor, balance: float) -> Tensor:
    """scikit-image's Wiener filter, told of the blur of `blur_and_noise`, channel by channel."""
    with extra("lessons", "cvcourse.classroom.subjects.restoring"):
        from skimage import restoration

    kernel, channels = gaussian_kernel(1.5, size=9).numpy(), images.flatten(0, 1).double().cpu()
    cleared = [restoration.wiener(channel, kernel, balance) for channel in channels.numpy()]
    return torch.from_numpy(np.stack(cleared)).view(images.shape).to(images)


def right_detail(ours: Tensor, theirs: Tensor) -> float:
    """Correlation of what a blur of one pixel takes from the brightness of both, (B, C, H, W)."""
    fine = []
    for images in (ours, theirs):
        grey = images.mean(1, keepdim=True)
        fine.append((grey - blur(grey, gaussian_kernel(1.0, size=7).to(grey))).flatten())
    return torch.corrcoef(torch.stack(fine))[0, 1].item()


def power(images: Tensor) -> Tensor:
    """Mean power spectrum (32, 32) of brightness in windows of 32 pixels, every 16 pixels.

    images: (B, C, H, W). Bin (i, j) has i/32 and j/32 cycles a pixel; each window is weighed by
    Hann's bell, less its mean.
    """
    grey = images.double().mean(1, keepdim=True)
    pieces = F.unfold(grey, _WINDOW, stride=_WINDOW // 2)  # (B, 1024, N)
    pieces = (pieces - pieces.mean(1, keepdim=True)).mT.unflatten(2, (_WINDOW, _WINDOW))
    bell = torch.hann_window(_WINDOW, dtype=grey.dtype, device=grey.device)
    return torch.fft.fft2(pieces * bell * bell[:, None]).abs().square().mean((0, 1))


def fineness(images: Tensor) -> float:
    """Power of brightness beyond a quarter of a cycle a pixel: how much fine detail there is."""
    frequency = torch.fft.fftfreq(_WINDOW, device=images.device)
    return power(images)[torch.hypot(frequency, frequency[:, None]) > 0.25].sum().item()


def checkerboard(images: Tensor) -> float:
    """Decibels by which the spectrum stands out where patterns of 2 and 4 pixels are.

    Of the 15 places (i/4, j/4) but (0, 0), each is compared with the mean power of the ring of 16
    bins that are two bins away; it is the mean of the 15 ratios in decibels. Near 0 for a picture
    without such a pattern.
    """
    spectrum, quarter = power(images), _WINDOW // 4
    ring = [(a, b) for a in range(-2, 3) for b in range(-2, 3) if max(abs(a), abs(b)) == 2]
    ratios = []
    for i in range(0, _WINDOW, quarter):
        for j in range(0, _WINDOW, quarter):
            around = [spectrum[(i + a) % _WINDOW, (j + b) % _WINDOW] for a, b in ring]
            ratios.append(spectrum[i, j] / torch.stack(around).mean())
    return (10 * torch.stack(ratios[1:]).log10()).mean().item()


def colour_error(ours: Tensor, theirs: Tensor, block: int = 8) -> float:
    """Mean distance in CIE L*a*b* of the mean colours of blocks; about 1 can just be seen.

    ours, theirs: (B, 3, H, W) in [0, 1] (clipped), sRGB; means are taken of its values.
    """
    with extra("lessons", "cvcourse.classroom.subjects.restoring"):
        from skimage.color import rgb2lab

    labs = []
    for images in (ours, theirs):
        means = F.avg_pool2d(images.detach().clamp(0, 1).cpu(), block)
        labs.append(torch.from_numpy(rgb2lab(means.movedim(1, -1).numpy())))
    return (labs[0] - labs[1]).norm(dim=-1).mean().item()

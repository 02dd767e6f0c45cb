import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cvcourse.models.backbones.vgg import VGG
from cvcourse.models.segmentation.fcn import FCN, bilinear_deconvolution, bilinear_kernel
from tests.models import golden

TINY = {"stages": ((4,), (4,), (6,), (6,), (8,)), "hidden": 16, "fc_kernel": 4, "padding": 33}
STRIDES = (32, 16, 8)


@pytest.mark.parametrize(
    ("stride", "count"), [(32, 134_346_581), (16, 134_357_354), (8, 134_362_751)]
)
def test_trainable_parameters_are_the_authors(stride, count):
    with torch.device("meta"):
        model = FCN(stride=stride)
    assert golden.parameter_count(model, trainable_only=True) == count
    dense = sum(
        21 * 21 * m.kernel_size[0] ** 2 for m in model.modules() if type(m) is nn.ConvTranspose2d
    )
    with_dense = {32: 136_152_917, 16: 134_815_994, 8: 134_489_759}
    assert count + dense == with_dense[stride]


@pytest.mark.parametrize(
    ("stride", "enlarged", "offset"), [(32, [544], 19), (16, [34, 560], 27), (8, [34, 70, 568], 31)]
)
def test_sizes_for_500_pixels_are_the_authors(stride, enlarged, offset):
    with torch.device("meta"):
        model = FCN(stride=stride)
    names = [name for name, m in model.named_modules() if isinstance(m, nn.ConvTranspose2d)]
    maps = golden.capture(model, [*names, "score_fr"])
    out = model(torch.empty(1, 3, 500, 500, device="meta"))
    assert out.shape == (1, 21, 500, 500)
    assert maps["score_fr"].shape[-1] == 16
    assert [maps[name].shape[-1] for name in names] == enlarged
    assert model.offset == offset


@pytest.mark.parametrize("factor", [2, 3, 8, 32])
def test_bilinear_kernel_by_its_definition(factor):
    kernel = bilinear_kernel(factor)
    for i in range(2 * factor):
        for j in range(2 * factor):
            value = 1.0
            for k in (i, j):  # a tent that is zero one pixel outside the kernel, half a pixel off
                value *= 1 - abs(k - factor + 0.5) / factor
            assert kernel[i, j].item() == pytest.approx(value, abs=1e-7)
    # every output pixel is a weighted mean
    sums = kernel.unfold(0, factor, factor).unfold(1, factor, factor).sum((0, 1))
    torch.testing.assert_close(sums, torch.ones(factor, factor))


@pytest.mark.parametrize("factor", [2, 16])
def test_deconvolution_is_bilinear_interpolation_away_from_the_border(factor):
    x, f = torch.rand(2, 3, 5, 7), factor
    ours = bilinear_deconvolution(3, f)(x)
    assert ours.shape == (2, 3, f * 6, f * 8)
    peer = F.interpolate(x, scale_factor=f, mode="bilinear", align_corners=False)
    inner = ours[..., f:-f, f:-f]
    torch.testing.assert_close(inner, peer[..., f // 2 : -f // 2, f // 2 : -f // 2])


def test_deconvolution_equals_caffes_dense_tensor():
    x, layer = torch.rand(1, 3, 4, 4), bilinear_deconvolution(3, 4)
    dense = torch.zeros(3, 3, 8, 8)
    dense[range(3), range(3)] = bilinear_kernel(4)
    torch.testing.assert_close(layer(x), F.conv_transpose2d(x, dense, stride=4))


class _MeanPool(nn.MaxPool2d):
    def forward(self, x):
        return F.avg_pool2d(x, 2, ceil_mode=True)


@pytest.mark.parametrize("options", [{"fc_kernel": 7, "padding": 100}, {}])
@pytest.mark.parametrize("stride", STRIDES)
def test_a_score_lands_on_the_pixels_it_was_computed_from(stride, options):
    """All weights positive, mean instead of maximum: the net is a blur, which must not shift.

    The gradient of one output pixel with respect to the image then has its centroid there.
    """
    model = FCN(1, stride=stride, **{**TINY, "stages": ((1,),) * 5, "hidden": 1, **options})
    model = model.double().eval()
    for i, layer in enumerate(model.features):
        if isinstance(layer, nn.MaxPool2d):
            model.features[i] = _MeanPool(2)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            nn.init.constant_(parameter, float(name.endswith("weight")))
    image = torch.ones(1, 3, 640, 672, dtype=torch.float64, requires_grad=True)
    for y, x in ((300, 330), (311, 347)):
        (gradient,) = torch.autograd.grad(model(image)[0, 0, y, x], image)
        weight = gradient[0, 0]
        assert weight[0].sum() == weight[-1].sum() == weight[:, 0].sum() == 0  # none cut off
        centre_y = (weight.sum(1) * torch.arange(640)).sum() / weight.sum()
        centre_x = (weight.sum(0) * torch.arange(672)).sum() / weight.sum()
        assert (centre_y.item(), centre_x.item()) == pytest.approx((y, x), abs=1e-9)


@pytest.mark.parametrize(("padding", "corner"), [(33, 1 / 64), (49, 33 / 64)])
def test_how_much_of_a_score_reaches_the_border(padding, corner):
    """As in the docstring: a constant score 1, enlarged and cropped, along each axis."""
    model = FCN(1, stride=32, **{**TINY, "padding": padding}).eval()
    nn.init.ones_(model.score_fr.bias)  # its weights are zero
    out = model(torch.rand(1, 3, 96, 96))[0, 0]
    assert out[0, 0].item() == pytest.approx(corner**2)
    assert out[48, 48].item() == pytest.approx(1)
    if padding == 49:  # scores in the middle of 32×32 cells: symmetric
        torch.testing.assert_close(out, out.flip(0, 1))


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize("fc_kernel", [4, 7])
def test_any_size_goes_in_and_comes_out(stride, fc_kernel):
    """With the least padding, and with enough of it that one pixel will do."""
    for padding in (16 * fc_kernel - 31, 16 * fc_kernel - 15):
        options = {**TINY, "fc_kernel": fc_kernel, "padding": padding}
        model = FCN(5, stride=stride, **options).to("meta")
        sizes = range(model.min_size, model.min_size + 33)
        assert sizes[0] == (33 if padding == 16 * fc_kernel - 31 else 1)
        for height, width in zip(sizes, reversed(sizes), strict=True):
            out = model(torch.empty(2, 3, height, width, device="meta"))
            assert out.shape == (2, 5, height, width)


def test_classifier_becomes_convolution():
    """fc7 of the converted net on a 224-pixel image without extra border is VGG's hidden layer."""
    stages, hidden = ((2,), (2,), (3,), (3,), (4,)), 8
    vgg = VGG(10, stages=stages, hidden=hidden).eval()
    model = FCN(stages=stages, hidden=hidden).eval()
    model.initialise_from_vgg(vgg)
    image = torch.rand(1, 3, 224, 224)
    expected = vgg.classifier[:5](vgg.features(image).flatten(1))
    model.features[0].padding = (1, 1)
    map7 = model.features(image)
    ours = model.relu(model.fc7(model.relu(model.fc6(map7))))
    torch.testing.assert_close(ours.flatten(1), expected)


@pytest.mark.parametrize("stride", STRIDES)
def test_pool_scales_do_not_change_what_can_be_expressed(stride):
    x = torch.rand(1, 3, 64, 64)
    plain = FCN(3, stride=stride, **TINY).eval()
    nn.init.normal_(plain.score_fr.weight)
    for name in ("score_pool4", "score_pool3"):
        if hasattr(plain, name):
            nn.init.normal_(getattr(plain, name).weight)
    scaled = FCN(3, stride=stride, **TINY, pool_scales=(0.01, 1e-4)).eval()
    state = plain.state_dict()
    for name, scale in (("score_pool4.weight", 0.01), ("score_pool3.weight", 1e-4)):
        if name in state:
            state[name] = state[name] / scale
    scaled.load_state_dict(state)
    torch.testing.assert_close(scaled(x), plain(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", STRIDES)
def test_training_lowers_the_loss_and_leaves_the_deconvolutions(stride):
    model = FCN(3, stride=stride, **TINY, batch_norm=True, dropout=0.0)
    x, target = torch.rand(2, 3, 48, 48), torch.randint(0, 3, (2, 48, 48))
    target[:, :24] = 0
    before = model.upscore.weight.clone()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    losses = []
    for _ in range(3):
        loss = F.cross_entropy(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]
    assert torch.equal(model.upscore.weight, before)


@pytest.mark.as_user
def test_exports_and_compiles():
    model, x = FCN(3, **TINY).eval(), torch.rand(2, 3, 40, 56)
    nn.init.normal_(model.score_pool3.weight)
    expected = model(x)
    torch.testing.assert_close(torch.export.export(model, (x,)).module()(x), expected)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(x), expected)


@pytest.mark.as_user
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 4}, r"stride: expected 32, 16 or 8, got 4"),
        ({"stages": ((4,),) * 4}, r"stages: expected five, got 4"),
        ({"fc_kernel": 3}, r"fc_kernel: expected 4 or more, got 3"),
        ({"fc_kernel": 7, "padding": 80}, r"padding: expected at least 81 .* got 80"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        FCN(3, **{**TINY, **options})


@pytest.mark.as_user
def test_only_the_papers_kernel_takes_vggs_linear_layers():
    with pytest.raises(ValueError, match=r"fc_kernel: VGG's first linear layer is 7×7, got 4"):
        FCN(3, **TINY).initialise_from_vgg(VGG(3, stages=TINY["stages"], hidden=16))


@pytest.mark.as_user
def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match=r"images: expected at least 33 pixels .*\(32, 90\)"):
        FCN(3, **TINY)(torch.rand(1, 3, 32, 90))

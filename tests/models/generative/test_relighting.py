"""Relighting: physics of the first stage, what the second adds, and that it learns."""

import pytest
import torch
from torch.nn import functional

from cvcourse.models import Relighting
from cvcourse.ops import lambert_shading
from tests import oracle


@pytest.mark.parametrize("case", oracle.cases("lambert_shading", "generative/losses.json"))
def test_lambert_shading_is_the_closed_form(case):
    oracle.assert_matches(case, lambert_shading)


def test_shading_of_turned_lights():
    """Turning the light about the normal changes nothing; from behind it gives nothing."""
    normal = functional.normalize(torch.randn(1, 3, dtype=torch.float64))
    light = functional.normalize(normal + 0.3 * torch.randn(1, 3, dtype=torch.float64))
    along = (light * normal).sum() * normal
    turned = along + torch.linalg.cross(normal, light - along)
    maps = normal[..., None, None]
    torch.testing.assert_close(lambert_shading(maps, turned), lambert_shading(maps, light))
    assert lambert_shading(maps, -normal).item() == 0
    assert lambert_shading(maps, normal).item() == pytest.approx(1)


def test_gradcheck_of_shading():
    normals = torch.randn(2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    light = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambert_shading, (normals, light))


def run(model, batch=2, size=(16, 16)):
    lights = functional.normalize(torch.rand(2, batch, 3), dim=2)
    return model(torch.rand(batch, 3, *size), *lights), lights[1]


def test_parts_make_the_picture():
    out, light = run(Relighting(width=4, levels=3).eval())
    torch.testing.assert_close(out.diffuse, out.albedo * lambert_shading(out.normals, light))
    torch.testing.assert_close(out.relit, (out.diffuse + out.residual) * out.visibility)
    torch.testing.assert_close(out.normals.norm(dim=1), torch.ones(2, 16, 16))
    assert (out.normals[:, 2] > 0).all()
    assert out.albedo.min() > 0
    assert out.albedo.max() < 1


def test_without_residual_and_shadow_it_is_the_diffuse_picture():
    model = Relighting(width=4, levels=3).eval()
    torch.nn.init.zeros_(model.relight.up[-1].weight)
    with torch.no_grad():
        model.relight.up[-1].bias.copy_(torch.tensor([0.0, 0, 0, 30]))
    out, _ = run(model)
    assert torch.equal(out.relit, out.diffuse)


@pytest.mark.parametrize(("batch", "size"), [(1, (16, 16)), (3, (17, 22))], ids=str)
def test_odd_sizes_and_single_pictures(batch, size):
    out, _ = run(Relighting(width=4, levels=3), batch, size)
    assert out.relit.shape == (batch, 3, *size)
    assert out.visibility.shape == (batch, 1, *size)


def test_paper_scale_on_meta():
    with torch.device("meta"):
        model = Relighting()
        out = model(torch.zeros(1, 3, 256, 256), torch.zeros(1, 3), torch.zeros(1, 3))
    assert out.relit.shape == (1, 3, 256, 256)


def test_steps_lower_the_loss():
    torch.manual_seed(0)
    model = Relighting(width=4, levels=3)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    images, wanted = torch.rand(2, 4, 3, 16, 16)
    lights = functional.normalize(torch.rand(2, 4, 3), dim=2)
    losses = []
    for _ in range(15):
        loss = (model(images, *lights).relit - wanted).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


@pytest.mark.as_user
def test_bad_input():
    model, images, light = Relighting(width=4, levels=3), torch.rand(2, 3, 16, 16), torch.rand(2, 3)
    with pytest.raises(ValueError, match=r"images: expected \(batch, 3, height, width\)"):
        model(images[:, :2], light, light)
    with pytest.raises(ValueError, match=r"new_light: expected \(2, 3\), got \(1, 3\)"):
        model(images, light, light[:1])
    with pytest.raises(ValueError, match="levels: expected at least 2, got 1"):
        Relighting(levels=1)
    with pytest.raises(ValueError, match="normals must have 3 channels"):
        lambert_shading(images[:, :2], light)
    with pytest.raises(ValueError, match=r"light must have shape \(2, 3\)"):
        lambert_shading(images, light[0])


def test_half_precision_is_near_the_whole():
    """Weights of 8 bits' precision: normals stay in float32, the networks get their own dtype."""
    torch.manual_seed(0)
    model, images = Relighting(width=4, levels=3), torch.rand(2, 3, 16, 16)
    light = functional.normalize(torch.rand(2, 2, 3), dim=2)
    want = model(images, *light)
    got = model.to(torch.bfloat16)(images.bfloat16(), *light)
    assert got.normals.dtype == torch.float32
    for ours, exact in zip(got, want, strict=True):
        torch.testing.assert_close(ours.float(), exact, rtol=0, atol=0.05)

import pytest
import torch
from scipy.ndimage import label

from cvcourse.methods import (
    cut_links,
    depth_edges,
    diffuse,
    grow_regions,
    inpaint_with_networks,
    layered_depth,
    render_layers,
)
from cvcourse.models import ColorInpainting, DepthInpainting, EdgeInpainting

HEIGHT, WIDTH = 24, 30


def scene(front=2.0, back=10.0):
    """A near rectangle, rows 8 to 15, columns 10 to 19, before a far wall of stripes."""
    depth = torch.full((HEIGHT, WIDTH), back)
    depth[8:16, 10:20] = front
    wall = torch.zeros(3, HEIGHT, WIDTH)
    wall[1] = torch.linspace(0.2, 0.9, HEIGHT)[:, None]
    image = wall.clone()
    image[:, 8:16, 10:20] = torch.tensor([1.0, 0, 0])[:, None, None]
    return image, depth, wall


def test_links_cut_are_the_pairs_of_pixels_above_the_threshold():
    depth = 1 + torch.rand(7, 9)
    cut = cut_links(depth, 0.1)
    pairs = 0
    for i in range(7):
        for j in range(9):
            for side, (di, dj) in enumerate(((-1, 0), (1, 0), (0, -1), (0, 1))):
                y, x = i + di, j + dj
                if 0 <= y < 7 and 0 <= x < 9:
                    jump = abs(1 / depth[i, j] - 1 / depth[y, x]) > 0.1
                    pairs += jump
                    assert cut[side, i, j] == jump
                else:
                    assert cut[side, i, j]
    outside = 2 * (7 + 9)
    assert cut.sum() == pairs + outside


def test_the_edge_is_the_far_pixels_around_the_near_thing():
    _, depth, _ = scene()
    numbers = depth_edges(depth)
    assert numbers.unique().tolist() == [0, 1]
    ring = torch.zeros_like(depth, dtype=torch.bool)
    ring[7, 10:20] = ring[16, 10:20] = True
    ring[8:16, 9] = ring[8:16, 20] = True
    assert torch.equal(numbers > 0, ring)


def test_edges_are_numbered_as_scipy_does_and_short_ones_left_out():
    depth = torch.full((40, 40), 10.0)
    depth[3:9, 3:9] = 2
    depth[20:22, 20:22] = 2  # 8 far pixels
    depth[28:36, 6:30] = 3
    numbers = depth_edges(depth, shortest=1)
    _, count = label((numbers > 0).numpy(), structure=[[1] * 3] * 3)
    assert numbers.max() == count == 3
    assert depth_edges(depth).max() == 2
    assert depth_edges(depth, shortest=1000).max() == 0


def test_context_is_the_wall_and_synthesis_what_the_thing_hides():
    _, depth, _ = scene()
    near = depth < 5
    regions = grow_regions(depth, depth_edges(depth) > 0)
    assert torch.equal(regions.context, ~near)
    assert torch.equal(regions.synthesis, near)
    thin = grow_regions(depth, depth_edges(depth) > 0, context_thickness=1, synthesis_thickness=2)
    assert not (thin.context & near).any()
    inner = torch.zeros_like(near)
    inner[10:14, 12:18] = True
    assert torch.equal(thin.synthesis, near & ~inner)
    assert thin.context.sum() < (~near).sum()


class TestLayers:
    def test_what_is_filled_comes_from_behind(self):
        image, depth, wall = scene()
        front, behind = layered_depth(image, depth)
        assert torch.equal(front.image, image)
        assert front.known.all()
        assert torch.equal(behind.known, depth < 5)
        torch.testing.assert_close(behind.depth[behind.known], torch.full((80,), 10.0))
        assert behind.image[0][behind.known].max() < 1e-6  # nothing red
        error = (behind.image - wall)[:, behind.known].abs()
        assert error.max() < 0.25

    def test_the_picture_comes_back_from_its_own_place(self):
        image, depth, _ = scene()
        depth = depth * (1 + 0.01 * torch.rand(HEIGHT, WIDTH))
        out, seen = render_layers(layered_depth(image, depth), focal=30.0)
        assert torch.equal(out, image)
        assert seen.all()

    def test_fewer_holes_than_warping_the_picture_alone(self):
        image, depth, wall = scene()
        layers = layered_depth(image, depth)
        shift = (0.4, 0.0, 0.0)
        alone, _ = render_layers(layers[:1], focal=30.0, shift=shift)
        filled, seen = render_layers(layers, focal=30.0, shift=shift)
        _, seen_alone = render_layers(layers[:1], focal=30.0, shift=shift)
        inside = torch.zeros_like(seen)
        inside[2:-2, 2:-4] = True
        assert (inside & ~seen_alone).sum() > 20
        assert not (inside & ~seen).any()
        holes = inside & ~seen_alone
        before = (alone - wall)[:, holes].abs().mean()
        assert (filled - wall)[:, holes].abs().mean() < 0.3 * before

    def test_a_camera_to_the_right_sees_near_things_go_left(self):
        image, depth, _ = scene()
        out, _ = render_layers(layered_depth(image, depth), focal=30.0, shift=(0.2, 0.0, 0.0))
        red = (out[0] > 0.5).nonzero()
        assert red[:, 1].min() == 10 - 3  # 30 · 0.2 / 2 pixels
        assert red[:, 0].min() == 8
        forward, _ = render_layers(layered_depth(image, depth), focal=30.0, shift=(0.0, 0.0, 1.0))
        assert (forward[0] > 0.5).nonzero()[:, 1].min() < 8

    def test_by_the_papers_networks(self):
        image, depth, _ = scene()
        torch.manual_seed(0)
        inpaint = inpaint_with_networks(
            EdgeInpainting(width=2, blocks=1).eval(),
            DepthInpainting(widths=(4, 4)).eval(),
            ColorInpainting(widths=(4, 4)).eval(),
        )
        masks = [m.float()[None, None] for m in grow_regions(depth, depth_edges(depth) > 0)]
        edge = (depth_edges(depth) > 0).float()[None, None]
        color, far = inpaint(image[None], depth[None, None], edge, *masks)
        kept = masks[1][0, 0] == 0
        torch.testing.assert_close(color[0][:, kept], image[:, kept])
        torch.testing.assert_close(far[0, 0][kept], depth[kept])
        hidden = image.clone()
        hidden[:, ~kept] = 0.5  # what the near thing looks like does not matter
        other, _ = inpaint(hidden[None], depth[None, None], edge, *masks)
        torch.testing.assert_close(other[0][:, ~kept], color[0][:, ~kept])


def test_the_edge_network_sees_disparity_within_the_context():
    depth = torch.tensor([[[[2.0, 4.0], [8.0, 1.0]]]])
    context = torch.tensor([[[[1.0, 1.0], [1.0, 0.0]]]])
    seen = []

    def edges(x):
        seen.append(x)
        return x[:, :1]

    inpaint = inpaint_with_networks(edges, lambda x: x[:, :1], lambda x: x[:, :3])
    inpaint(torch.rand(1, 3, 2, 2), depth, torch.zeros_like(depth), context, 1 - context)
    assert seen[0][0, 3].tolist() == [[1.0, 0.5], [0.25, 0.0]]  # the nearest has 1


def test_diffusion_of_a_constant_is_the_constant():
    context = torch.zeros(1, 1, 9, 9)
    context[..., 0] = 1
    image, depth = torch.full((1, 3, 9, 9), 0.3), torch.full((1, 1, 9, 9), 4.0)
    noisy = torch.where(context > 0, image, torch.rand(1, 3, 9, 9))
    color, far = diffuse(noisy, depth, context, context, 1 - context)
    torch.testing.assert_close(color, image)
    torch.testing.assert_close(far, depth)


def test_no_edge_gives_the_picture_alone():
    image, _, _ = scene()
    layers = layered_depth(image, torch.full((HEIGHT, WIDTH), 3.0))
    assert len(layers) == 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_places_in_wide_pictures_of_half_precision(dtype):
    image, depth = torch.rand(3, 3, 2100).to(dtype), torch.full((3, 2100), 2.0).to(dtype)
    layers = layered_depth(image, depth)
    out, seen = render_layers(layers, focal=100.0)
    assert torch.equal(out, image)
    assert seen.all()


@pytest.mark.as_user
def test_bad_input():
    image, depth, _ = scene()
    with pytest.raises(ValueError, match="depth must have shape"):
        layered_depth(image, depth[1:])
    with pytest.raises(ValueError, match="depth must be above 0"):
        layered_depth(image, depth - 2)
    with pytest.raises(ValueError, match="edge must have shape"):
        grow_regions(depth, depth[1:] > 5)
    with pytest.raises(ValueError, match="layers must hold at least one"):
        render_layers([], focal=1.0)
    with pytest.raises(ValueError, match="focal must be above 0"):
        render_layers(layered_depth(image, depth), focal=0.0)

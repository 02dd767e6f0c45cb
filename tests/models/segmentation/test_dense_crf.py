from itertools import pairwise as pairs
from itertools import product

import pytest
import torch
from torch.autograd import gradcheck

from cvcourse.models.segmentation.dense_crf import (
    Pairwise,
    crf_energy,
    dense_crf,
    free_energy,
    mean_field,
    pairwise_kernel,
)
from tests.oracle import formula_tensor

SMALL = Pairwise(2.0, 1.5, 3.0, 4.0, 0.3)


def tiny(classes=3, height=2, width=3, strength=1.0):
    """A problem whose labellings can be counted: unary, kernel, all labellings, their energies."""
    image = formula_tensor("image", (3, height, width)).double()
    unary = strength * formula_tensor("unary", (classes, height * width), -2, 2).double()
    kernel = pairwise_kernel(image, SMALL)
    labels = torch.tensor(list(product(range(classes), repeat=height * width)))
    return unary, kernel, labels, crf_energy(labels, unary, kernel)


def unequal_costs():
    costs = formula_tensor("costs", (3, 3), 0, 2).double()
    return (costs + costs.T) * (1 - torch.eye(3, dtype=torch.float64))


class TestPairwiseKernel:
    @pytest.mark.parametrize("normalize", [True, False])
    def test_by_its_formula(self, normalize):
        image = formula_tensor("picture", (3, 3, 4)).double()
        kernel = pairwise_kernel(image, SMALL._replace(normalize=normalize))
        expected = torch.zeros(12, 12, dtype=torch.float64)
        for weight, sigma, color_sigma in ((2.0, 1.5, None), (3.0, 4.0, 0.3)):
            k = torch.zeros(12, 12, dtype=torch.float64)
            for i, j in product(range(12), repeat=2):
                (yi, xi), (yj, xj) = divmod(i, 4), divmod(j, 4)
                exponent = ((yi - yj) ** 2 + (xi - xj) ** 2) / (2 * sigma**2)
                if color_sigma is not None:
                    difference = image[:, yi, xi] - image[:, yj, xj]
                    exponent += difference.square().sum() / (2 * color_sigma**2)
                k[i, j] = torch.exp(-torch.as_tensor(exponent, dtype=torch.float64))
            if normalize:
                k = k / (k.sum(0) * k.sum(1)[:, None]).sqrt()
            expected += weight * k
        torch.testing.assert_close(kernel, expected.fill_diagonal_(0))

    def test_a_pixel_has_no_vote_on_itself(self):
        assert (pairwise_kernel(torch.rand(3, 4, 4)).diagonal() == 0).all()


class TestEnergy:
    @pytest.mark.parametrize("costs", [None, unequal_costs()])
    def test_by_a_loop_over_pairs(self, costs):
        unary, kernel, labels, _ = tiny()
        penalty = 1 - torch.eye(3, dtype=torch.float64) if costs is None else costs
        ours = crf_energy(labels[::97], unary, kernel, compatibility=costs)
        for x, energy in zip(labels[::97], ours, strict=True):
            expected = sum(unary[x[i], i] for i in range(6))
            for i in range(6):
                for j in range(i + 1, 6):
                    expected = expected + penalty[x[i], x[j]] * kernel[i, j]
            torch.testing.assert_close(energy, expected)

    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.uint16], ids=str)
    def test_labels_of_any_integer_dtype(self, dtype):
        """Bytes would index as a mask does."""
        unary, kernel, labels, energy = tiny()
        assert torch.equal(crf_energy(labels.to(dtype), unary, kernel), energy)

    def test_free_energy_is_divergence_less_log_partition(self):
        unary, kernel, labels, energies = tiny()
        log_z = torch.logsumexp(-energies, 0)
        q = formula_tensor("q", (3, 6), -1, 1).double().softmax(0)
        q_of_labels = q[labels, torch.arange(6)].prod(1)
        divergence = (q_of_labels * (q_of_labels.log() + energies + log_z)).sum()
        torch.testing.assert_close(free_energy(q, unary, kernel), divergence - log_z)

    def test_free_energy_of_a_sure_labelling_is_its_energy(self):
        unary, kernel, labels, energies = tiny()
        one_hot = torch.nn.functional.one_hot(labels[100], 3).T.double()
        torch.testing.assert_close(free_energy(one_hot, unary, kernel), energies[100])


class TestMeanField:
    @pytest.mark.parametrize("costs", [None, unequal_costs()])
    @pytest.mark.parametrize("strength", [0.1, 1.0, 5.0])
    def test_sequential_updates_never_raise_the_free_energy(self, strength, costs):
        unary, kernel, labels, _ = tiny(strength=strength)
        energies = crf_energy(labels, unary, kernel, compatibility=costs)
        least = -torch.logsumexp(-energies, 0)
        trace = [
            free_energy(
                mean_field(
                    unary, kernel, compatibility=costs, iterations=n, sequential=True
                ),
                unary,
                kernel,
                compatibility=costs,
            ).item()
            for n in range(12)
        ]  # fmt: skip
        assert all(after <= before + 1e-12 for before, after in pairs(trace))
        assert trace[1] < trace[0]
        assert trace[-1] >= least

    def test_both_orders_end_in_a_fixed_point(self):
        unary, kernel, *_ = tiny()
        for sequential in (True, False):
            q = mean_field(unary, kernel, iterations=300, sequential=sequential)
            costs = 1 - torch.eye(3, dtype=torch.float64)
            expected = (-unary - costs @ q @ kernel).softmax(0)
            torch.testing.assert_close(q, expected, atol=1e-10, rtol=0)

    def test_marginals_come_close_to_the_exact_ones_when_votes_are_weak(self):
        unary, kernel, labels, _ = tiny()
        errors = []
        for weakness in (0.02, 0.1, 0.4):
            energies = crf_energy(labels, unary, weakness * kernel)
            probability = (-energies).softmax(0)
            exact = torch.stack([probability @ (labels == c).double() for c in range(3)])
            q = mean_field(unary, weakness * kernel, iterations=100)
            errors.append((q - exact).abs().max().item())
        # the error is of second order in the votes
        assert errors[0] < 5e-4
        assert errors[0] < errors[1] / 10 < errors[2] / 40

    def test_most_probable_labels_are_the_enumerated_ones(self):
        unary, kernel, labels, energies = tiny(strength=2.0)
        q = mean_field(unary, kernel, iterations=50, sequential=True)
        assert torch.equal(q.argmax(0), labels[energies.argmin()])

    def test_no_votes_leave_the_softmax(self):
        unary, kernel, *_ = tiny()
        expected = (-unary).softmax(0)
        torch.testing.assert_close(mean_field(unary, 0 * kernel), expected)
        torch.testing.assert_close(mean_field(unary, kernel, iterations=0), expected)


def noisy_square(size, classes=3):
    """A bright square on dark ground; logits that are right on average and often wrong."""
    target = torch.zeros(size, size, dtype=torch.long)
    target[size // 4 : -size // 4, size // 4 : -size // 4] = 1
    image = 0.2 + 0.6 * target + 0.05 * formula_tensor("grain", (3, size, size), -1, 1)
    truth = torch.nn.functional.one_hot(target, classes).permute(2, 0, 1)
    logits = 1.5 * truth + 3 * formula_tensor("noise", (classes, size, size), -1, 1)
    return image[None], logits[None].float(), target


class TestDenseCRF:
    @pytest.mark.parametrize("exact", [True, False])
    def test_edges_snap(self, exact):
        image, logits, target = noisy_square(32)
        before = (logits[0].argmax(0) != target).float().mean()
        marginals = dense_crf(logits, image, exact=exact)
        after = (marginals[0].argmax(0) != target).float().mean()
        assert before > 0.15
        assert after < 0.005
        torch.testing.assert_close(marginals.sum(1), torch.ones(1, 32, 32))

    def test_exact_path_is_mean_field_on_the_kernel(self):
        image, logits, _ = noisy_square(8)
        unary = -logits[0].log_softmax(0).flatten(1)
        expected = mean_field(unary, pairwise_kernel(image[0], SMALL), iterations=5)
        ours = dense_crf(logits, image, SMALL, iterations=5)
        torch.testing.assert_close(ours[0].flatten(1), expected)

    def test_small_is_exact_and_large_is_filtered(self):
        for size, exact in ((32, True), (33, False)):
            image, logits, _ = noisy_square(size)
            chosen = dense_crf(logits, image, iterations=2)
            assert torch.equal(chosen, dense_crf(logits, image, iterations=2, exact=exact))
            assert not torch.equal(chosen, dense_crf(logits, image, iterations=2, exact=not exact))

    @pytest.mark.parametrize("normalize", [True, False])
    def test_smoothness_filter_is_exact(self, normalize):
        image, logits, _ = noisy_square(12)
        image = image[..., :9]
        options = Pairwise(bilateral_weight=0.0, normalize=normalize)
        both = [
            dense_crf(logits[..., :9].double(), image.double(), options, iterations=3, exact=exact)
            for exact in (True, False)
        ]
        torch.testing.assert_close(*both)

    @pytest.mark.parametrize("sigmas", [(60.0, 20 / 255), (12.0, 0.2)])
    def test_appearance_filter_is_within_a_few_percent(self, sigmas):
        """On smooth ramps and noise, every phase within a cell of the grid occurs."""
        ramp = torch.linspace(0, 1, 30)[:, None] * torch.ones(30)
        image = torch.stack([ramp, ramp.T, formula_tensor("texture", (30, 30))])
        image = (0.8 * image + 0.1 * ramp).double()
        q = formula_tensor("q", (3, 900), -2, 2).double().softmax(0)
        options = Pairwise(0.0, 3.0, 1.0, *sigmas)
        expected = q @ pairwise_kernel(image, options)
        # one update that starts at q and has no unary term to speak of gives the votes back
        logits = q.log().view(1, 3, 30, 30)
        update = dense_crf(logits, image[None], options, iterations=1, exact=False)
        votes = (update.log() - logits).view(3, 900)
        error = (votes - votes.mean(0)) - (expected - expected.mean(0))
        assert error.norm() / expected.norm() < 0.03

    def test_pictures_of_a_batch_do_not_meet(self):
        image, logits, _ = noisy_square(10)
        images, both = torch.cat([image, 1 - image]), torch.cat([logits, -logits])
        together = dense_crf(both, images, iterations=3)
        torch.testing.assert_close(together[1:], dense_crf(-logits, 1 - image, iterations=3))

    @pytest.mark.parametrize("channels", [1, 4])
    def test_any_number_of_channels(self, channels):
        _, logits, target = noisy_square(16)
        image = target.float().expand(1, channels, 16, 16)
        for exact in (True, False):
            assert dense_crf(logits, image, exact=exact).shape == logits.shape

    @pytest.mark.parametrize("exact", [True, False])
    def test_gradients_reach_logits_and_weights(self, exact):
        image = formula_tensor("small", (1, 3, 4, 5)).double()
        logits = formula_tensor("logits", (1, 3, 4, 5)).double().requires_grad_()
        smooth, bilateral = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
        costs = unequal_costs().requires_grad_()

        def run(logits, smooth, bilateral, costs):
            weights = Pairwise(smooth, 1.5, bilateral, 4.0, 0.3)
            options = {"compatibility": costs, "iterations": 2, "exact": exact}
            return dense_crf(logits, image, weights, **options)

        assert gradcheck(run, (logits, smooth, bilateral, costs))

    @pytest.mark.as_user
    @pytest.mark.parametrize(
        ("pairwise", "message"),
        [
            (Pairwise(smooth_sigma=0.0), "pairwise: expected smooth_sigma > 0, got 0.0"),
            (Pairwise(bilateral_sigma=-1.0), "pairwise: expected bilateral_sigma > 0"),
            (Pairwise(color_sigma=float("nan")), "pairwise: expected color_sigma > 0, got nan"),
            (
                Pairwise(color_sigma=1e-3),
                "pairwise: the sigmas ask for a bilateral grid of 2 × 2 ×",
            ),
        ],
    )
    def test_impossible_kernels_are_refused(self, pairwise, message):
        image, logits, _ = noisy_square(8)
        with pytest.raises(ValueError, match=message):
            dense_crf(logits, image, pairwise, exact=False)

    @pytest.mark.parametrize("exact", [True, False])
    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
    def test_labels_are_those_of_float64_in_any_precision_and_under_autocast(self, dtype, exact):
        """320 columns: from 256 on, bfloat16 has one place for two of them."""
        image = formula_tensor("image", (1, 3, 3, 320)).to(dtype)
        logits = formula_tensor("logits", (1, 3, 3, 320), -2, 2).to(dtype)
        options = {"iterations": 3, "exact": exact}
        want = dense_crf(logits.double(), image.double(), SMALL, **options)
        autocast = torch.float16 if dtype == torch.float16 else torch.bfloat16
        for enabled in (False, True):
            with torch.autocast("cpu", dtype=autocast, enabled=enabled):
                got = dense_crf(logits, image, SMALL, **options)
            assert got.dtype == torch.float32
            torch.testing.assert_close(got.double(), want, rtol=0, atol=2e-4)

    def test_parts_under_autocast_and_of_several_dtypes(self):
        unary, kernel, labels, energy = tiny()
        q = mean_field(unary, kernel)
        for part in (unary.float(), unary):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                for sequential in (False, True):
                    got = mean_field(part, kernel.float(), sequential=sequential)
                    want = mean_field(unary, kernel, sequential=sequential)
                    torch.testing.assert_close(got.double(), want, rtol=0, atol=1e-5)
                got = free_energy(q, part, kernel.float()), free_energy(q.float(), part, kernel)
                assert float(got[0]) == pytest.approx(float(free_energy(q, unary, kernel)))
                assert float(got[1]) == pytest.approx(float(free_energy(q, unary, kernel)))
                got = crf_energy(labels, part, kernel.float())
                torch.testing.assert_close(got.double(), energy, rtol=1e-5, atol=1e-5)

    def test_logits_images_and_costs_of_several_dtypes(self):
        image, logits, _ = noisy_square(8)
        want = dense_crf(logits.double(), image.double(), compatibility=unequal_costs())
        for pair in ((logits.float(), image.double()), (logits.double(), image.float())):
            got = dense_crf(*pair, compatibility=unequal_costs().float())
            torch.testing.assert_close(got, want, rtol=0, atol=1e-4)

    @pytest.mark.parametrize("exact", [True, False, None])
    def test_an_empty_batch(self, exact):
        q = dense_crf(torch.zeros(0, 3, 4, 5), torch.zeros(0, 3, 4, 5), exact=exact)
        assert q.shape == (0, 3, 4, 5)

    @pytest.mark.as_user
    @pytest.mark.parametrize("dtype", [torch.uint8, torch.int64], ids=str)
    def test_pictures_of_integers_are_refused(self, dtype):
        image, logits, _ = noisy_square(8)
        with pytest.raises(ValueError, match=f"images must be floating point, got {dtype}"):
            dense_crf(logits, (255 * image).to(dtype))
        with pytest.raises(ValueError, match=f"logits must be floating point, got {dtype}"):
            dense_crf(logits.to(dtype), image)
        with pytest.raises(ValueError, match=f"image must be floating point, got {dtype}"):
            pairwise_kernel((255 * image[0]).to(dtype))

    @pytest.mark.as_user
    def test_other_bad_arguments_are_named(self):
        image, logits, _ = noisy_square(8)
        with pytest.raises(ValueError, match="images: expected the batch, height and width"):
            dense_crf(logits, image[..., :7])
        with pytest.raises(ValueError, match=r"compatibility: expected shape \(3, 3\), got \(2, 2"):
            dense_crf(logits, image, compatibility=torch.zeros(2, 2))
        with pytest.raises(ValueError, match="iterations: expected 0 or more, got -1"):
            dense_crf(logits, image, iterations=-1)

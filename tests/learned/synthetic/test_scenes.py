from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diptych.learned.synthetic.draws import generator
from diptych.learned.synthetic.scenes import PixelCorrespondences, Sample, _materials, correspondences, sample
from torch import Tensor

NUMBERS = range(6)
SMALL: dict[str, Any] = {"seed": 5, "views": 3, "width": 128, "height": 96}
TINY: dict[str, Any] = {"seed": 5, "views": 2, "width": 64, "height": 48}


def clean(number: int) -> Sample:
    return sample(number, **SMALL, depth_views=2, augment=False)


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [clean(number) for number in NUMBERS]


def tensors(made: Sample) -> list[Tensor]:
    return [value for value in vars(made).values() if isinstance(value, Tensor)]


def resample(image: Tensor, matches: PixelCorrespondences, mode: str) -> Tensor:
    """An image (C, H, W) of the second view at the matches of the first view's pixels."""
    size = torch.tensor([image.shape[2], image.shape[1]])
    grid = matches.xy / size * 2 - 1
    return F.grid_sample(image[None], grid[None], mode=mode, align_corners=False, padding_mode="border")[0]


def test_the_same_number_gives_the_same_bytes_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    first = sample(3, **SMALL)
    state = torch.get_rng_state()
    torch.manual_seed(2)
    second = sample(3, **SMALL)
    assert all(torch.equal(a, b) for a, b in zip(tensors(first), tensors(second), strict=True))
    assert (first.near, first.far) == (second.near, second.far)
    torch.manual_seed(1)
    assert torch.equal(state, torch.get_rng_state())


def test_the_number_of_threads_changes_no_byte() -> None:
    threads = torch.get_num_threads()
    try:
        made = []
        for count in (1, 2):
            torch.set_num_threads(count)
            made.append([sample(number, seed=3, views=1) for number in (0, 2)])
    finally:
        torch.set_num_threads(threads)
    for one, two in zip(*made, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(two), strict=True))


@pytest.mark.parametrize("key", [{"number": 4, "seed": 5}, {"number": 3, "seed": 6}])
def test_another_number_or_seed_gives_another_sample(key: dict[str, Any]) -> None:
    one = sample(3, seed=5, views=2, width=64, height=48)
    other = sample(**key, views=2, width=64, height=48)
    assert (one.images - other.images).abs().mean() > 0.02


def test_shapes_types_and_ranges() -> None:
    made = sample(1, seed=2, views=4, width=72, height=52, depth_views=3)
    assert made.images.shape == (4, 3, 52, 72)
    assert made.intrinsics.shape == made.rotations.shape == (4, 3, 3)
    assert made.translations.shape == (4, 3)
    assert made.depth.shape == (3, 52, 72)
    assert made.normal.shape == (3, 52, 72, 3)
    assert all(value.dtype == torch.float32 for value in tensors(made))
    assert made.images.min() >= 0
    assert made.images.max() <= 1
    known = made.depth[0][made.depth[0] > 0]
    inside = (known > made.near) & (known < made.far)
    assert 0 < made.near < made.far
    assert inside.float().mean() > 0.97


def test_rotations_are_rotations(samples: list[Sample]) -> None:
    for made in samples:
        product = made.rotations @ made.rotations.transpose(1, 2)
        torch.testing.assert_close(product, torch.eye(3).expand_as(product), atol=1e-5, rtol=0)
        assert (torch.linalg.det(made.rotations) > 0).all()


def test_too_many_depth_views_are_refused() -> None:
    with pytest.raises(ValueError, match="3 of 2 views"):
        sample(0, seed=0, views=2, depth_views=3)


def test_depths_of_two_views_are_one_surface(samples: list[Sample]) -> None:
    for made in samples:
        matches = correspondences(made)
        assert 0.2 < matches.visible.float().mean() < 1
        # On planes inverse depth is linear, so its interpolation is exact; curved shapes and relief differ a little.
        inverse = resample(1 / made.depth[1:].clamp(min=1e-6), matches, "bilinear")[0]
        error = (inverse * matches.depth - 1).abs()[matches.visible]
        assert error.median() < 1e-4


def test_there_and_back_is_the_same_pixel(samples: list[Sample]) -> None:
    for made in samples:
        there, back = correspondences(made, 0, 1), correspondences(made, 1, 0)
        # The match of a match, by interpolating the way back where all of it is smooth.
        home = resample(back.xy.permute(2, 0, 1), there, "bilinear").permute(1, 2, 0)
        height, width = there.visible.shape
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        error = (home - torch.stack([x, y], dim=-1)).norm(dim=-1)[there.visible]
        assert error.median() < 6e-3
        assert error.quantile(0.9) < 0.2


def test_hidden_points_are_not_visible(samples: list[Sample]) -> None:
    hidden = 0
    for made in samples:
        matches = correspondences(made)
        height, width = matches.visible.shape
        inside = ((matches.xy > 1) & (matches.xy < torch.tensor([width - 1.0, height - 1.0]))).all(dim=-1)
        nearer = resample(made.depth[1:], matches, "nearest")[0]
        behind = inside & (nearer > 0) & (nearer < 0.97 * matches.depth)
        assert not (matches.visible & behind).any()
        hidden += int(behind.sum())
    assert hidden > 100


def test_normals_are_those_of_the_depth_and_face_the_camera(samples: list[Sample]) -> None:
    angles = []
    for made in samples:
        depth, normal = made.depth[0], made.normal[0]
        height, width = depth.shape
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        rays = torch.stack([x, y, torch.ones_like(x)], dim=-1) @ torch.linalg.inv(made.intrinsics[0]).T
        points = rays * depth[..., None]
        measured = torch.linalg.cross(points[2:, 1:-1] - points[:-2, 1:-1], points[1:-1, 2:] - points[1:-1, :-2])
        measured = F.normalize(measured, dim=-1)
        known = depth > 0
        torch.testing.assert_close(normal.norm(dim=-1)[known], torch.ones(int(known.sum())), atol=1e-4, rtol=0)
        assert ((normal * rays).sum(dim=-1)[known] <= 1e-4).all()
        smooth = F.max_pool2d(depth[None], 3, 1) < 1.05 * -F.max_pool2d(-depth[None], 3, 1)
        smooth = smooth[0] & known[1:-1, 1:-1]
        cosine = (measured * normal[1:-1, 1:-1]).sum(dim=-1)[smooth]
        angles.append(torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).median().item())
    # Planes give nothing but rounding; in relief the neighboring pixels already lie on another slope.
    assert np.median(angles) < 0.5
    assert max(angles) < 6


def test_a_source_warped_by_exact_depth_looks_like_the_reference(samples: list[Sample]) -> None:
    """So textures are filtered alike in all views, and without a shift: the sub-pixel truth of learning."""
    shifts = []
    for made in samples:
        matches = correspondences(made)
        warped = resample(made.images[1], matches, "bicubic")
        difference = warped - made.images[0]
        error = difference.abs().mean(dim=0)[matches.visible]
        contrast = made.images[0].std()
        assert error.median() < 0.1 * contrast
        across = (made.images[0].roll(-1, 2) - made.images[0].roll(1, 2)) / 2
        seen = matches.visible & (difference.abs().amax(dim=0) < 0.1)
        shifts.append(((across * difference)[:, seen].sum() / across[:, seen].square().sum()).item())
    assert abs(np.median(shifts)) < 0.02


def test_images_have_detail_at_the_pixel() -> None:
    """Neighboring pixels differ as they do in photographs: not blurred, not white noise."""
    steps = []
    for number in NUMBERS:
        image = sample(number, **SMALL).images[0]
        steps.append(((image[..., 1:] - image[..., :-1]).std() / image.std()).item())
    assert 0.2 < np.median(steps) < 1.0


def test_cameras_of_augmented_samples_are_slightly_wrong() -> None:
    """By less than about 0.1 pixels of reprojection, and not at all in half of them."""
    errors = []
    for number in range(8):
        exact = sample(number, **TINY, depth_views=2, pose_noise=0.0)
        noisy = sample(number, **TINY, depth_views=2)
        torch.testing.assert_close(exact.depth, noisy.depth)
        wrong = dataclasses.replace(exact, rotations=noisy.rotations, translations=noisy.translations)
        moved = (correspondences(wrong).xy - correspondences(exact).xy).norm(dim=-1)
        errors.append(moved[exact.depth[0] > 0].median().item())
    assert max(errors) < 0.4
    assert max(errors) > 0.01
    assert 1 <= sum(error < 1e-6 for error in errors) <= 7


def test_views_of_a_bundle_triangulate_well() -> None:
    angles = []
    for number in range(8):
        made = sample(number, seed=9, views=5, width=32, height=24)
        depth = made.depth[0][made.depth[0] > 0].median()
        centers = -torch.einsum("vji,vj->vi", made.rotations, made.translations)
        target = made.rotations[0].T @ (torch.tensor([0.0, 0.0, 1.0]) * depth - made.translations[0])
        rays = F.normalize(centers - target, dim=1)
        angles += torch.rad2deg(torch.acos((rays[1:] @ rays[0]).clamp(-1, 1))).tolist()
    assert 6 < np.median(angles) < 18
    assert min(angles) > 1
    assert max(angles) < 50


def test_plain_materials_have_less_of_a_pattern() -> None:
    def busy(plain: float) -> float:
        image = torch.stack([sample(number, **TINY, augment=False, plain=plain).images[0] for number in NUMBERS])
        return float(image.diff(dim=3).abs().mean())

    assert busy(1.0) < 0.7 * busy(0.0)


def test_shapes_share_a_material_with_the_previous_one() -> None:
    def kinds(same_material: float) -> int:
        return len(set(map(id, _materials(generator(1, 2), 40, 3, 128, same_material))))

    assert kinds(1.0) == 1
    assert kinds(0.0) == 40
    assert 10 < kinds(0.5) < 30

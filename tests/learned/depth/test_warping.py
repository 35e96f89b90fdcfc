import numpy as np
import pytest
import torch
from diptych.learned.depth.warping import Rays, correlate
from scipy.spatial.transform import Rotation

WIDTH, HEIGHT = 48, 32


def posed(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Intrinsics, rotations and translations of a view and two that see the same from elsewhere."""
    rng = np.random.default_rng(seed)
    intrinsics = np.stack([[[50 + 3 * i, 0, 24], [0, 52, 16 - i], [0, 0, 1]] for i in range(3)]).astype(float)
    rotations = Rotation.from_rotvec(rng.normal(0, 0.1, (3, 3))).as_matrix()
    translations = rng.normal(0, 0.3, (3, 3))
    return tuple(torch.from_numpy(each)[None] for each in (intrinsics, rotations, translations))  # pyright: ignore


def rays(middle: float = 0.25) -> Rays:
    return Rays.between(*posed(), WIDTH, HEIGHT, torch.tensor([middle]))


@pytest.mark.parametrize("size", (1, 2, 4))
def test_positions_are_projections(size: int) -> None:
    k, r, t = (each[0].numpy() for each in posed())
    inverse = np.random.default_rng(1).uniform(0.1, 0.5, (1, 2, HEIGHT // size, WIDTH // size))
    y, x = (np.mgrid[: HEIGHT // size, : WIDTH // size] + 0.5) * size
    points = np.linalg.inv(k[0]) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    for source in (1, 2):
        found = rays().at(size).positions(source - 1, torch.from_numpy(inverse).float()).numpy()[0]
        for hypothesis in range(2):
            world = r[0].T @ (points / inverse[0, hypothesis].ravel() - t[0][:, None])
            there = k[source] @ (r[source] @ world + t[source][:, None])
            expected = (there[:2] / there[2] / size).T.reshape(*x.shape, 2)
            np.testing.assert_allclose(found[hypothesis], expected, atol=2e-3)


def test_behind_a_camera_is_far_outside() -> None:
    k, r, t = posed()
    t[0, 1] = r[0, 1] @ torch.linalg.inv(r[0, 0]) @ t[0, 0] + torch.tensor([0.0, 0.0, -10.0], dtype=torch.float64)
    before = Rays.between(k, r, t, WIDTH, HEIGHT, torch.tensor([0.5]))
    assert (before.positions(0, torch.full((1, 1, HEIGHT, WIDTH), 0.5)) < -1000).all()


def test_a_pixel_is_a_pixel() -> None:
    found = rays()
    step = found.pixel()
    middle = torch.full((1, 1, HEIGHT, WIDTH), 0.25)
    moved = [
        (found.positions(s, middle + step) - found.positions(s, middle))[0, 0, HEIGHT // 2, WIDTH // 2].norm()
        for s in (0, 1)
    ]
    assert float(torch.stack(moved).square().mean().sqrt()) == pytest.approx(1, abs=0.05)


def test_no_pixel_is_worth_more_than_the_range() -> None:
    k, r, _ = posed()
    still = Rays.between(k, r, torch.zeros(1, 3, 3, dtype=torch.float64), WIDTH, HEIGHT, torch.tensor([0.25]))
    assert torch.isfinite(still.pixel()).all()


def test_correlation_peaks_where_the_features_are_the_same() -> None:
    torch.manual_seed(0)
    found = rays()
    smooth = torch.nn.functional.interpolate(torch.randn(1, 8, 8, 12), (HEIGHT, WIDTH), mode="bicubic")
    source = torch.nn.functional.normalize(smooth, dim=1)
    true = torch.full((1, 1, HEIGHT, WIDTH), 0.25)
    xy = found.positions(0, true)[:, 0] / torch.tensor([WIDTH, HEIGHT]) * 2 - 1
    reference = torch.nn.functional.grid_sample(source, xy, align_corners=False)
    inside = ((xy.abs() < 0.8).all(-1))[0]
    inverse = true + found.pixel() * torch.linspace(-6, 6, 7)[None, :, None, None]
    for coarser, features in ((1, source), (2, torch.nn.functional.avg_pool2d(source, 2))):
        said = correlate(reference, [features, features], found, inverse, 4, coarser)[0]
        assert said.shape == (1, 4, 7, HEIGHT, WIDTH)
        assert (said.mean(1)[0].argmax(0)[inside] == 3).float().mean() > 0.8


@pytest.mark.parametrize("coarser", (1, 2))
def test_one_pass_gives_what_sampling_gives(coarser: int) -> None:
    torch.manual_seed(1)
    found = rays()
    reference, source = torch.randn(1, 8, HEIGHT, WIDTH), torch.randn(1, 8, HEIGHT // coarser, WIDTH // coarser)
    inverse = torch.rand(1, 5, HEIGHT, WIDTH)
    sampled = correlate(reference, [source, source], found, inverse, 2, coarser)
    with torch.inference_mode():
        in_one_pass = correlate(reference, [source, source], found, inverse, 2, coarser)
    for slow, fast in zip(sampled, in_one_pass, strict=True):
        assert (slow - fast).abs().max() < 1e-4
        assert (slow != 0).float().mean() > 0.2

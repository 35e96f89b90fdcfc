import pytest
import torch
from diptych.learned.depth.network import ConvexUpsampling, DepthNetwork, FeaturePyramid, Peak, normalize
from diptych.learned.depth.task import DepthTask, rays_of
from diptych.learned.depth.warping import Rays
from diptych.learned.synthetic.scenes import sample


@pytest.fixture(scope="module")
def network() -> DepthNetwork:
    torch.manual_seed(0)
    return DepthNetwork().eval()


def estimate(network: DepthNetwork, scale: float = 1.0) -> torch.Tensor:
    """What it says of a scene, in units that make the scene so many times larger."""
    scene = sample(3, seed=0, views=3, width=96, height=64)
    near, far = torch.tensor([scene.near * scale]), torch.tensor([scene.far * scale])
    k, r, t = (each[None].double() for each in (scene.intrinsics, scene.rotations, scene.translations * scale))
    rays = Rays.between(k, r, t, 96, 64, (1 / near + 1 / far) / 2)
    with torch.inference_mode():
        return network(scene.images[:1], [scene.images[1:2], scene.images[2:]], rays, near, far, 2).inverse_depth


def test_units_do_not_matter(network: DepthNetwork) -> None:
    once, large = estimate(network), 1000 * estimate(network, 1000.0)
    assert (once / large - 1).abs().median() < 1e-4


def test_exposure_hardly_matters() -> None:
    torch.manual_seed(0)
    features, image = FeaturePyramid().eval(), torch.rand(1, 3, 32, 32)
    bright, dark = features(normalize(image)), features(normalize(0.5 * image + 0.1))
    for size, values in bright.items():
        assert (values - dark[size]).abs().mean() < 0.15


def test_matches_before_it_has_learned_anything(network: DepthNetwork) -> None:
    task = DepthTask(0, torch.device("cpu"))
    scene = sample(3, seed=0, views=4, width=192, height=144, augment=False)
    near, far = torch.tensor([scene.near]), torch.tensor([scene.far])
    with torch.inference_mode():
        said = network(scene.images[:1], list(scene.images[1:].split(1)), rays_of(scene), near, far)
    error = (said.inverse_depth[0] * scene.depth[0] - 1).abs()[scene.depth[0] > 0]
    guess = (0.5 * (1 / near + 1 / far) * scene.depth[0] - 1).abs()[scene.depth[0] > 0]
    assert error.median() < 0.5 * guess.median()
    assert task.learning_rate > 0


def test_peak_is_where_the_correlation_is() -> None:
    said = torch.zeros(1, 2, 3, 4, 4)
    said[:, :, 2] = 1
    assert torch.allclose(Peak()(said, (-1.0, 0.0, 1.0)), torch.tensor(1.0), atol=0.01)


def test_enlarging_keeps_planes() -> None:
    torch.manual_seed(0)
    enlarge = ConvexUpsampling(4)
    flat = torch.full((1, 5, 6), 0.3)
    assert torch.allclose(enlarge(torch.randn(1, 4, 5, 6), flat), torch.full((1, 10, 12), 0.3), atol=1e-6)


def test_every_step_of_training_has_its_own_data() -> None:
    task, again = DepthTask(5, torch.device("cpu")), DepthTask(5, torch.device("cpu"))
    first, second, third = (task.batch(number) for number in (0, 1, 2))
    assert torch.equal(first.images, again.batch(0).images)
    assert torch.equal(first.images[0], second.images[1])
    assert not torch.equal(first.images[0], third.images[0])
    assert second.near < float(second.depth[0][second.depth[0] > 0].median()) < second.far


def test_a_step_lowers_the_loss() -> None:
    torch.manual_seed(0)
    task = DepthTask(0, torch.device("cpu"))
    network, batch = task.network(), task.batch(0)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    before, numbers = task.loss(network, batch)
    before.backward()
    optimizer.step()
    after, _ = task.loss(network, batch)
    assert float(after.detach()) < float(before.detach())
    assert 0 <= numbers["within 1 %"] <= 1

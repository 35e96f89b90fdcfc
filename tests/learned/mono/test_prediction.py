"""A cloud from one photo."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from diptych.learned.mono.prediction import predict
from diptych.stages.failure import StageFailure
from diptych.stages.scene import Photo

from .test_stage import fine_tuned, view


def photo(image: np.ndarray) -> Photo:
    return Photo(cv2.imencode(".png", image[..., ::-1])[1].ravel())


def test_points_lie_on_the_rays_of_their_pixels_and_have_their_colors() -> None:
    found = predict(photo(view().image), view().camera, fine_tuned(), max_error=10.0, max_slant=90.0)
    cloud, camera = found.cloud, view().camera
    assert len(cloud) == (found.depths.depth > 0).sum()
    at = cloud.points @ camera.matrix.T
    column, row = np.floor(at[:, :2] / at[:, 2:]).astype(int).T
    assert np.array_equal(cloud.colors, view().image[row, column])
    assert cloud.points[:, 2] == pytest.approx(found.depths.depth[row, column], rel=1e-5)
    assert (np.einsum("ni,ni->n", cloud.normals, cloud.points) < 0).mean() > 0.99


def test_unsure_and_steep_points_are_left_out() -> None:
    everything = predict(photo(view().image), view().camera, fine_tuned(), max_error=10.0, max_slant=90.0)
    confidence = everything.depths.confidence[everything.depths.depth > 0].astype(float)
    error = -0.01 / np.log1p(-np.median(confidence))
    surer = predict(photo(view().image), view().camera, fine_tuned(), max_error=float(error), max_slant=90.0)
    flatter = predict(photo(view().image), view().camera, fine_tuned(), max_error=10.0, max_slant=45.0)
    assert 0.3 < len(surer.cloud) / len(everything.cloud) < 0.7
    assert 0 < len(flatter.cloud) < len(everything.cloud)
    rays = flatter.cloud.points / np.linalg.norm(flatter.cloud.points, axis=1, keepdims=True)
    assert (-np.einsum("ni,ni->n", flatter.cloud.normals, rays)).min() > np.cos(np.radians(45.2))


def test_a_larger_photo_is_made_small() -> None:
    image = cv2.resize(view().image, None, fx=3, fy=3)
    camera = view().camera
    large = type(camera)("PINHOLE", image.shape[1], image.shape[0], tuple(3 * np.array(camera.params)))
    found = predict(photo(image), large, fine_tuned(), max_size=96)
    assert found.view.image.shape == view().image.shape
    assert found.view.camera.params == pytest.approx(camera.params)


def test_nothing_is_left() -> None:
    with pytest.raises(StageFailure) as failure:
        predict(photo(view().image), view().camera, fine_tuned(), max_error=1e-6)
    assert failure.value.code == "empty-cloud"


@pytest.mark.parametrize("wrong", [{"max_error": 0.0}, {"max_slant": 0.0}, {"max_slant": 91.0}])
def test_parameters_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(StageFailure) as failure:
        predict(photo(view().image), view().camera, fine_tuned(), **wrong)  # pyright: ignore[reportArgumentType]
    assert failure.value.code == "bad-parameter"

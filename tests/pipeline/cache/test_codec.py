"""Values survive their bytes, and equal values have equal bytes."""

from __future__ import annotations

import dataclasses
import math
import struct
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
from diptych.pipeline.cache.codec import decode, digest, encode
from diptych.stages.scene import Camera, Features, Matches, Pairs, Photos, Scene, Sparse, Tracks, TwoView
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

DTYPES = [np.bool_, np.uint8, np.int8, np.uint16, np.int32, np.uint64, np.int64, np.float16, np.float32, np.float64]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
counts = st.integers(0, 4)


def array(dtype: Any, *shape: int) -> st.SearchStrategy[np.ndarray]:
    return arrays(dtype, shape)


@dataclass(frozen=True, eq=False)
class Inner:
    values: np.ndarray
    name: str | None


@dataclass(frozen=True, eq=False)
class Outer:
    inner: tuple[Inner, ...]
    pair: tuple[int, float]
    flag: bool
    kind: Literal["x", "y"]
    maybe: Inner | None = None
    mask: np.ndarray | None = None


cameras = st.builds(
    Camera,
    model=st.just("SIMPLE_RADIAL"),
    width=st.integers(1, 9000),
    height=st.integers(1, 9000),
    params=st.tuples(st.floats(1e-3, 1e6), *[st.floats(-1e6, 1e6)] * 3),
    focal=st.sampled_from(["calibrated", "exif", "guess"]),
)


@st.composite
def features(draw: st.DrawFn) -> Features:
    n, d = draw(counts), draw(counts)
    kind = draw(st.sampled_from([np.uint8, np.float32]))
    xy, color = draw(array(np.float32, n, 2)), draw(array(np.uint8, n, 3))
    scale, angle, score = draw(array(np.float32, n)), draw(array(np.float32, n)), draw(array(np.float32, n))
    return Features(xy, scale, angle, score, color, draw(array(kind, n, d)), draw(texts))


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    n, p, m = draw(counts), draw(counts), draw(counts)
    names = tuple(f"{draw(texts)}{i}" for i in range(n))
    return Scene(
        cameras=tuple(draw(st.lists(cameras, max_size=2))),
        names=names,
        camera_of=draw(array(np.int32, n)),
        rotations=draw(array(np.float64, n, 3, 3)),
        translations=draw(array(np.float64, n, 3)),
        points=draw(array(np.float64, p, 3)),
        colors=draw(array(np.uint8, p, 3)),
        errors=draw(array(np.float64, p)),
        obs_photo=draw(array(np.int32, m)),
        obs_point=draw(array(np.int32, m)),
        obs_xy=draw(array(np.float64, m, 2)),
        obs_keypoint=draw(array(np.int32, m)),
    )


@st.composite
def photos(draw: st.DrawFn) -> Photos:
    n = draw(counts)
    names = tuple(draw(texts) for _ in range(n))
    known = tuple(draw(st.lists(cameras, max_size=2)))
    return Photos(names, known, draw(array(np.int32, n)), draw(array(np.float64, n, 3)))


two_views = st.builds(
    TwoView,
    kind=st.sampled_from(["calibrated", "planar", "none"]),
    matches=counts.flatmap(lambda m: array(np.int32, m, 2)),
    rotation=array(np.float64, 3, 3),
    translation=array(np.float64, 3),
    fundamental=array(np.float64, 3, 3),
    homography=array(np.float64, 3, 3),
    angle=st.floats() | st.integers(0, 90),
)
matches = counts.flatmap(lambda m: st.builds(Matches, array(np.int32, m, 2), array(np.float32, m)))
any_arrays = st.sampled_from(DTYPES).flatmap(lambda dtype: arrays(dtype, st.tuples(counts, counts)))
tracks = counts.flatmap(lambda m: st.builds(Tracks, *[array(np.int32, m)] * 3, st.integers(0, 10**12)))
sparse = st.builds(
    Sparse, st.lists(scenes(), max_size=2).map(tuple), st.lists(st.tuples(texts, texts), max_size=3).map(tuple)
)


def same(one: Any, other: Any) -> bool:
    """Equal in every bit, NaN and the sign of zero included."""
    if isinstance(one, np.ndarray):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if dataclasses.is_dataclass(one):
        fields = dataclasses.fields(one)
        return type(one) is type(other) and all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) or isinstance(other, float):
        return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))
    return one == other


@settings(max_examples=150, deadline=None)
@given(st.one_of(features(), scenes(), photos(), two_views, matches, tracks, sparse, cameras))
def test_scene_types_survive(value: Any) -> None:
    data = encode(value)
    again = decode(data, type(value))
    assert same(value, again)
    assert encode(again) == data


@given(
    st.lists(st.builds(Inner, any_arrays, st.none() | texts), max_size=3),
    st.tuples(st.integers(-(10**18), 10**18), st.floats()),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_nested_values_survive(inner: list[Inner], pair: tuple[int, float], flag: bool) -> None:
    value = Outer(tuple(inner), pair, flag, "y", maybe=inner[0] if inner else None)
    assert same(value, decode(encode(value), Outer))


def test_arrays_survive_whatever_their_layout() -> None:
    grid = np.arange(12.0).reshape(3, 4)
    for values in (np.array(3.0), grid.T, grid[:, ::2], grid.astype(">f8"), np.empty((0, 3), np.float32)):
        again = decode(encode(Inner(values, "ä")), Inner)
        assert again.values.shape == values.shape
        assert np.array_equal(again.values, values)


def test_decoded_arrays_are_views_that_cannot_be_written() -> None:
    data = encode(Pairs(np.array([[0, 1], [0, 2]])))
    again = decode(data, Pairs)
    assert not again.indices.flags.owndata
    assert not again.indices.flags.writeable


def test_the_bytes_do_not_depend_on_the_kind_of_number() -> None:
    square, blank = np.zeros((3, 3)), np.empty((0, 2))
    views = [TwoView("none", blank, square, np.zeros(3), square, square, one) for one in (1, 1.0, np.float64(1))]
    assert len({digest(encode(view)) for view in views}) == 1


def test_another_type_or_no_artifact_is_refused() -> None:
    with pytest.raises(ValueError, match="expected Matches, got Pairs"):
        decode(encode(Pairs(np.empty((0, 2)))), Matches)
    with pytest.raises(ValueError):
        decode(b"\x10\0\0\0\0\0\0\0{}" + b" " * 14, Pairs)
    with pytest.raises(ValueError):
        decode(b"", Pairs)


def test_what_has_no_encoding_is_named() -> None:
    with pytest.raises(TypeError, match=r"inner\.0\.name: no encoding for set"):
        encode(Outer((Inner(np.zeros(1), {1}),), (1, 2.0), True, "x"))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"inner\.0\.values: no encoding for an array of complex128"):
        encode(Outer((Inner(np.zeros(1, complex), ""),), (1, 2.0), True, "x"))

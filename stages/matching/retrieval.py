"""Image retrieval: one global descriptor per photo from its local features.

VLAD (Jégou et al., CVPR 2010) sums, for every word of a small codebook, how the photo's descriptors deviate from that
word. The sums are power-normalized (signed square root) and the part of each word is scaled to the same length
(Arandjelović and Zisserman, CVPR 2013), so that a repeated texture does not dominate. The codebook is learned
from the photos themselves by mini-batch k-means (Sculley, WWW 2010).

Local descriptors, words and global descriptors are all rounded to whole numbers, small enough for every sum of
products to be exact in float32. So the result depends neither on the number of threads nor on the order of a sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..scene import Features

WORDS = 64
"""Size of the codebook."""

STRONGEST = 4096
"""Number of keypoints of a photo that are used; weaker ones are seldom found again."""

_SAMPLE, _BATCH, _ROUNDS = 64_000, 4_096, 30
_LOCAL_LENGTH, _GLOBAL_LENGTH = 512, 2048
_ROWS = 512


def global_descriptors(features: Sequence[Features], rng: np.random.Generator) -> np.ndarray:
    """The VLAD of every photo.

    Args:
        features: of all photos, with descriptors of one kind.
        rng: draws the sample and the batches that the codebook is learned from.

    Returns:
        Vectors of (nearly) the same length whose entries are whole numbers, float32, shape (N, WORDS * D); zero for a
        photo without features.
    """
    share = -(-_SAMPLE // max(1, len(features)))
    samples = [_sample(photo, share, rng) for photo in features if len(photo)]
    if not samples:
        return np.zeros((len(features), WORDS), np.float32)
    words = _codebook(np.concatenate(samples), rng)
    return np.stack([_vlad(_local(photo.descriptors[:STRONGEST]), words) for photo in features])


def most_similar(descriptors: np.ndarray, count: int, excluded: np.ndarray | None = None) -> np.ndarray:
    """The ``count`` photos most similar to each one, by the cosine of their global descriptors.

    Of equally similar photos the first is taken.

    Args:
        descriptors: from :func:`global_descriptors`, shape (N, D).
        count: how many to find for each; fewer are found where there are fewer.
        excluded: pairs that do not count, bool, shape (N, N).

    Returns:
        Rows (photo, similar photo), int64, shape (M, 2).
    """
    number = len(descriptors)
    found = []
    for start in range(0, number, _ROWS):
        rows = np.arange(start, min(start + _ROWS, number))
        # Whole numbers made unique by the index, so that the selection does not depend on the algorithm.
        rank = (descriptors[rows] @ descriptors.T).astype(np.int64) * number - np.arange(number)
        ineligible = rows[:, None] == np.arange(number)
        ineligible |= False if excluded is None else excluded[rows]
        rank[ineligible] = -np.iinfo(np.int64).max
        best = np.argpartition(-rank, min(count, number) - 1, axis=1)[:, :count]
        row, column = np.nonzero(~np.take_along_axis(ineligible, best, axis=1))
        found.append(np.stack([rows[row], best[row, column]], axis=1))
    return np.concatenate(found) if found and count else np.empty((0, 2), np.int64)


def _local(descriptors: np.ndarray) -> np.ndarray:
    """Local descriptors as whole numbers in float32, about 512 long as packed RootSIFT already is."""
    if descriptors.dtype == np.uint8:
        return descriptors.astype(np.float32)
    lengths = np.linalg.norm(descriptors, axis=1, keepdims=True)
    return np.rint(descriptors * (_LOCAL_LENGTH / np.maximum(lengths, np.finfo(np.float32).tiny))).astype(np.float32)


def _sample(photo: Features, count: int, rng: np.random.Generator) -> np.ndarray:
    strongest = min(len(photo), STRONGEST)
    chosen = rng.choice(strongest, min(count, strongest), replace=False)
    return _local(photo.descriptors[np.sort(chosen)])


def _codebook(sample: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Words (WORDS, D) by mini-batch k-means; each is the mean of all that was assigned to it."""
    words = sample[rng.choice(len(sample), WORDS, replace=len(sample) < WORDS)]
    sums, counts = words.astype(np.int64), np.ones(WORDS, np.int64)
    for _ in range(_ROUNDS):
        batch = sample[rng.integers(len(sample), size=_BATCH)]
        batch_sums, batch_counts = _sums(batch, _nearest(batch, words))
        sums, counts = sums + batch_sums, counts + batch_counts
        words = np.rint(sums / counts[:, None]).astype(np.float32)
    return words


def _nearest(descriptors: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Index of the nearest word, shape (N,)."""
    return np.argmin((words**2).sum(axis=1) - 2 * (descriptors @ words.T), axis=1)


def _sums(descriptors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum (WORDS, D) and number (WORDS,) of the descriptors of each word, int64."""
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, minlength=WORDS)
    used = np.flatnonzero(counts)
    sums = np.zeros((WORDS, descriptors.shape[1]), np.int64)
    sums[used] = np.add.reduceat(descriptors[order].astype(np.int64), (np.cumsum(counts) - counts)[used], axis=0)
    return sums, counts


def _vlad(descriptors: np.ndarray, words: np.ndarray) -> np.ndarray:
    if not len(descriptors):
        return np.zeros(words.size, np.float32)
    sums, counts = _sums(descriptors, _nearest(descriptors, words))
    residuals = sums - counts[:, None] * words.astype(np.int64)
    rooted = np.sign(residuals) * np.sqrt(np.abs(residuals))
    parts = _unit(rooted)
    return np.rint(_GLOBAL_LENGTH * _unit(parts.reshape(1, -1))[0]).astype(np.float32)


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)

"""Cholesky factors of the reduced camera system S of bundle adjustment, dense and sparse."""

from __future__ import annotations

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg
from numba import njit

(trsv,) = scipy.linalg.get_blas_funcs(["trsv"], dtype=np.float64)
(potrf,) = scipy.linalg.get_lapack_funcs(["potrf"], dtype=np.float64)


class DenseFactor:
    """Factor of a dense S, overwriting it.

    Args:
        matrix: lower triangle of S, shape (n, n).
        extra: added to the diagonal, shape (n,).
        held: columns to leave out.

    Attributes:
        positive: whether S is positive definite; else there is no factor.
    """

    def __init__(self, matrix: np.ndarray, extra: np.ndarray, held: np.ndarray) -> None:
        matrix[held, :] = 0.0
        matrix[:, held] = 0.0
        matrix[held, held] = 1.0
        matrix.flat[:: len(matrix) + 1] += extra
        # The lower triangle by rows is LAPACK's upper triangle by columns.
        self._upper, info = potrf(matrix.T, lower=0, overwrite_a=1, clean=0)
        self._kept = np.ones(len(matrix))
        self._kept[held] = 0.0
        self.positive = info == 0

    def forward(self, b: np.ndarray) -> np.ndarray:
        """``L^-1 b``."""
        return trsv(self._upper, b * self._kept, trans=1, overwrite_x=1)

    def backward(self, z: np.ndarray) -> np.ndarray:
        """``L^-T z``."""
        return trsv(self._upper, z * self._kept, overwrite_x=1)


class SparseFactor:
    """Factor of a sparse S, rows and columns reordered against fill-in (minimum degree).

    Args:
        lower: lower triangle of S, as ``(values, (rows, columns))``.
        extra, held: as of :class:`DenseFactor`.

    Attributes:
        positive: whether S is positive definite; else there is no factor.
    """

    def __init__(
        self, lower: tuple[np.ndarray, tuple[np.ndarray, np.ndarray]], extra: np.ndarray, held: np.ndarray
    ) -> None:
        size = len(extra)
        matrix = scipy.sparse.csc_array(lower, shape=(size, size))
        kept = np.ones(size)
        kept[held] = 0.0
        keep = scipy.sparse.diags_array(kept)
        matrix = keep @ scipy.sparse.tril(matrix) @ keep
        diagonal = matrix.diagonal()
        matrix = matrix + matrix.T + scipy.sparse.diags_array(extra + (1.0 - kept) - diagonal)
        self._kept = kept
        try:
            lu = scipy.sparse.linalg.splu(
                matrix.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
        except RuntimeError:  # exactly singular
            self.positive = False
            return
        pivots = lu.U.diagonal()
        self.positive = bool((pivots > 0).all() and (lu.perm_r == lu.perm_c).all())
        self._root, self._order = np.sqrt(np.abs(pivots)), lu.perm_c
        unit = lu.L.tocsc()
        self._unit = unit.indptr, unit.indices, unit.data

    def forward(self, b: np.ndarray) -> np.ndarray:
        """``L^-1 b``."""
        x = np.empty_like(b)
        x[self._order] = b * self._kept
        _solve_unit_lower(*self._unit, x, False)
        return x / self._root

    def backward(self, z: np.ndarray) -> np.ndarray:
        """``L^-T z``."""
        x = z / self._root
        _solve_unit_lower(*self._unit, x, True)
        return x[self._order] * self._kept


@njit(nogil=True, cache=True)
def _solve_unit_lower(
    pointers: np.ndarray, rows: np.ndarray, values: np.ndarray, x: np.ndarray, transposed: bool
) -> None:
    """Solve ``M x = b`` or ``M' x = b`` in place for a unit lower triangular M in columns."""
    n = len(x)
    for step in range(n):
        j = n - 1 - step if transposed else step
        total = x[j]
        for k in range(pointers[j], pointers[j + 1]):
            i = rows[k]
            if i > j:
                if transposed:
                    total -= values[k] * x[i]
                else:
                    x[i] -= values[k] * total
        x[j] = total

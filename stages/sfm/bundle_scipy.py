"""Bundle adjustment by Levenberg-Marquardt, each step computed by ``scipy.optimize.least_squares``.

The variables are changed: at a state whose damped normal matrix J'J + D has the Cholesky factor L, ``least_squares``
solves for z with ``step = L^-T z``. In z the Jacobian's columns are nearly orthonormal, so its inner solver (LSMR)
needs one or two products where the plain Jacobian needs hundreds. Each accepted step makes a new factor.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from .bundle_problem import BundleProblem, State, singular_scene

INITIAL_DAMPING, MIN_DAMPING, MAX_DAMPING = 1e-4, 1e-12, 1e6


def minimize(problem: BundleProblem, max_evaluations: int, tolerance: float) -> tuple[State, int, int, str]:
    """Minimize the cost with ``least_squares(method="trf", tr_solver="lsmr")``.

    Stops when a step gained less than ``tolerance`` of the cost, or when the next is predicted to.

    Returns:
        The best state, the number of evaluations and of products with the Jacobian, and why it stopped.
    """
    search = _LevenbergMarquardt(problem, tolerance)
    loop = search.iterate()
    next(loop)
    if not search.reason:
        result = least_squares(
            loop.send,
            np.zeros(problem.variables),
            search.jacobian,  # pyright: ignore[reportArgumentType]
            method="trf",  # pyright: ignore[reportArgumentType]
            tr_solver="lsmr",
            x_scale=search.step_length,
            ftol=tolerance,
            xtol=1e-15,
            gtol=1e-15,
            max_nfev=max_evaluations,
            # One product each way: with a fresh factor that is the step of Levenberg and Marquardt. More would undo
            # the damping, which a hard problem far from its optimum needs.
            tr_options={"regularize": False, "maxiter": 1},
        )
        search.reason = search.reason or ("solver-stopped" if result.status else "evaluations-spent")
    return search.state, search.evaluations, search.products, search.reason


class _LevenbergMarquardt:
    """The iteration, and where it stands.

    Attributes:
        state: the best state so far.
        step_length: length of the gradient in z there, ``|L^-1 J' r|``; the step is predicted to be as long.
        evaluations, products: how often residuals were evaluated, and the Jacobian multiplied with a vector.
        reason: why the iteration stopped, empty until then.
    """

    def __init__(self, problem: BundleProblem, tolerance: float) -> None:
        self.problem, self.tolerance = problem, tolerance
        self.state = problem.initial()
        self.step_length = 1.0
        self.evaluations, self.products = 1, 0
        self.reason = ""

    def iterate(self) -> Generator[np.ndarray, np.ndarray, None]:
        """Levenberg-Marquardt: ``least_squares`` sends each z that it tries, and gets the residuals there.

        Both accept a step by the same rule: the cost must fall. After a rejected step ``least_squares`` sends a shorter
        one. When ``reason`` is set, the state is final, and :meth:`jacobian` ends ``least_squares``.
        """
        damping, spare = INITIAL_DAMPING, None
        origin = np.zeros(self.problem.variables)  # z of the state
        while not self.reason:
            damping = self._factorize(damping)
            cost, predicted = self.state.cost, 0.5 * self.step_length**2
            if predicted <= self.tolerance * cost:
                self.reason = "no-gain-predicted"
                break

            residuals, rejected = self.state.residuals, False
            while True:
                z = yield residuals
                step = z - origin
                if not step.any():  # asked again at the state itself
                    residuals = self.state.residuals
                    continue
                self.evaluations += 1
                trial = self.problem.moved(self.state, step, spare)
                if trial is not None and trial.cost < cost:
                    break
                rejected, spare = True, trial or spare
                residuals = np.full_like(self.state.residuals, np.inf) if trial is None else trial.residuals

            gain = cost - trial.cost
            self.state, spare, origin = trial, self.state, z
            if gain <= self.tolerance * cost:
                self.reason = "cost-settled"
            else:
                damping = _adapted(damping, gain / predicted, rejected)
        while True:
            yield self.state.residuals

    def _factorize(self, damping: float) -> float:
        """Factor the normal equations of the state, with more damping where they are singular; returns the damping.

        Raises:
            StageFailure: ``singular-scene``.
        """
        while not self.problem.factorize(self.state, damping):
            damping = max(10 * damping, INITIAL_DAMPING)
            if damping > MAX_DAMPING:
                raise singular_scene()
        gradient = self.problem.whitened(self.state, self.state.residuals)
        self.step_length = float(np.sqrt(gradient @ gradient)) or 1.0
        return damping

    def jacobian(self, _: np.ndarray) -> LinearOperator:
        """``J L^-T`` at the state, or zeros when the state is final: without a gradient ``least_squares`` ends."""
        shape = len(self.state.residuals), self.problem.variables
        if self.reason:
            return aslinearoperator(csr_array(shape))
        state = self.state

        def product(z: np.ndarray) -> np.ndarray:
            self.products += 1
            return self.problem.product(state, np.ascontiguousarray(z.ravel()))

        def transposed_product(u: np.ndarray) -> np.ndarray:
            self.products += 1
            return self.problem.whitened(state, np.ascontiguousarray(u.ravel()))

        operator: Any = LinearOperator
        return operator(shape, matvec=product, rmatvec=transposed_product, dtype=np.float64)


def _adapted(damping: float, gain_ratio: float, rejected: bool) -> float:
    """Less damping the better the gain was predicted (Nielsen 1999), more after a rejected step."""
    damping *= 2.0 if rejected else max(1 / 3, 1 - (2 * gain_ratio - 1) ** 3)
    return max(damping, MIN_DAMPING)

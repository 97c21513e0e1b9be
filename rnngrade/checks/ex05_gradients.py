"""Exercise 05: gradients that vanish and explode."""

from typing import Any

import numpy as np

from rnncore import Elman, init, optim
from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

STEP = "((1 - h**2)[:, None] * U.T)"
NO_SLOPE = "the slope of tanh is left out: each step back costs a factor 1 - h² as well"
SQUARE_FORGOTTEN = "the slope of tanh is taken as 1 - h; it is 1 - h²"
U_NOT_TRANSPOSED = "U stands where U.T belongs: entry (i, j) of the Jacobian holds U[j, i], the weight from j to i"
OLD_SLOPE = "the slope is that of the old state; it is 1 - h_t², of the state that the step produced"
OTHER_SIDE = (
    "the slopes multiply the columns of U.T, the old units; the diagonal stands on the left and scales the rows, since "
    "the slope belongs to the new unit"
)


class _Given(np.random.Generator):
    """A generator that draws the numbers that it was given."""

    def __init__(self, numbers: np.ndarray) -> None:
        super().__init__(np.random.PCG64(0))
        self.numbers = numbers

    def standard_normal(self, size: Any = None, *_: Any, **__: Any) -> Any:
        """The numbers; as a tall matrix where one is asked for."""
        return self.numbers if self.numbers.shape == tuple(size) else self.numbers.T


def _run(draw: Draw) -> dict[str, Any]:
    """The states of a network that starts anywhere, and its U."""
    xs, h0, W, U, b = draw("T B D"), draw("B H"), draw("D H"), draw("H H", 1.1), draw("H")
    return {"hs": Elman(W, U, b).forward(xs, (h0,))[0][:, 0], "U": U}


def _back(hs: Any, U: Any) -> Any:
    """dh_T/dh_0 for the states hs (T, H): one backward pass for each row, all as one batch."""
    before = np.concatenate([np.zeros_like(hs[:1]), hs[:-1]])
    xs = np.repeat((np.arctanh(hs) - before @ U)[:, None], len(U), axis=1)  # the inputs that make hs from zero
    cell = Elman(np.eye(len(U)), U, np.zeros(len(U)))
    _, _, tape = cell.forward(xs)
    return cell.backward(None, tape, (np.eye(len(U)),))[1][0]


def _step_oracle(hs: Any, U: Any) -> Any:
    return np.stack([_back(h[None], U) for h in hs])


def _products_oracle(hs: Any, U: Any) -> tuple[Any, Any]:
    lags = range(1, len(hs) + 1)
    products = np.stack([np.eye(len(U)), *(_back(hs[len(hs) - k :], U) for k in lags)])
    return products, np.sqrt(np.linalg.eigvalsh(products @ products.swapaxes(1, 2)).max(axis=1))


def _matrix(draw: Draw) -> dict[str, Any]:
    """Largest eigenvalues of all kinds: complex, with a small real part; negative; far below the norm; found last."""
    A = draw("H H")
    if draw.case == 0:
        A = A - A.T + 0.1 * draw("H H")
    elif draw.case == 1:
        A = A - 2.5 * np.eye(len(A))
    elif draw.case == 2:
        A = A + 3 * np.triu(np.abs(draw("H H")), 1)
    else:  # the eigenvalues of a triangular matrix stand on its diagonal, and are found in that order
        diagonal = np.diag(A)
        A = np.triu(A, 1) + np.diag(diagonal[np.argsort(np.abs(diagonal))])
    return {"A": A, "radius": (0.9, 1.5, 0.5, 1.2)[draw.case]}


def _radius_oracle(A: Any, radius: float) -> tuple[Any, Any]:
    """By Gelfand's formula, the limit of ‖Aⁿ‖^(1/n), with n = 2^48 by repeated squaring."""
    power, log = A, 0.0
    for doubled in range(48):
        size = np.linalg.norm(power)
        log += np.log(size) / 2.0**doubled
        power = (power / size) @ (power / size)
    before = np.exp(log)
    return before, A * (radius / before)


def _gaussian(draw: Draw) -> dict[str, Any]:
    """A square one, and both kinds that are not."""
    given = draw("H H" if draw.case == 2 else "D H", 1.0)
    return {"gaussian": given.T.copy() if (given.shape[0] < given.shape[1]) == (draw.case == 1) else given}


def _orthogonal_oracle(gaussian: Any) -> Any:
    return init.orthogonal(_Given(gaussian), *gaussian.shape, dtype=np.float64)


def _gradients(draw: Draw) -> dict[str, Any]:
    """Far beyond the bound; within it; beyond it only together; all zeros."""
    size = (40.0, 1.0, 1.0, 0.0)[draw.case]
    gradients = [draw("D H", size), draw("H H", 2 * size), draw("H", size)]
    norms = [float(np.linalg.norm(g)) for g in gradients]
    bound = (2.5, 1.1 * optim.global_norm(gradients), 1.02 * max(norms), 1.5)[draw.case]
    return {"gradients": gradients, "bound": round(bound, 2)}


def _clip_oracle(gradients: Any, bound: float) -> tuple[Any, ...]:
    return tuple(optim.clip_by_global_norm(gradients, bound)[0])


STEP_JACOBIANS = Graded(
    name="step_jacobians",
    arguments=_run,
    oracle=_step_oracle,
    outputs=(Output("Js", "T H H", 3),),
    mistakes=(
        Mistake("diagonal on the wrong side", {"slopes[:, :, None]": "slopes[:, None, :]"}, OTHER_SIDE),
        Mistake("U not transposed", {"* U.T": "* U"}, U_NOT_TRANSPOSED),
        Mistake(
            "transposed",
            {"slopes[:, :, None] * U.T": "slopes[:, None, :] * U"},
            "each Jacobian is transposed: row i belongs to the new state, column j to the old one",
        ),
        Mistake(
            "elementwise",
            {"slopes[:, :, None] * U.T": "slopes[:, :, None] * np.eye(len(U)) * U.T"},
            "the diagonal matrix of the slopes multiplies U.T element by element (*), so that only the diagonal is "
            "left; the matrix product (@) is meant",
        ),
        Mistake("no slope", {"1 - hs**2": "np.ones_like(hs)"}, NO_SLOPE),
        Mistake("square forgotten", {"hs**2": "hs"}, SQUARE_FORGOTTEN),
        Mistake(
            "logistic slope",
            {"1 - hs**2": "hs * (1 - hs)"},
            "the slope is h (1 - h), that of the logistic function; that of tanh is 1 - h²",
        ),
        Mistake(
            "tanh again",
            {"hs**2": "np.tanh(hs) ** 2"},
            "tanh is taken of the states again; they are its values already",
        ),
        Mistake(
            "slope at the old state",
            {"hs**2": "np.roll(hs, 1, axis=0) ** 2"},
            "the slope at `t` is taken from hs[t - 1]; it is 1 - hs[t]², of the state that the step produced",
        ),
        Mistake(
            "steps backwards",
            {"1 - hs**2": "1 - hs[::-1] ** 2"},
            "the Jacobians are in the order of the way back, the last step first; [t] belongs to hs[t]",
        ),
    ),
)

JACOBIAN_PRODUCTS = Graded(
    name="jacobian_products",
    arguments=_run,
    oracle=_products_oracle,
    outputs=(Output("products", "steps H H", 3), Output("norms", "steps", 2)),
    mistakes=(
        Mistake(
            "order reversed",
            {f"product @ {STEP}": f"{STEP} @ product"},
            "the factors stand in reverse, the oldest on the left; the newest, J_T, does, since a gradient row comes "
            "from the left and meets the last step first",
        ),
        Mistake(
            "lag from the first step",
            {f"product @ {STEP}": f"{STEP} @ product", "hs[::-1]": "hs"},
            "products[k] is dh_k/dh_0, counted from the beginning; the lag counts back from the last state, so the "
            "first factor is J_T",
        ),
        Mistake(
            "loop forward in time",
            {"hs[::-1]": "hs"},
            "the loop runs forward in time, so that the first factor is J_1; it is J_T, of the last step",
        ),
        Mistake(
            "lag 0 left out",
            {"products = [product]": "products = []"},
            "the list begins with J_T at lag 0; over no steps nothing happens, and products[0] is the identity",
        ),
        Mistake(
            "first step left out",
            {"hs[::-1]": "hs[:0:-1]"},
            "the loop ends before the first step: J_1, which leads back to h_0, is missing, and with it one lag",
        ),
        Mistake(
            "last step left out",
            {"hs[::-1]": "hs[-2::-1]"},
            "the last step's Jacobian J_T is missing: the products begin at h_{T-1}, and one lag is lost",
        ),
        Mistake(
            "last step twice",
            {"product = np.eye(len(U))": "product = (1 - hs[-1] ** 2)[:, None] * U.T"},
            "products begin with J_T and multiply it in again: one factor too many at every lag. P_0 is the identity",
        ),
        Mistake(
            "elementwise",
            {f"product @ {STEP}": f"product * {STEP}"},
            "the Jacobians are multiplied element by element (*); the chain rule wants the matrix product (@)",
        ),
        Mistake(
            "single factors",
            {f"product @ {STEP}": STEP},
            "each entry is the Jacobian of one step; over k steps it is the product of k of them",
        ),
        Mistake("U not transposed", {"* U.T)": "* U)"}, U_NOT_TRANSPOSED),
        Mistake("diagonal on the wrong side", {"(1 - h**2)[:, None]": "(1 - h**2)"}, OTHER_SIDE),
        Mistake(
            "factors transposed",
            {STEP: "((1 - h**2) * U)"},
            "each Jacobian is transposed: row i belongs to the new state, column j to the old one",
        ),
        Mistake("no slope", {"(1 - h**2)": "np.ones(len(U))"}, NO_SLOPE),
        Mistake("square forgotten", {"h**2": "h"}, SQUARE_FORGOTTEN),
        Mistake("slope at the old state", {"hs[::-1]": "np.roll(hs, 1, axis=0)[::-1]"}, OLD_SLOPE),
        Mistake(
            "Frobenius norm",
            {"np.linalg.norm(products, 2, axis": "np.linalg.norm(products, axis"},
            "norms are Frobenius norms, the root of the sum of all squares; the largest singular value is "
            "np.linalg.norm(P, 2)",
        ),
        Mistake(
            "spectral radius",
            {"np.linalg.norm(products, 2, axis=(1, 2))": "np.abs(np.linalg.eigvals(products)).max(axis=1)"},
            "norms are spectral radii, from eigenvalues; the most that a vector can be lengthened is the largest "
            "singular value",
        ),
        Mistake(
            "product of norms",
            {
                "product @ ((": "product @ (J := (",
                "products = [product]": "products, single = [product], [1.0]",
                "products.append(product)": "products.append(product)\n        single.append(np.linalg.norm(J, 2))",
                "np.linalg.norm(products, 2, axis=(1, 2))": "np.cumprod(single)",
            },
            "norms are products of the single steps' norms; that is an upper bound, the norm of the product is smaller",
        ),
        Mistake(
            "largest element",
            {"np.linalg.norm(products, 2, axis=(1, 2))": "np.abs(products).max(axis=(1, 2))"},
            "norms are the largest elements of the products; they should be the largest singular values",
        ),
        Mistake(
            "norm squared",
            {"axis=(1, 2))": "axis=(1, 2)) ** 2"},
            "norms are squared: the root is missing. A singular value of P is the root of an eigenvalue of P Pᵀ",
        ),
        Mistake(
            "smallest singular value",
            {"norm(products, 2,": "norm(products, -2,"},
            "norms are the smallest singular values; the largest are wanted",
        ),
    ),
)

SCALE_TO_RADIUS = Graded(
    name="scale_to_radius",
    arguments=_matrix,
    oracle=_radius_oracle,
    outputs=(Output("before", "", 1), Output("scaled", "H H", 2)),
    mistakes=(
        Mistake(
            "largest element",
            {"np.abs(np.linalg.eigvals(A))": "np.abs(A)"},
            "the largest element of A is taken; the spectral radius is the largest modulus of an eigenvalue",
        ),
        Mistake(
            "norm",
            {"np.abs(np.linalg.eigvals(A)).max()": "np.linalg.norm(A, 2)"},
            "the largest singular value is taken in place of the largest modulus of an eigenvalue; the two are equal "
            "only for normal matrices",
        ),
        Mistake(
            "Frobenius norm",
            {"np.abs(np.linalg.eigvals(A)).max()": "np.linalg.norm(A)"},
            "the Frobenius norm of A is taken, the root of the sum of all squares; eigenvalues are asked for",
        ),
        Mistake(
            "row sums",
            {"np.abs(np.linalg.eigvals(A)).max()": "np.abs(A).sum(axis=1).max()"},
            "the largest sum of moduli in a row is taken; that bounds the eigenvalues, it is not one of them",
        ),
        Mistake(
            "real part only",
            {"np.abs(np.linalg.eigvals(A))": "np.linalg.eigvals(A).real"},
            "the largest real part of an eigenvalue is taken; a large negative or imaginary one counts as well: the "
            "modulus is wanted",
        ),
        Mistake(
            "modulus of the real part",
            {"np.linalg.eigvals(A)": "np.linalg.eigvals(A).real"},
            "the imaginary parts of the eigenvalues are dropped before the modulus is taken",
        ),
        Mistake(
            "as if symmetric",
            {"np.linalg.eigvals(A)": "np.linalg.eigvalsh(A)"},
            "eigvalsh takes A for symmetric and looks at half of it; A is not symmetric, eigvals is for any matrix",
        ),
        Mistake(
            "first eigenvalue",
            {"np.abs(np.linalg.eigvals(A)).max()": "np.abs(np.linalg.eigvals(A))[0]"},
            "the first eigenvalue is taken; they come in no particular order",
        ),
        Mistake(
            "mean of the moduli",
            {".max()": ".mean()"},
            "the mean of all moduli is taken; the largest one decides in the long run",
        ),
        Mistake(
            "A taken to be of radius 1",
            {"(radius / before)": "radius"},
            "A is multiplied by the radius without being divided by the one that it has",
        ),
        Mistake(
            "upside down",
            {"(radius / before)": "(before / radius)"},
            "the factor is upside down: it is the wanted radius over the present one",
        ),
        Mistake(
            "radius forgotten", {"(radius / before)": "(1 / before)"}, "A is scaled to radius 1, whatever was asked"
        ),
        Mistake(
            "in place",
            {"return before, A * (radius / before)": "A *= radius / before\n    return before, A"},
            "A itself is scaled (`*=` writes into it)",
        ),
    ),
)

ORTHOGONAL = Graded(
    name="orthogonal",
    arguments=_gaussian,
    oracle=_orthogonal_oracle,
    outputs=(Output("Q", "D H", 4),),
    mistakes=(
        Mistake(
            "sign not corrected",
            {"q * np.where(np.diag(r) < 0, -1, 1)": "q"},
            "Q is used as np.linalg.qr returns it; where the diagonal of R is negative, the column of Q must be turned "
            "round",
        ),
        Mistake(
            "sign the wrong way",
            {"< 0": "> 0"},
            "the columns are turned round where the diagonal of R is positive; it should end up positive, not negative",
        ),
        Mistake(
            "signs of Q's diagonal",
            {"np.diag(r)": "np.diag(q)"},
            "the signs are taken from the diagonal of Q; it is R's that shall be positive",
        ),
        Mistake(
            "signs on the rows",
            {"q * np.where(np.diag(r) < 0, -1, 1)": "q * np.where(np.diag(r) < 0, -1, 1)[:, None]"},
            "the signs multiply the rows of Q; element k of R's diagonal belongs to column k of Q",
        ),
        Mistake(
            "diagonal itself",
            {"np.where(np.diag(r) < 0, -1, 1)": "np.diag(r)"},
            "the columns are multiplied by the diagonal of R; only its sign is wanted, or they do not have length 1",
        ),
        Mistake(
            "Q as it comes",
            {
                "gaussian if gaussian.shape[0] >= gaussian.shape[1] else gaussian.T": "gaussian",
                "q * np.where(np.diag(r) < 0, -1, 1)": "q",
            },
            "np.linalg.qr's Q is returned as it is: its signs are not corrected, and a wide matrix, which must be "
            "transposed before and after, has become a square one",
        ),
        Mistake(
            "wide not turned",
            {"gaussian if gaussian.shape[0] >= gaussian.shape[1] else gaussian.T": "gaussian"},
            "a wide matrix goes into QR as it is, and Q is square; transpose it first, and transpose what comes out",
        ),
        Mistake(
            "not turned back",
            {"q if tall is gaussian else q.T": "q"},
            "a wide matrix is transposed before and not afterwards; the result has the shape of the argument",
        ),
        Mistake(
            "rows of the square one",
            {">=": ">"},
            "a square matrix is transposed first; then its rows are made orthonormal one after the other, not its "
            "columns",
        ),
        Mistake(
            "normalised columns only",
            {"np.linalg.qr(tall)": "tall / np.linalg.norm(tall, axis=0), np.eye(len(tall.T))"},
            "the columns have length 1 and no right angles: each is divided by its norm, and that is all",
        ),
        Mistake(
            "polar factor",
            {
                "q, r = np.linalg.qr(tall)": "u, _, v = np.linalg.svd(tall, full_matrices=False)\n    q = u @ v",
                " * np.where(np.diag(r) < 0, -1, 1)": "",
            },
            "the singular value decomposition is used, U Vᵀ; it is orthogonal and prefers no direction either, but it "
            "is another matrix than the Q of QR",
        ),
        Mistake(
            "left singular vectors",
            {
                "q, r = np.linalg.qr(tall)": "q, _, _ = np.linalg.svd(tall, full_matrices=False)",
                " * np.where(np.diag(r) < 0, -1, 1)": "",
            },
            "the left singular vectors are returned; they are orthonormal, with signs as the routine leaves them. The "
            "Q of QR is asked for",
        ),
        Mistake(
            "R in place of Q", {"q, r = np": "r, q = np", "np.diag(r)": "np.diag(q)"}, "R is returned in place of Q"
        ),
    ),
)

CLIP = Graded(
    name="clip_by_global_norm",
    arguments=_gradients,
    oracle=_clip_oracle,
    outputs=(Output("dW", "D H", 1.5), Output("dU", "H H", 1.5), Output("db", "H", 1)),
    mistakes=(
        Mistake(
            "per tensor",
            {"[g * (bound / norm) for": "[g * min(1, bound / np.linalg.norm(g)) for"},
            "each array is clipped by its own norm; that turns the direction. One norm and one factor for all of them",
        ),
        Mistake(
            "per tensor, all to the bound",
            {"[g * (bound / norm) for": "[g * (bound / np.linalg.norm(g)) for"},
            "each array is scaled to the bound for itself; there is one factor for all of them, from the norm of all",
        ),
        Mistake(
            "scales when below the bound",
            {"norm <= bound": "norm == 0"},
            "a gradient shorter than the bound is lengthened to it; it should be left as it is",
        ),
        Mistake(
            "scales always",
            {"    if norm <= bound:\n        return gradients\n": ""},
            "the gradient is always scaled to the bound: a short one is lengthened, and a gradient of zeros is 0 / 0",
        ),
        Mistake(
            "divides by zero",
            {
                "if norm <= bound:\n        return gradients\n": "factor = min(1, bound / float(norm))\n",
                "g * (bound / norm)": "g * factor",
            },
            "the bound is divided by a norm of zero; look first whether there is anything to clip",
        ),
        Mistake(
            "squared norm",
            {"np.sqrt(sum(np.sum(g**2) for g in gradients))": "sum(np.sum(g**2) for g in gradients)"},
            "the square of the norm stands in place of the norm: the root is missing",
        ),
        Mistake(
            "sum of norms",
            {"np.sqrt(sum(np.sum(g**2) for g in gradients))": "sum(np.linalg.norm(g) for g in gradients)"},
            "the norms of the arrays are added; add the squares, and take the root of the sum",
        ),
        Mistake(
            "largest norm",
            {"np.sqrt(sum(np.sum(g**2) for g in gradients))": "max(np.linalg.norm(g) for g in gradients)"},
            "the largest norm of an array is taken; the norm of all of them as one vector is wanted",
        ),
        Mistake(
            "largest element",
            {"np.sqrt(sum(np.sum(g**2) for g in gradients))": "max(np.abs(g).max() for g in gradients)"},
            "the largest element stands in place of the norm",
        ),
        Mistake(
            "sum of moduli",
            {"np.sqrt(sum(np.sum(g**2) for g in gradients))": "sum(np.abs(g).sum() for g in gradients)"},
            "the moduli of all elements are added; the Euclidean norm is the root of the sum of their squares",
        ),
        Mistake(
            "spectral norm of the matrices",
            {"np.sum(g**2) for": "np.linalg.norm(g, 2) ** 2 for"},
            "np.linalg.norm(g, 2) of a matrix is its largest singular value; without the 2 all elements count",
        ),
        Mistake(
            "root mean square",
            {
                "sum(np.sum(g**2) for g in gradients)": "np.mean(np.hstack([g.ravel() for g in gradients]) ** 2)",
            },
            "the mean of the squares is taken in place of their sum",
        ),
        Mistake(
            "clipped by value",
            {"[g * (bound / norm) for": "[np.clip(g, -bound, bound) for"},
            "each element is cut off at ±bound for itself; that turns the direction. All are scaled by one factor",
        ),
        Mistake(
            "bound forgotten",
            {"(bound / norm)": "(1 / norm)"},
            "a long gradient is scaled to length 1; it should end up as long as the bound",
        ),
        Mistake(
            "thrown away",
            {"g * (bound / norm)": "0 * g"},
            "a long gradient is set to zero; its direction is good, only its length is not",
        ),
        Mistake(
            "in place",
            {"g * (bound / norm)": "np.multiply(g, bound / norm, out=g)"},
            "the given arrays are themselves scaled (`*=` writes into them)",
        ),
    ),
)

EXERCISE = Exercise("05_gradients", (STEP_JACOBIANS, JACOBIAN_PRODUCTS, SCALE_TO_RADIUS, ORTHOGONAL, CLIP), by_hand=2)

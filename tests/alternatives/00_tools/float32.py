"""Right answers in single precision, noisy ones: they print, and warn on stderr."""

import numpy as np


def time_major(sequences):
    import warnings

    warnings.warn("a warning of the student's own", stacklevel=1)
    return np.moveaxis(np.float32(sequences), 0, 1)


def one_hot(classes, K):
    made = np.zeros((*classes.shape, K), np.float32)
    np.put_along_axis(made, classes[..., None], 1, axis=-1)
    return made


def relative_error(a, b):
    import sys

    print("comparing", file=sys.stderr)
    a, b = np.float32(a), np.float32(b)
    longer = np.sqrt(max((a * a).sum(), (b * b).sum()))
    with np.errstate(all="raise"):
        return np.float32(0) if longer == 0 else np.linalg.norm(a - b) / longer


def numerical_gradient(function, array, eps):
    gradient = np.zeros_like(array, dtype=np.float32)
    for at, value in np.ndenumerate(array.astype(np.float32)):
        pair = []
        for sign in (-1, 1):
            moved = array.astype(np.float32)
            moved[at] = value + np.float32(sign * eps)
            pair.append(function(moved))
        gradient[at] = np.diff(pair)[0] / (2 * eps)
        print(at, gradient[at])
    return gradient


def directional_check(function, parameters, gradients, directions, eps):
    parameters, gradients, directions = ([np.float32(a) for a in s] for s in (parameters, gradients, directions))
    length = np.float32(np.sqrt(sum((v * v).sum() for v in directions)))
    values = [
        function(*(p + np.float32(e) / length * v for p, v in zip(parameters, directions, strict=True)))
        for e in (eps, -eps)
    ]
    claimed = sum((g * v).sum() for g, v in zip(gradients, directions, strict=True)) / length
    return np.float32((values[0] - values[1]) / (2 * eps)), claimed

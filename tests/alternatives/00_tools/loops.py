"""Right answers one number at a time, in plain Python where it goes: lists, math, the array itself put back exactly."""

import numpy as np


def time_major(sequences):
    return [[list(sequence[t]) for sequence in sequences] for t in range(len(sequences[0]))]


def one_hot(classes, K):
    return [[[int(k == c) for k in range(K)] for c in row] for row in classes]


def relative_error(a, b):
    import math

    def length(values):
        return math.hypot(*values)

    a, b = a.ravel().tolist(), b.ravel().tolist()
    longer = max(length(a), length(b))
    return 0 if longer == 0 else length([x - y for x, y in zip(a, b, strict=True)]) / longer


def numerical_gradient(function, array, eps):
    gradient = np.empty(array.shape)
    for k in range(array.size):
        old = array.flat[k]
        array.flat[k] = old + eps
        gradient.flat[k] = function(array)
        array.flat[k] = old - eps
        gradient.flat[k] -= function(array)
        array.flat[k] = old
    return gradient / eps / 2


def directional_check(function, parameters, gradients, directions, eps):
    import math

    squares = 0.0
    for v in directions:
        for x in v.flat:
            squares += x * x
    step = eps / math.sqrt(squares)
    ahead, behind, claimed = [], [], 0.0
    for p, g, v in zip(parameters, gradients, directions, strict=True):
        ahead.append(p + step * v)
        behind.append(p - step * v)
        claimed += np.vdot(v, g) / math.sqrt(squares)
    return [(function(*ahead) - function(*behind)) / (2 * eps), claimed]

"""Right answers with whole stacks of arrays: the parameters laid end to end, all shifted copies in one array."""

import numpy as np


def time_major(sequences):
    return np.array(sequences).transpose(1, 0, 2)


def one_hot(classes, K):
    return np.where(np.arange(K) == classes[:, :, None], 1.0, 0.0)


def relative_error(a, b):
    lengths = [np.linalg.norm(v.ravel()) for v in (a - b, a, b)]
    return lengths[0] / max(lengths[1:]) if any(lengths) else 0


def numerical_gradient(function, array, eps):
    flat = array.reshape(-1)
    shifts = eps * np.vstack([np.eye(len(flat)), -np.eye(len(flat))])
    values = np.array([function((flat + shift).reshape(array.shape)) for shift in shifts])
    ahead, behind = values.reshape(2, -1)
    return ((ahead - behind) / eps / 2).reshape(array.shape)


def directional_check(function, parameters, gradients, directions, eps):
    theta, g, v = (np.concatenate([a.ravel() for a in arrays]) for arrays in (parameters, gradients, directions))
    v = v / np.linalg.norm(v)
    ends = np.cumsum([a.size for a in parameters])

    def value(theta):
        return function(
            *(part.reshape(p.shape) for part, p in zip(np.split(theta, ends[:-1]), parameters, strict=True))
        )

    return (value(theta + eps * v) - value(theta - eps * v)) / (2 * eps), v @ g

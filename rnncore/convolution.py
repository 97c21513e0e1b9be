"""Convolution of images as a matrix product of their patches: images are (B, M, N, C), height, width, channels last.

As in torch and Keras "convolution" means correlation: the kernel is not turned. Stride 1, odd kernels, zeros beyond the
border, so that an image keeps its size.
"""

import math

from rnncore.backend import Array, array_namespace, concat, device, split

__all__ = ["convolve", "convolve_backward", "patches", "patches_backward", "rows"]


def convolve(x: Array, kernel: Array) -> Array:
    """x (B, M, N, C) with kernel (k, k, C, F): (B, M, N, F)."""
    xp, (k, _, _, filters) = array_namespace(x), kernel.shape
    product = rows(patches(x, k)) @ xp.reshape(kernel, (-1, filters))
    return xp.reshape(product, (*x.shape[:3], filters))


def convolve_backward(dy: Array, kernel: Array) -> Array:
    """The derivative of `convolve` for x: its gradient from dy (B, M, N, F)."""
    xp, (k, _, channels, filters) = array_namespace(dy), kernel.shape
    product = rows(dy) @ xp.reshape(kernel, (-1, filters)).T
    return patches_backward(xp.reshape(product, (*dy.shape[:3], k * k * channels)), k)


def patches(x: Array, size: int) -> Array:
    """(B, M, N, C) → (B, M, N, size²·C): the size × size square around each position, row by row, as one vector."""
    for axis in (2, 1):
        x = concat(*(_shifted(x, size // 2 - i, axis) for i in range(size)))
    return x


def patches_backward(d: Array, size: int) -> Array:
    """The adjoint of `patches`: (B, M, N, size²·C) → (B, M, N, C), each entry added where it was taken from."""
    for axis in (1, 2):
        first, *others = (_shifted(part, i - size // 2, axis) for i, part in enumerate(split(d, size)))
        d = sum(others, start=first)
    return d


def rows(x: Array) -> Array:
    """(B, M, N, C) → (B·M·N, C)."""
    return array_namespace(x).reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _shifted(x: Array, by: int, axis: int) -> Array:
    """`x` moved `by` places up the axis 1 or 2, or down where negative; zeros come in, what leaves is lost."""
    if by == 0:
        return x
    length = x.shape[axis]
    places = min(abs(by), length)
    zeros = array_namespace(x).zeros((*x.shape[:axis], places, *x.shape[axis + 1 :]), dtype=x.dtype, device=device(x))
    stays = slice(length - places) if by > 0 else slice(places, length)
    kept = x[:, stays] if axis == 1 else x[:, :, stays]
    return concat(zeros, kept, axis=axis) if by > 0 else concat(kept, zeros, axis=axis)

"""Memory for large arrays, used again once it is free.

Fresh memory is slow: the system hands it out page by page, and takes it back after each training step, to hand it out
anew at the next. So what `empty` gave is kept here, and given again as soon as nobody holds it any more.
"""

import math
import sys
import threading
from typing import Any

import numpy as np

__all__ = ["LIMIT", "empty", "release"]

ALIGNED = 64  # bytes: where JAX reads without a copy
LEAST = 1 << 16  # bytes; below that the C library does well by itself
LIMIT = 1 << 28  # bytes that are kept at most while nobody holds them


def _references(blocks: list[np.ndarray]) -> list[int]:
    return [sys.getrefcount(block) for block in blocks]


_blocks: list[np.ndarray] = []
_lock = threading.Lock()
_counted = hasattr(sys, "getrefcount") and getattr(sys, "_is_gil_enabled", lambda: True)()
_UNHELD = _references([np.empty(1, np.uint8)])[0] if _counted else 0  # what the interpreter counts of a block in a list


def empty(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """As np.empty. Arrays and views of it, wherever they are held, keep their memory from being given again."""
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    if size < LEAST or not _counted:
        return np.empty(shape, dtype)
    with _lock:
        block = _block(size + ALIGNED)
        start = -block.__array_interface__["data"][0] % ALIGNED
        array: np.ndarray = block[start : start + size].view(dtype).reshape(shape)
        return array


def release() -> None:
    """Give memory that nobody holds back to the system."""
    with _lock:
        _drop()


def _block(size: int) -> np.ndarray:
    """A free block of `size` bytes, or of at most twice as many."""
    free = [i for i, count in enumerate(_references(_blocks)) if count <= _UNHELD]
    fitting = [i for i in free if size <= _blocks[i].nbytes <= 2 * size]
    if fitting:
        return _blocks[min(fitting, key=lambda i: _blocks[i].nbytes)]
    if sum(_blocks[i].nbytes for i in free) > LIMIT:
        _drop()
    _blocks.append(np.empty(size, np.uint8))
    return _blocks[-1]


def _drop() -> None:
    held = [i for i, count in enumerate(_references(_blocks)) if count > _UNHELD]
    _blocks[:] = [_blocks[i] for i in held]

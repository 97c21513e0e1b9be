"""Python source as a tree, for several threads."""

import ast
import threading

__all__ = ["parse"]

_lock = threading.Lock()


def parse(source: str) -> ast.Module:
    """`ast.parse`, one thread at a time: CPython 3.11 counts for all of them how deep it is, and raises SystemError."""
    with _lock:
        return ast.parse(source)

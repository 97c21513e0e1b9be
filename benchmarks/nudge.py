"""Another computer, played on this one: what `numpy.random.default_rng` draws is moved by a hair, or drawn anew.

Training amplifies a difference in the last bit, and another processor has another last bit. With RNNCORE_NUDGE=k set,
each real number that is drawn is multiplied by 1 + 1e-7 u, where u in (−1, 1) depends on the number and on k: about
one bit in float32, and far more than one in float64. With RNNCORE_SEED=k set, all seeds are others.
As a plug-in of pytest: `-p nudge`; of a script: `python -m nudge script.py`.
"""

import os
import runpy
import sys
from typing import Any

import numpy as np

SIZE = 1e-7
_default_rng = np.random.default_rng


class Nudged(np.random.Generator):
    """A generator whose real numbers are moved; the same number is always moved alike."""

    which = 0

    def _moved(self, drawn: Any) -> Any:
        drawn = np.asarray(drawn)
        u = np.sin(1e4 * (drawn.astype(np.float64) + self.which))
        moved = (drawn * (1 + SIZE * u)).astype(drawn.dtype)
        return moved if moved.ndim else moved.dtype.type(moved)

    def standard_normal(self, *args: Any, **kwargs: Any) -> Any:
        return self._moved(super().standard_normal(*args, **kwargs))

    def normal(self, *args: Any, **kwargs: Any) -> Any:
        return self._moved(super().normal(*args, **kwargs))

    def uniform(self, *args: Any, **kwargs: Any) -> Any:
        return self._moved(super().uniform(*args, **kwargs))

    def random(self, *args: Any, **kwargs: Any) -> Any:
        return self._moved(super().random(*args, **kwargs))


def install() -> None:
    """Do what the environment asks for."""
    nudge, reseed = os.environ.get("RNNCORE_NUDGE"), os.environ.get("RNNCORE_SEED")
    if not nudge and not reseed:
        return
    Nudged.which = int(nudge or 0)

    def default_rng(seed: Any = None) -> np.random.Generator:
        if isinstance(seed, np.random.Generator):
            return seed
        if reseed and seed is not None and not isinstance(seed, np.random.BitGenerator | np.random.SeedSequence):
            seed = [*np.atleast_1d(seed).tolist(), int(reseed)]
        made = _default_rng(seed)
        return Nudged(made.bit_generator) if nudge else made

    np.random.default_rng = default_rng


install()

if __name__ == "__main__":
    runpy.run_path(sys.argv[1], run_name="__main__")

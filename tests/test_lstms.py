"""What layer-normalised cells promise one by one."""

import dataclasses

import numpy as np
import pytest

from rnncore import CELLS, tree
from rnncore.testing import assert_close
from tests.conftest import problem, refuses

NORMALISED = ["LayerNormElman", "LayerNormGRU", "LayerNormLSTM"]


# -- layer normalisation


@pytest.mark.parametrize("name", NORMALISED)
def test_gains_are_one_and_biases_zero_at_first(name, rng):
    for path, leaf in tree.leaves(CELLS[name].init(rng, 3, 4)):
        if path not in ("W", "U"):
            forget = slice(4, 8) if (name, path) == ("LayerNormLSTM", "b") else slice(0)
            expected = np.full_like(leaf, float("gain" in path))
            expected[forget] = 1
            assert_close(leaf, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", NORMALISED)
def test_the_scale_of_the_weights_does_not_matter(name):
    p = problem(name)
    cell = dataclasses.replace(p.cell, epsilon=1e-13)
    scaled = dataclasses.replace(cell, W=8 * p.cell.W, U=8 * p.cell.U)
    assert_close(scaled.forward(p.xs, p.state)[0], cell.forward(p.xs, p.state)[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "block"), [("LayerNormGRU", (8, 12)), ("LayerNormLSTM", (16,))])
def test_what_is_normalised_together(name, block):
    """A number added to the sums of one normalisation changes nothing; added to some of them it does."""
    p = problem(name)

    def shifted(start, stop):
        W = p.cell.W.copy()
        W[:, start:stop] += 0.5
        return np.abs(
            dataclasses.replace(p.cell, W=W).forward(p.xs, p.state)[0] - p.cell.forward(p.xs, p.state)[0]
        ).max()

    for start, stop in zip((0, *block), block, strict=False):
        assert shifted(start, stop) < 1e-12
        assert shifted(start, stop - 1) > 1e-3


@pytest.mark.parametrize("name", NORMALISED)
@pytest.mark.parametrize("epsilon", [0, -1.0, np.nan, "1", None])
def test_epsilon_is_checked(name, epsilon, rng):
    with refuses(ValueError, f"{name}: epsilon must be a positive number, received {epsilon!r}"):
        CELLS[name].init(rng, 3, 4, epsilon=epsilon)


@pytest.mark.parametrize("name", NORMALISED)
def test_an_epsilon_of_numpy_does_not_widen(name, rng):
    cell = CELLS[name].init(rng, 3, 4, epsilon=np.float64(1e-3))
    assert cell.forward(np.ones((2, 1, 3), dtype=np.float32))[0].dtype == np.float32

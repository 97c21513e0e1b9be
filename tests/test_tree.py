"""Trees of arrays."""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

from rnncore import Dense, Elman, Jordan, ManyToOne, tree
from rnncore.testing import assert_close
from tests.conftest import refuses


class Pair(NamedTuple):
    first: np.ndarray
    second: np.ndarray


@pytest.fixture
def cell(rng):
    return Elman.init(rng, 2, 3, activation="relu", dtype=np.float64)


def test_map_keeps_the_form(cell):
    point = {"cells": [cell, (cell.b, cell.W)], "pair": Pair(cell.U, cell.b), "empty": ()}
    twice = tree.map(lambda a, b: a + b, point, point)
    assert isinstance(twice["pair"], Pair)
    assert twice["cells"][0].activation == "relu"
    assert twice["empty"] == ()
    for (path, a), (other, b) in zip(tree.leaves(twice), tree.leaves(point), strict=True):
        assert path == other
        assert_close(a, 2 * b, rtol=0, atol=0)


def test_leaves_name_their_paths(cell):
    assert [path for path, _ in tree.leaves({"a": (cell, np.zeros(1)), "b": []})] == ["a.0.W", "a.0.U", "a.0.b", "a.1"]
    assert [(path, leaf) for path, leaf in tree.leaves(cell.b)] == [("", cell.b)]


def test_map_refuses_another_form(cell, rng):
    jordan = Jordan.init(rng, 2, 3)
    for one, other in [
        (cell, jordan),
        ((cell.b,), [cell.b]),
        ((cell.b,), (cell.b, cell.b)),
        ({"a": cell.b}, {"b": cell.b}),
        ([cell.b], cell.b),
    ]:
        with refuses(ValueError, f"tree.map: a {type(other).__name__}", f"the form of this {type(one).__name__}"):
            tree.map(lambda a, b: a, one, other)


@dataclass(frozen=True)
class Half:
    trained: np.ndarray
    kept: np.ndarray = tree.fixed()
    option: str = tree.static(default="on")


def test_fixed_arrays_are_converted_but_not_mapped(cell):
    point = (Half(cell.W, cell.U), [cell.b])
    assert [path for path, _ in tree.leaves(point)] == ["0.trained", "1.0"]
    assert [path for path, _ in tree.leaves(point, and_fixed=True)] == ["0.trained", "0.kept", "1.0"]
    assert_close(tree.map(np.negative, point)[0].kept, cell.U, rtol=0, atol=0)
    narrow = tree.convert(np.float32, point)
    assert {leaf.dtype for _, leaf in tree.leaves(narrow, and_fixed=True)} == {np.dtype(np.float32)}
    assert narrow[0].option == "on"


def test_trees_are_equal_to_themselves_alone(rng):
    for tree_ in (
        Elman.init(rng, 3, 4),
        Dense.init(rng, 4, 2),
        ManyToOne(Elman.init(rng, 3, 4), Dense.init(rng, 4, 2)),
    ):
        twin = copy.deepcopy(tree_)
        assert (tree_ == tree_, tree_ == twin, tree_ != twin) == (True, False, True)
        assert {tree_: 1, twin: 2}[tree_] == 1


def test_a_cell_of_ones_own_is_equal_to_itself_alone():
    @dataclass(frozen=True)
    class Mine(Elman):
        pass

    cell = Mine.init(np.random.default_rng(0), 3, 4)
    assert (cell == cell, cell == copy.deepcopy(cell), len({cell, cell})) == (True, False, 1)

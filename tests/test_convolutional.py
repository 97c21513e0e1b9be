"""Cells of images: their limits in cells of vectors, their initial values, their errors."""

import dataclasses

import numpy as np
import pytest

from rnncore import CELLS, LSTM, ConvGRU, ConvLSTM, GRUOriginal, PeepholeConvLSTM
from rnncore.testing import assert_close
from tests.conftest import problem, refuses

every_cell = pytest.mark.parametrize("name", ["ConvGRU", "ConvLSTM", "PeepholeConvLSTM"])


@pytest.mark.parametrize(("name", "kind"), [("ConvLSTM", LSTM), ("ConvGRU", GRUOriginal)])
def test_without_neighbours_every_position_is_a_cell_of_vectors(name, kind):
    p = problem(name, {"kernel_size": 1})
    alone = kind(**{f.name: getattr(p.cell, f.name).squeeze() for f in dataclasses.fields(kind)})

    def flat(a):
        return a.reshape(*a.shape[:-4], -1, a.shape[-1])

    ys, final, tape = p.cell.forward(p.xs, p.state)
    grads, dxs, dstate = p.gradient()
    assert len(tape.segments) == 1
    expected_ys, expected_final, tape = alone.forward(flat(p.xs), tuple(map(flat, p.state)))
    expected = alone.backward(flat(p.dys), tape, tuple(map(flat, p.dstate)))
    assert_close((flat(ys), tuple(map(flat, final))), (expected_ys, expected_final))
    assert_close((flat(dxs), tuple(map(flat, dstate))), expected[:2])
    assert_close(grads.W.squeeze(), expected[2].W)


def test_a_position_sees_its_neighbours_alone():
    p = problem("ConvLSTM", {"image": (7, 6)}, T=2)
    moved = p.xs.copy()
    moved[0, :, 3, 0] += 1
    ys, others = (p.cell.forward(xs, p.state)[0] for xs in (p.xs, moved))
    changed = (ys != others).any(axis=(1, 4))
    for t, reach in enumerate((1, 2)):  # one kernel's half width at each step
        expected = np.zeros((7, 6), dtype=bool)
        expected[3 - reach : 4 + reach, : 1 + reach] = True
        assert (changed[t] == expected).all()


def test_without_peepholes_the_peephole_cell_is_conv_lstm():
    p = problem("PeepholeConvLSTM")
    cell = ConvLSTM(p.cell.W, p.cell.U, p.cell.b, image=(5, 4))
    without = dataclasses.replace(p.cell, p=0 * p.cell.p)
    assert_close(without.forward(p.xs, p.state)[:2], cell.forward(p.xs, p.state)[:2], rtol=0, atol=0)
    assert np.abs(p.cell.forward(p.xs, p.state)[0] - cell.forward(p.xs, p.state)[0]).max() > 0.1


@every_cell
def test_initial_values(name, rng):
    """Glorot's bound counts all inputs and outputs of a channel; the columns of each U are orthonormal."""
    cell = CELLS[name].init(rng, 6, 4, kernel_size=3, image=(8, 9), dtype=np.float64)
    assert (cell.input_shape, cell.state_shapes[0]) == ((8, 9, 6), (8, 9, 4))
    bound = np.sqrt(6 / (9 * (6 + 4)))
    assert 0.99 * bound < np.abs(cell.W).max() <= bound
    kernels = [cell.U[..., i : i + 4] for i in range(0, cell.U.shape[-1], 4)]
    kernels += [cell.U_n] if name == "ConvGRU" else []
    for kernel in kernels:
        columns = kernel.reshape(36, 4)
        assert_close(columns.T @ columns, np.eye(4), atol=1e-13)
    assert len({kernel.tobytes() for kernel in kernels}) == (3 if name == "ConvGRU" else 4)


@every_cell
def test_options_that_do_not_fit_are_refused(name, rng):
    init = CELLS[name].init
    with refuses(ValueError, f"{name}: kernel_size must be odd, received 2"):
        init(rng, 3, 4, kernel_size=2)
    with refuses(ValueError, f"{name}: kernel_size must be an integer from 1, received 2.5"):
        init(rng, 3, 4, kernel_size=2.5)
    cell = init(rng, 3, 4)
    for image in ((5,), (5, 4, 3), [5, 4], 5):
        with refuses(ValueError, f"{name}: image must be a tuple (height, width), received {image!r}"):
            dataclasses.replace(cell, image=image)
    for image in ((0, 4), (5, 2.5)):
        with refuses(ValueError, f"{name}: each size of image must be an integer from 1"):
            dataclasses.replace(cell, image=image)


def test_peepholes_belong_to_one_size_of_image(rng):
    cell = PeepholeConvLSTM.init(rng, 3, 2, image=(5, 4))
    with refuses(ValueError, "PeepholeConvLSTM: p must have shape (4, 5, 6), received (5, 4, 6)"):
        dataclasses.replace(cell, image=(4, 5))
    other = dataclasses.replace(ConvGRU.init(rng, 3, 2, image=(5, 4)), image=(4, 5))
    assert other.forward(np.ones((2, 1, 4, 5, 3), dtype=np.float32))[0].shape == (2, 1, 4, 5, 2)

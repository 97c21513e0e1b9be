"""Through time: lengths, direction, truncation, and the packing under them."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncore import CELLS, recurrence, tree
from rnncore.recurrence import Packing
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, LAYOUTS, LENGTHS, STEPS, problem, refuses, to

every_cell = pytest.mark.parametrize("name", CELLS)
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
every_backend = pytest.mark.parametrize("backend", BACKENDS)
ROUNDING = {"rtol": 1e-12, "atol": 1e-12}


def each_with(*windows):
    """All cells in all layouts, each with one of the windows, so that every two of the three meet."""
    places = [(n, name, i, layout) for n, name in enumerate(CELLS) for i, layout in enumerate(LAYOUTS)]
    cases = [(name, layout, windows[(n + i) % len(windows)]) for n, name, i, layout in places]
    made = [pytest.param(name, LAYOUTS[layout], w, id=f"{name}-{layout}-{w}") for name, layout, w in cases]
    return pytest.mark.parametrize(("name", "layout", "window"), made)


@st.composite
def ragged(draw):
    T, B = draw(st.integers(0, 6)), draw(st.integers(0, 5))
    return T, B, draw(st.lists(st.integers(0, T), min_size=B, max_size=B)), draw(st.booleans())


def one_by_one(p, lengths, reverse):
    """Each sequence alone, cut to its length and read forwards: outputs, final state and all gradients."""
    ys, dxs, final = 0 * p.dys, 0 * p.xs, tree.map(np.copy, p.state)
    d0, grads = tree.map(np.copy, p.dstate), tree.map(np.zeros_like, p.cell)
    for b, n in enumerate(lengths):
        if n == 0:
            continue
        turn = slice(n - 1, None, -1) if reverse and n < len(p.xs) else slice(None, None, -1) if reverse else slice(n)
        part = [slice(b, b + 1)]
        y, state, tape = p.cell.forward(p.xs[turn][:n, *part], tuple(s[*part] for s in p.state))
        dx, d, g = p.cell.backward(p.dys[turn][:n, *part], tape, tuple(s[*part] for s in p.dstate))
        ys[turn, *part], dxs[turn, *part] = y, dx
        for into, out in ((final, state), (d0, d)):
            for i, o in zip(into, out, strict=True):
                i[*part] = o
        grads = tree.map(lambda a, e: a + e, grads, g)
    return ys, final, grads, dxs, d0


@every_cell
@settings(max_examples=20)  # of each of the cells
@given(ragged())
def test_ragged_is_each_sequence_alone(name, case):
    T, B, lengths, reverse = case
    p = problem(name, None, {"lengths": lengths, "reverse": reverse}, T=T, B=B)
    ys, final, _ = p.cell.forward(p.xs, p.state, **p.layout)
    assert_close((ys, final, *p.gradient()), one_by_one(p, lengths, reverse), **ROUNDING)


@every_backend
@every_cell
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_has_no_influence(name, backend, reverse):
    p = problem(name, None, {"lengths": LENGTHS, "reverse": reverse})
    padding = np.arange(STEPS)[:, None] >= np.array(LENGTHS)
    filled = dataclasses.replace(p, xs=p.xs.copy(), dys=p.dys.copy())
    filled.xs[padding] = filled.dys[padding] = np.nan
    runs = []
    for q in (p, filled):
        q = dataclasses.replace(q, **{f: to(backend, getattr(q, f)) for f in ("cell", "xs", "state", "dys", "dstate")})
        ys, final, _ = q.cell.forward(q.xs, q.state, **q.layout)
        grads, dxs, dstate = q.gradient()
        assert (ys[padding] == 0).all()
        assert (dxs[padding] == 0).all()
        runs.append((ys, final, grads, dxs, dstate))
    assert_close(*runs, rtol=0, atol=0)


@every_cell
def test_the_final_state_is_the_last_valid_output(name):
    p = problem(name)
    for reverse in (False, True):
        ys, final, _ = p.cell.forward(p.xs, p.state, LENGTHS, reverse)
        for b, n in enumerate(LENGTHS):
            last = p.state[0][b] if n == 0 else ys[0 if reverse else n - 1, b]
            assert_close(final[0][b], last, rtol=0, atol=0)


@every_cell
def test_reverse_reads_from_the_end_and_leaves_outputs_in_place(name):
    p = problem(name)
    ys, final, _ = p.cell.forward(p.xs, p.state, reverse=True)
    turned, turned_final, _ = p.cell.forward(p.xs[::-1], p.state)
    assert_close((ys, final), (turned[::-1], turned_final), rtol=0, atol=0)


@every_backend
@every_cell
def test_full_lengths_are_no_lengths(name, backend):
    p = problem(name, backend=backend)
    for reverse in (False, True):
        full, plain = (
            dataclasses.replace(p, layout={"lengths": lengths, "reverse": reverse}) for lengths in ([STEPS] * 4, None)
        )
        assert_close(full.gradient(), plain.gradient(), rtol=0, atol=0)


@pytest.mark.parametrize("kind", [list, tuple, np.array, torch.tensor, iter])
def test_lengths_of_any_kind(kind):
    p = problem("Elman")
    assert_close(p.cell.forward(p.xs, lengths=kind(LENGTHS))[:2], p.cell.forward(p.xs, lengths=LENGTHS)[:2])


# -- truncation


def truncated_autograd(p, window):
    """The gradient of autograd when the state of every running sequence is detached before steps window, 2·window, …"""
    cell, xs, state = point = tree.map(lambda a: a.clone().requires_grad_(), p.point)
    T, B = xs.shape[:2]
    n = np.array(p.layout.get("lengths", [T] * B))
    t = np.arange(T)[:, None]
    read = np.where(t < n, n - 1 - t, t) if p.layout.get("reverse") else t + 0 * n
    xs, dys = (a[torch.tensor(read), torch.arange(B)] for a in (xs, p.dys))
    loss = 0
    for start in range(0, T, window):
        if start:
            running = torch.tensor(n > start)
            state = tuple(torch.where(running.reshape(-1, *[1] * (s.ndim - 1)), s.detach(), s) for s in state)
        part = slice(start, start + window)
        ys, state, _ = cell.forward(xs[part], state, np.clip(n - start, 0, len(xs[part])))
        loss = loss + (ys * dys[part]).sum()
    loss = loss + sum((s * d).sum() for s, d in zip(state, p.dstate, strict=True))
    grads = iter(torch.autograd.grad(loss, [leaf for _, leaf in tree.leaves(point)], materialize_grads=True))
    return tree.map(lambda _: next(grads), p.point)


@each_with(1, 2, 3, 4)
def test_truncation_is_autograd_with_the_state_detached(name, layout, window):
    p = problem(name, None, layout, backend="torch-cpu")
    assert_close(p.gradient(window), truncated_autograd(p, window), **ROUNDING)


@every_cell
@every_layout
def test_a_window_as_long_as_the_sequence_is_full_bptt(name, layout):
    p = problem(name, None, layout)
    for window in (STEPS, STEPS + 3, np.int64(STEPS)):
        assert_close(p.gradient(window), p.gradient(), rtol=0, atol=0)
    cut, full = [], []
    for seed in range(3):  # with one alone all units of a ReLU may be off at the cut
        p = problem(name, None, layout, seed=seed)
        for into, window in ((cut, 2), (full, None)):
            into += [leaf for _, leaf in tree.leaves(p.gradient(window))]
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(cut, full, strict=True))


@each_with(None, 2)
def test_no_dys_and_no_dstate_are_zeros(name, layout, window):
    p = problem(name, None, layout)
    _, _, tape = p.cell.forward(p.xs, p.state, **layout)
    zeros = tree.map(np.zeros_like, (p.dys, p.dstate))
    for without, given_zeros in [
        (p.cell.backward(None, tape, p.dstate, window), p.cell.backward(zeros[0], tape, p.dstate, window)),
        (p.cell.backward(p.dys, tape, None, window), p.cell.backward(p.dys, tape, zeros[1], window)),
    ]:
        assert_close(without, given_zeros, rtol=0, atol=0)


# -- segments: kept apart, or one after the other


@every_backend
@each_with(None, 3)
def test_checkpointed_is_plain(name, layout, backend, window):
    p = problem(name, None, layout, backend=backend)
    ys, final, tape = p.cell.forward(p.xs, p.state, **layout)
    expected = ys, final, p.cell.backward(p.dys, tape, p.dstate, window)
    for checkpoint in (1, 2, 4, STEPS, STEPS + 1):
        ys, final, tape = p.cell.forward(p.xs, p.state, **layout, checkpoint=checkpoint)
        assert_close((ys, final, p.cell.backward(p.dys, tape, p.dstate, window)), expected, **ROUNDING)
        assert [segment.caches for segment in tape.segments] == [None] * -(-STEPS // checkpoint)


@every_backend
@every_cell
@pytest.mark.parametrize("cut", [1, 3, 4])
def test_chunk_after_chunk_is_the_whole_sequence(name, backend, cut):
    p = problem(name, backend=backend)
    state, runs = p.state, []
    for part in (slice(cut), slice(cut, None)):
        ys, state, tape = p.cell.forward(p.xs[part], state)
        runs.append((part, ys, tape))
    dstate, total = p.dstate, tree.map(lambda w: 0 * w, p.cell)
    whole_ys, whole_state, _ = p.cell.forward(p.xs, p.state)
    grads, dxs, dinitial = p.gradient()
    assert_close(state, whole_state, **ROUNDING)
    for part, ys, tape in reversed(runs):
        dx, dstate, part_grads = p.cell.backward(p.dys[part], tape, dstate)
        total = tree.map(lambda a, b: a + b, total, part_grads)
        assert_close((ys, dx), (whole_ys[part], dxs[part]), **ROUNDING)
    assert_close((total, dstate), (grads, dinitial), **ROUNDING)


@every_backend
@every_cell
@every_layout
def test_gradient_arriving_at_some_steps_and_sequences_only(name, backend, layout, rng):
    p = problem(name, None, layout, backend=backend)
    loss_at = np.array([[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]], dtype=float)
    mask = to(backend, loss_at.reshape(loss_at.shape + (1,) * (len(p.dys.shape) - 2)))
    zeros = tuple(0 * d for d in p.dstate)
    p = dataclasses.replace(p, dys=p.dys * mask, dstate=zeros)
    check_gradients(p.loss, p.point, p.gradient(), rng)
    at_the_end = dataclasses.replace(p, dys=0 * p.dys, dstate=(1 + zeros[0], *zeros[1:]))
    check_gradients(at_the_end.loss, p.point, at_the_end.gradient(), rng)


@every_cell
@pytest.mark.parametrize("checkpoint", [0, -1, 1.5, True, "2"])
def test_a_checkpoint_that_is_no_number_of_steps_is_refused(name, checkpoint):
    p = problem(name)
    with refuses(ValueError, f"{name}.forward: checkpoint must be an integer from 1, received {checkpoint!r}"):
        p.cell.forward(p.xs, checkpoint=checkpoint)


# -- packing


@given(ragged())
def test_unpack_is_the_adjoint_of_pack(case):
    T, B, lengths, reverse = case
    packing = Packing.of("test", T, B, lengths, reverse)
    rng = np.random.default_rng(0)
    x, y = rng.integers(-9, 9, (T, B, 2)), rng.integers(-9, 9, (sum(lengths), 2))
    assert (packing.pack(x) * y).sum() == (x * packing.unpack(y)).sum()
    valid = np.arange(T)[:, None, None] < np.array(lengths, dtype=int)[:, None]
    np.testing.assert_array_equal(packing.unpack(packing.pack(x)), x * valid)


@given(ragged())
def test_steps_are_packed_in_reading_order(case):
    T, B, lengths, reverse = case
    packing = Packing.of("test", T, B, lengths, reverse)
    t, b = np.meshgrid(np.arange(T), np.arange(B), indexing="ij")
    rows = packing.pack(np.stack([t, b], axis=-1)).tolist()
    expected = [
        [lengths[b] - 1 - t if reverse else t, b]
        for t in range(T)
        for b in sorted(range(B), key=lambda b: -lengths[b])
        if t < lengths[b]
    ]
    assert rows == expected
    assert list(packing.sizes) == [k for t in range(T) if (k := sum(t < n for n in lengths))]


@given(ragged())
def test_unsort_undoes_sort(case):
    T, B, lengths, reverse = case
    packing = Packing.of("test", T, B, lengths, reverse)
    state = (np.arange(B), np.arange(2 * B).reshape(B, 2))
    assert_close(packing.unsort(packing.sort(state)), state)
    assert packing.sort((np.array(lengths, dtype=int),))[0].tolist() == sorted(lengths, reverse=True)


def test_backward_returns_every_step_in_order():
    """A state that counts: its gradient at step t is that of all steps after it, and t is what each step leaves."""
    doutputs = np.arange(6.0)[:, None]
    dinputs, dstate, left = recurrence.backward(
        lambda dstate, t: (dstate[0], dstate, t),
        doutputs,
        (np.array([[20.0], [10.0]]),),
        [0, 1, 2, 3],
        (2, 2, 1, 1),
        [False] * 4,
    )
    # packed rows: step 0 of the longer and the shorter sequence, step 1 of both, then steps 2 and 3 of the longer
    assert [d.ravel().tolist() for d in dinputs] == [[31, 14], [31, 13], [29], [25]]
    assert dstate[0].ravel().tolist() == [31, 14]
    assert left == [0, 1, 2, 3]

"""The open tasks: one in each exercise, with a scheme that adds up and a sketch that is true and stays here."""

import math
import re
from collections.abc import Callable
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from rnngrade.checks import exercise, exercise_names
from rnngrade.grading.cells import grade_id, is_by_hand
from rnngrade.release import source_notebook
from rnngrade.solutions import solution_source
from tests.grader.course import ROOT, functions

each = pytest.mark.parametrize("name", exercise_names())
STUB = "YOUR ANSWER HERE"  # nbgrader's, in the place of a written solution
SCHEME = re.compile(r"^- (\d*½?) points?: \S", re.MULTILINE)
HEAD = re.compile(r"## Open task: .+ \((\d*½?) points?, marked by hand\)")
TRUE: dict[str, Callable[[SimpleNamespace], None]] = {}


def released(name: str) -> nbformat.NotebookNode:
    return nbformat.read(ROOT / "exercises" / name / f"{name}.ipynb", as_version=4)


def sketch(name: str) -> str:
    """The answer with its scheme, from the instructor's notebook."""
    cells = source_notebook(ROOT / "solutions" / f"{name}.py").cells
    return next(cell.source for cell in cells if is_by_hand(cell))


def number(written: str) -> float:
    """Of points, such as 1½."""
    return 0.5 * written.endswith("½") + int(written.rstrip("½") or 0)


def plain(text: str) -> str:
    return " ".join(text.split())


@each
def test_exercise_ends_with_one_open_task(name: str) -> None:
    e, cells = exercise(name), released(name).cells
    assert [grade_id(cell) for cell in cells][-4:] == ["about-open-task", "open-task", "about-summary", "summary"]
    (answer,) = filter(is_by_hand, cells)
    assert (grade_id(answer), answer.cell_type, answer.source) == ("open-task", "markdown", STUB)
    assert answer.metadata.nbgrader.points == e.by_hand
    assert 0.05 < e.by_hand / (e.points + e.by_hand) < 0.15
    assert number(HEAD.fullmatch(cells[-4].source.splitlines()[0])[1]) == e.by_hand
    assert f", {e.points:g} points, and an open task for {e.by_hand:g} more." in plain(cells[0].source)


def test_no_two_are_alike() -> None:
    statements = [released(name).cells[-4].source for name in exercise_names()]
    assert len({statement.splitlines()[0] for statement in statements}) == len(statements)


@each
def test_scheme_adds_up(name: str) -> None:
    _, marking = sketch(name).split("**Marking**")
    points = list(map(number, SCHEME.findall(marking)))
    assert len(points) == marking.count("\n- ") > 0
    assert sum(points) == exercise(name).by_hand


@each
def test_nobody_is_shown_a_sentence_of_the_sketch(name: str) -> None:
    sentences = [plain(part) for part in re.split(r"(?<=[.:;?])\s|\n\n|\n(?=[-|])", sketch(name))]
    sentences = [sentence for sentence in sentences if len(sentence) >= 25]
    assert len(sentences) > 1
    pages = [page.read_text(encoding="utf-8") for page in (ROOT / "book").glob("*.md")]
    shown = plain("\n".join([cell.source for cell in released(name).cells] + pages))
    assert [sentence for sentence in sentences if sentence in shown] == []


# -- what the sketches say


def true(sketch: Callable[[SimpleNamespace], None]) -> Callable[[SimpleNamespace], None]:
    """This sketch of an answer holds; it is given the solutions of its exercise."""
    (number,) = re.findall(r"\d\d", sketch.__name__)
    TRUE[number] = sketch
    return sketch


def test_every_sketch_is_proven() -> None:
    assert sorted(TRUE) == [name[:2] for name in exercise_names()]


@each
def test_sketch_is_true(name: str) -> None:
    names: dict[str, object] = {"np": np}
    for graded in exercise(name):
        exec(solution_source(name, graded.name) or "", names)
    TRUE[name[:2]](SimpleNamespace(**names))


@true
def sketch_00(f: SimpleNamespace) -> None:
    for seed in range(5):
        theta, slopes = np.random.default_rng(seed).standard_normal((2, 3, 4))
        right = slopes * (1 - np.tanh(theta) ** 2)

        def once(eps: float, theta=theta, slopes=slopes) -> np.ndarray:
            return f.numerical_gradient(lambda array: np.sum(slopes * np.tanh(array)), theta, eps)

        steps = 10.0 ** -np.arange(1, 8)
        central = np.array([f.relative_error(once(eps), right) for eps in steps])
        better = np.array([f.relative_error((4 * once(eps) - once(2 * eps)) / 3, right) for eps in steps])
        assert np.argmin(central) in (4, 5)
        assert np.argmin(better) in (2, 3)
        assert 1e-12 < central.min() < 1e-9
        assert 1e-14 < better.min() < 1e-11
        assert 1e3 < better[0] / better[1] < 1e5  # a tenth of the step: the fourth power


@true
def sketch_01(f: SimpleNamespace) -> None:
    text = (ROOT / "solutions" / "01_sequences.py").read_text(encoding="utf-8")
    numbers = re.search(r'passengers = np.fromstring\(\s+"""(.*?)"""', text, re.DOTALL)[1]
    passengers = np.array(numbers.split(), dtype=float)
    logs, rows = np.log(passengers), []
    for origin in range(60, 121):
        known, actual = passengers[:origin], passengers[origin : origin + 24]
        again = f.seasonal_naive(known, 12, 24)
        growth = known[-12:].sum() / known[-24:-12].sum()
        fitted = np.exp(f.forecast_ar(logs, origin, *f.fit_ar(logs[:origin], 13), 24))
        forecasts = again, again * growth ** (1 + np.arange(24) // 12), fitted
        rows.append([f.mase(actual, forecast, known, 12) for forecast in forecasts])
    naive, grows, fitted = np.array(rows).T
    assert len(rows) == 61
    assert np.all(fitted < naive)
    assert 10 <= np.sum(grows < fitted) <= 22
    assert fitted[-1] < grows[-1]
    for values, mean, low, high in ((naive, 2.0, 1.2, 2.9), (fitted, 0.9, 0.4, 1.7)):
        assert np.allclose([values.mean(), values.min(), values.max()], [mean, low, high], atol=0.06)
    assert abs(grows.mean() - 1.1) < 0.06


@true
def sketch_02(f: SimpleNamespace) -> None:
    D, H = 2, 10

    def last(seed: list[int], radius: float, start: float = 1.0) -> float:
        """The largest of the last fifty predictions, from a state and an input of this size."""
        rng = np.random.default_rng(seed)
        W, U, V = (rng.standard_normal(shape) for shape in ((D, H), (H, H), (H, D)))
        U, V = U / np.sqrt(H), V / np.sqrt(H)
        scale = radius / np.abs(np.linalg.eigvals(U + V @ W)).max()
        x, h0 = start * rng.standard_normal((1, D)), start * rng.standard_normal((1, H))
        ys = f.generate(x, h0, W, scale * U, np.zeros(H), scale * V, np.zeros(D), 500)
        return float(np.abs(ys[-50:]).max())

    for seed in range(10):
        assert max(last([11, seed], 0.5), last([11, seed], 0.95)) < 1e-9
        assert min(last([11, seed], 1.05), last([11, seed], 2.0)) > 0.01
    assert last([11, 48], 0.95) > 0.1  # one of the six
    assert last([11, 48], 0.95, start=1e-3) < 1e-9


@true
def sketch_03(f: SimpleNamespace) -> None:
    rng = np.random.default_rng(3)
    T, B, D, H, m = 17, 3, 2, 4, 5
    W, U, h0, dh_last = rng.standard_normal((D, H)), 0.5 * rng.standard_normal((H, H)), *rng.standard_normal((2, B, H))
    xs, dhs, hs = rng.standard_normal((T, B, D)), rng.standard_normal((T, B, H)), [h0]
    for x in xs:
        hs.append(np.tanh(x @ W + hs[-1] @ U))
    before, hs = hs[:-1], np.stack(hs[1:])
    parts, arrives = [], dh_last
    for start in reversed(range(0, T, m)):
        cut = slice(start, start + m)
        parts.append(f.bptt(dhs[cut], arrives, xs[cut], hs[cut], before[start], W, U))
        arrives = parts[-1][1]
    together = [np.concatenate([part[0] for part in reversed(parts)]), arrives]
    together += [sum(part[k] for part in parts) for k in (2, 3, 4)]
    for ours, whole in zip(together, f.bptt(dhs, dh_last, xs, hs, h0, W, U), strict=True):
        assert np.abs(ours - whole).max() < 1e-13 * np.abs(whole).max()
    assert min(range(1, 1001), key=lambda m: 10_000 / m + m) == 100


@true
def sketch_04(f: SimpleNamespace) -> None:
    for k, places in ((24, 1), (12, 2), (20, 6), (23, 24), (25, 24)):
        xs, _ = f.streams((np.arange(4001) % 24)[:, None], 10, k)
        assert len(set(xs[:, 0].ravel())) == places == 24 // math.gcd(24, k)


@true
def sketch_05(f: SimpleNamespace) -> None:
    def clipped(g: float) -> float:
        return float(f.clip_by_global_norm([np.array([[g]]), np.zeros((1, 1)), np.zeros(1)], 1.0)[0][0, 0])

    batches = (-3.0, 1.0, 1.0)
    assert np.mean(batches) == pytest.approx(-1 / 3)
    assert np.mean([*map(clipped, batches)]) == pytest.approx(1 / 3)
    for one, other, bound in np.random.default_rng(5).uniform(0.1, 3, (200, 3)):
        vectors = np.random.default_rng(6).standard_normal((2, 3))
        vectors *= (np.array([one, other]) / np.linalg.norm(vectors, axis=1))[:, None]
        shorter = vectors * np.minimum(1, bound / np.array([one, other]))[:, None]
        assert vectors.sum(axis=0) @ shorter.sum(axis=0) >= 0


@true
def sketch_06(f: SimpleNamespace) -> None:
    rng = np.random.default_rng(6)
    B, D, H = 3, 2, 4
    x, W, U = rng.standard_normal((B, D)), rng.standard_normal((D, 4 * H)), rng.standard_normal((H, 4 * H))
    h_old, c_old, dh, dc = rng.standard_normal((4, B, H))
    b, p = rng.standard_normal(4 * H), rng.standard_normal(3 * H)
    a_i, a_f, a_g, a_o = np.split(x @ W + h_old @ U + b, 4, axis=1)
    p_i, p_f, p_o = np.split(p, 3)
    i, f_, g = 1 / (1 + np.exp(-a_i - p_i * c_old)), 1 / (1 + np.exp(-a_f - p_f * c_old)), np.tanh(a_g)
    c = f_ * c_old + i * g
    o, tanh_c = 1 / (1 + np.exp(-a_o - p_o * c)), np.tanh(c)

    da_o = dh * tanh_c * o * (1 - o)
    dc_all = dc + dh * o * (1 - tanh_c**2) + p_o * da_o
    da_i, da_f, da_g = dc_all * g * i * (1 - i), dc_all * c_old * f_ * (1 - f_), dc_all * i * (1 - g**2)
    ours = {
        "c": dc_all * f_ + p_i * da_i + p_f * da_f,
        "p": np.concatenate([(da_i * c_old).sum(0), (da_f * c_old).sum(0), (da_o * c).sum(0)]),
        "b": np.concatenate([da.sum(0) for da in (da_i, da_f, da_g, da_o)]),
    }

    def loss(values: dict[str, np.ndarray]) -> float:
        h_new, c_new = f.peephole_step(x, h_old, values["c"], W, U, values["b"], values["p"])
        return float(np.sum(dh * h_new) + np.sum(dc * c_new))

    start, eps = {"c": c_old, "p": p, "b": b}, 1e-6
    for name, gradient in ours.items():
        for at in np.ndindex(gradient.shape):
            ahead, behind = ({k: v.copy() for k, v in start.items()} for _ in range(2))
            ahead[name][at] += eps
            behind[name][at] -= eps
            assert abs((loss(ahead) - loss(behind)) / (2 * eps) - gradient[at]) < 1e-7


@true
def sketch_07(f: SimpleNamespace) -> None:
    rng = np.random.default_rng(7)
    B, D, H = 3, 2, 4
    W, U, b = rng.standard_normal((D, 3 * H)), rng.standard_normal((H, 3 * H)), rng.standard_normal(3 * H)
    b_hn, signs, order = rng.standard_normal(H), np.array([1, -1, -1, 1]), np.array([2, 0, 3, 1])
    candidate = np.concatenate([np.ones(2 * H), signs])
    turned = W * candidate, signs[:, None] * U * candidate, b * candidate, b_hn * signs
    columns = np.concatenate([order, H + order, 2 * H + order])
    moved = W[:, columns], U[order][:, columns], b[columns], b_hn[order]
    h = rng.standard_normal((B, H))
    h_turned, h_moved = h * signs, h[:, order]
    for x in rng.standard_normal((6, B, D)):
        h = f.gru_step(x, h, W, U, b, b_hn)[0]
        h_turned = f.gru_step(x, h_turned, *turned)[0]
        h_moved = f.gru_step(x, h_moved, *moved)[0]
        assert np.allclose(h_turned, h * signs, atol=1e-12)
        assert np.allclose(h_moved, h[:, order], atol=1e-12)
    assert 2**8 * math.factorial(8) == 10_321_920


@true
def sketch_08(f: SimpleNamespace) -> None:
    def indrnn(H: int) -> int:
        return 2 * H + H + H + H + 1  # W, u, b, V and c

    assert f.fair_size(4353, 1, 2, 1) == (64, 0)
    assert (4353 - indrnn(870), indrnn(871) > 4353, indrnn(64)) == (2, True, 321)


@true
def sketch_09(f: SimpleNamespace) -> None:
    rng = np.random.default_rng(9)
    T, B = 12, 60
    xs, lengths = (rng.random((T, B, 1)) < 0.15).astype(float), rng.integers(1, T + 1, B)
    valid = np.arange(T)[:, None] < lengths
    xs[~valid] = 5 * rng.standard_normal(((~valid).sum(), 1))
    latch = np.full((1, 1), 10.0), np.full((1, 1), 10.0), np.zeros(1), np.zeros((B, 1))
    said = f.bidirectional(xs, lengths, latch, latch)[0].sum(axis=-1) > 1.5
    marks = (xs[..., 0] > 0) & valid
    since, until = np.logical_or.accumulate(marks), np.logical_or.accumulate(marks[::-1])[::-1]
    assert np.array_equal(said & valid, since & until & valid)
    assert 0.05 < (since & until & valid).sum() / valid.sum() < 0.5


@true
def sketch_10(f: SimpleNamespace) -> None:
    rng = np.random.default_rng(10)
    for B in (1, 2, 8, 64):
        harmonic = sum(1 / k for k in range(1, B + 1))
        for draw, predicted in (
            (lambda B: rng.integers(1, 51, B), (B + 1) / (2 * B)),
            (lambda B: rng.geometric(1 / 25, B), 1 / harmonic),
        ):
            sizes = [f.pack(np.zeros((n.max(), B, 1)), n)[1] for n in (draw(B) for _ in range(200))]
            valid = sum(s.sum() for s in sizes) / sum(len(s) * B for s in sizes)
            assert abs(valid - predicted) < 0.05


@true
def sketch_11(f: SimpleNamespace) -> None:
    rng = np.random.default_rng(11)
    bptt = functions((ROOT / "solutions" / "03_bptt.py").read_text(encoding="utf-8"))["bptt"]
    names: dict[str, Callable[..., object]] = {"np": np}
    exec(bptt, names)
    T, B, K, H = 20, 8, 4, 32
    rotations = [np.linalg.qr(rng.standard_normal((H, H)))[0] for _ in range(2)]
    xs, us = (np.eye(K)[rng.integers(0, K, (T, B))] for _ in range(2))
    for scale, low, high in ((0.5, 0, 1e-5), (1.0, 1e-2, 1)):
        states, runs = np.zeros((B, H)), []
        for inputs, U in zip((xs, us), rotations, strict=True):
            W, hs = 0.3 * rng.standard_normal((K, H)), []
            for x in inputs:
                states = np.tanh(x @ W + states @ (scale * U))
                hs.append(states)
            runs.append((np.stack(hs), (W, scale * U)))
        (es, encoder), (hs, decoder) = runs
        dhs = np.zeros((T, B, H))
        dhs[0] = rng.standard_normal((B, H))
        back = f.encoder_decoder_backward(dhs, xs, us, np.zeros((B, H)), es, hs, encoder, decoder, names["bptt"])
        sizes = np.linalg.norm(back[4], axis=(1, 2))
        assert low < sizes[0] / sizes[-1] < high


@true
def sketch_12(f: SimpleNamespace) -> None:
    rng = np.random.default_rng(12)
    for patience, depth, epochs in ((1, 0.75, 2.7), (2, 1.1, 4.5), (5, 1.5, 10), (10, 1.8, 19), (20, 2.1, 37)):
        series = rng.standard_normal((1000, 300))
        best, last = np.array([f.early_stopping(losses, patience) for losses in series]).T
        assert abs(-series[np.arange(1000), best].mean() - depth) < 0.12
        assert abs(last.mean() + 1 - epochs) < 0.1 * epochs
        assert abs(rng.standard_normal((1000, 300))[np.arange(1000), best].mean()) < 0.15

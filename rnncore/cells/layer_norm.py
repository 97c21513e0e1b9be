"""Elman network, GRU and LSTM with layer normalisation (Ba, Kiros and Hinton 2016)."""

from abc import abstractmethod
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, ClassVar, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import activation_pair
from rnncore.backend import Array, array_namespace, check_array, check_finite, check_floating, concat, sigmoid, split
from rnncore.cell import Cell, Others, Product, gathered
from rnncore.cells.gru import gru, gru_backward
from rnncore.normalisation import check_epsilon, layer_norm, layer_norm_backward
from rnncore.recurrence import State

__all__ = ["LayerNormElman", "LayerNormGRU", "LayerNormLSTM", "NormalisedCell"]


@dataclass(frozen=True)
class LayerNormElman(Cell):
    """The Elman cell with its summed input normalised: neither the weights' scale nor a common shift matters.

        a = x W + h U
        LN(a) = (a - mean(a)) / √(var(a) + ε)
        h' = φ(gain ⊙ LN(a) + b)

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), gain and b (H,). State: (h,). Output: h.

    Mean and variance are those of the H entries of a row. The paper normalises the sum here, but each product for
    itself in the GRU and the LSTM. φ is tanh unless told. A Cell and no AffineCell, for b comes after the
    normalisation.

    Paper: J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv 1607.06450, 2016, equation 4.
    """

    W: Array
    U: Array
    b: Array
    gain: Array
    activation: str = tree.static(default="tanh")
    epsilon: float = tree.static(default=1e-5)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "tanh",
        epsilon: float = 1e-5,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U, zero b, gain one."""
        W, U, b = init.gates(rng, input_size, hidden_size, 1, dtype=dtype)
        return cls(W, U, b, np.ones_like(b), activation, epsilon)

    def __post_init__(self) -> None:
        check_floating("LayerNormElman", "W", self.W)
        check_array("LayerNormElman", "W", self.W, ("D", "H"), self.W)
        hidden_size = self.W.shape[1]
        check_array("LayerNormElman", "U", self.U, (hidden_size, hidden_size), self.W)
        check_array("LayerNormElman", "b", self.b, (hidden_size,), self.W)
        check_array("LayerNormElman", "gain", self.gain, (hidden_size,), self.W)
        activation_pair("LayerNormElman", self.activation)
        object.__setattr__(self, "epsilon", check_epsilon("LayerNormElman", self.epsilon))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((self.U.shape[0],),)

    def project(self, xs: Array) -> Array:
        return xs @ self.W

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        phi, _ = activation_pair("LayerNormElman", self.activation)
        (h,) = state
        y, norm = layer_norm(projected + h @ self.U, self.gain, self.b, self.epsilon)
        new = phi(y)
        return (new,), (h, norm, new)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        h, norm, new = cache
        _, derivative = activation_pair("LayerNormElman", self.activation)
        dy = dstate[0] * derivative(new)
        da, dgain, db = layer_norm_backward(dy, self.gain, norm)
        return da, (da @ self.U.T,), {"U": Product(h, da), "gain": dgain, "b": db}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        return dprojected @ self.W.T, gathered(self, residues, W=xs.T @ dprojected)


@dataclass(frozen=True)
class NormalisedCell(Cell):
    """A cell whose two products are normalised before they meet, wx = LN(x W) + b and uh = LN(h U); abstract.

    A Cell and no AffineCell, for b comes after the normalisation; else the same: wx is made for all steps at once.
    `blocks` says how many gates are normalised together: (2, 1) the first two, and the third alone.

    Shapes: W (D, G·H), U (H, G·H), b, gain_x and gain_h (G·H,) for G gates side by side.
    """

    W: Array
    U: Array
    b: Array
    gain_x: Array
    gain_h: Array

    blocks: ClassVar[tuple[int, ...]]

    @property
    @abstractmethod
    def epsilon(self) -> float:
        """ε of the normalisation: a field of each cell."""

    @abstractmethod
    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, Any]:
        """The new state from wx, uh (B, G·H) and the old state; and a cache."""

    @abstractmethod
    def pointwise_backward(self, dstate: State, cache: Any) -> tuple[Array, Array, State, Others]:
        """Gradients of wx, of uh, of the old state beside the path through uh, and of parameters not named above."""

    def __post_init__(self) -> None:
        operation = type(self).__name__
        check_floating(operation, "W", self.W)
        check_array(operation, "W", self.W, ("D", "G·H"), self.W)
        check_array(operation, "U", self.U, ("H", "G·H"), self.W)
        width = sum(self.blocks) * self.U.shape[0]
        check_array(operation, "W", self.W, (self.W.shape[0], width), self.W)
        check_array(operation, "U", self.U, (self.U.shape[0], width), self.W)
        for name in ("b", "gain_x", "gain_h"):
            check_array(operation, name, getattr(self, name), (width,), self.W)
        object.__setattr__(self, "epsilon", check_epsilon(operation, self.epsilon))

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0],)

    def project(self, xs: Array) -> Array:
        wx, _ = self._normalise(xs @ self.W, self.gain_x)
        return wx + self.b

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        uh, norms = self._normalise(state[0] @ self.U, self.gain_h)
        new, cache = self.pointwise(projected, uh, state)
        return new, (state[0], norms, cache)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        h, norms, step_cache = cache
        dwx, duh, (dh, *rest), others = self.pointwise_backward(dstate, step_cache)
        da, dgain = self._normalise_backward(duh, self.gain_h, norms)
        return dwx, (dh + da @ self.U.T, *rest), others | {"U": Product(h, da), "gain_h": dgain}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        _, norms = self._normalise(xs @ self.W, self.gain_x)  # once more: `project` passes on its result alone
        da, dgain = self._normalise_backward(dprojected, self.gain_x, norms)
        db, dgain = (array_namespace(xs).sum(rows, axis=0) for rows in (dprojected, dgain))
        return da @ self.W.T, gathered(self, residues, W=xs.T @ da, b=db, gain_x=dgain)

    def _normalise(self, a: Array, gain: Array) -> tuple[Array, list[Any]]:
        blocks = zip(self._blocks(a), self._blocks(gain), strict=True)
        parts = [layer_norm(part, g, None, self.epsilon) for part, g in blocks]
        return _joined([y for y, _ in parts]), [cache for _, cache in parts]

    def _normalise_backward(self, dy: Array, gain: Array, caches: list[Any]) -> tuple[Array, Array]:
        blocks = zip(self._blocks(dy), self._blocks(gain), caches, strict=True)
        parts = [layer_norm_backward(part, g, cache) for part, g, cache in blocks]
        return _joined([da for da, _, _ in parts]), _joined([dgain for _, dgain, _ in parts])

    def _blocks(self, a: Array) -> list[Array]:
        size, stops = self.U.shape[0], accumulate(self.blocks)
        return [a[..., (stop - n) * size : stop * size] for n, stop in zip(self.blocks, stops, strict=True)]


def _joined(parts: list[Array]) -> Array:
    return parts[0] if len(parts) == 1 else concat(*parts)


@dataclass(frozen=True)
class LayerNormGRU(NormalisedCell):
    """The GRU with its products normalised: r and z together, the candidate n alone.

        a_r, a_z = split(LN(x W_rz) + LN(h U_rz) + b_rz)
        r, z = σ(a_r), σ(a_z)
        n = tanh(LN(x W_n) + b_n + r ⊙ (LN(h U_n) + b_hn))
        h' = (1 - z) ⊙ n + z ⊙ h

    Shapes: x (B, D), h (B, H); W (D, 3H), U (H, 3H), b, gain_x and gain_h (3H,), gates in the order r z n; b_hn (H,).
    State: (h,). Output: h.

    LN(a) = gain ⊙ (a - mean(a)) / √(var(a) + ε) over the 2H entries of r and z, or the H of n, with gain_x for x and
    gain_h for h. The paper writes 1 - z for z, which turns the signs of z's gains and bias; the biases of its two LN
    in r and z are one here, b. haste's LayerNormGRU normalises r, z and n all together, over 3H entries.

    Paper: J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv 1607.06450, 2016, supplementary material.
    """

    b_hn: Array
    epsilon: float = tree.static(default=1e-5)

    blocks = (2, 1)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        epsilon: float = 1e-5,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and orthogonal U, each gate drawn for itself; zero biases, gains one."""
        W, U, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        return cls(W, U, b, np.ones_like(b), np.ones_like(b), b[:hidden_size].copy(), epsilon)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("LayerNormGRU", "b_hn", self.b_hn, (self.U.shape[0],), self.W)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1],)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        h, cache = gru(wx, uh, self.b_hn, state[0])
        return (h,), cache

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dwx, duh, dn_h, dh = gru_backward(dstate[0], cache)
        return dwx, duh, (dh,), {"b_hn": dn_h}


@dataclass(frozen=True)
class LayerNormLSTM(NormalisedCell):
    """The LSTM with its products normalised, all gates together, and the cell state wherever it is shown.

        a_i, a_f, a_g, a_o = split(LN(x W) + LN(h U) + b)
        i, f, o = σ(a_i), σ(a_f), σ(a_o);  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(LN(c') + b_c)

    Shapes: x (B, D), h and c (B, H); W (D, 4H), U (H, 4H), b, gain_x and gain_h (4H,), gates in the order i f g o;
    gain_c and b_c (H,). State: (h, c). Output: h.

    LN(a) = gain ⊙ (a - mean(a)) / √(var(a) + ε) over the 4H entries of all gates, or the H of c', with gain_x for x,
    gain_h for h and gain_c for c'. What c keeps is not normalised. The paper's b and the biases of its first two LN
    are one here, b. haste's LayerNormLSTM is this cell with its gates in the order i g f o; TensorFlow's
    LayerNormBasicLSTMCell is another, which normalises the sum of both products gate by gate.

    Paper: J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv 1607.06450, 2016, supplementary material.
    """

    gain_c: Array
    b_c: Array
    epsilon: float = tree.static(default=1e-5)

    blocks = (4,)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 1.0,
        epsilon: float = 1e-5,
        dtype: Any = np.float32,
    ) -> Self:
        """As LSTM.init; gains one, b_c zero."""
        W, U, b = init.gates(rng, input_size, hidden_size, 4, dtype=dtype)
        gain, zero = np.ones_like(b), b[:hidden_size].copy()
        b[hidden_size : 2 * hidden_size] = check_finite("LayerNormLSTM", "forget_bias", forget_bias)
        return cls(W, U, b, gain, gain.copy(), gain[:hidden_size].copy(), zero, epsilon)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("LayerNormLSTM", "gain_c", self.gain_c, (self.U.shape[0],), self.W)
        check_array("LayerNormLSTM", "b_c", self.b_c, (self.U.shape[0],), self.W)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1])

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Any, ...]]:
        xp, (_, c) = array_namespace(wx), state
        i, f, g, o = split(wx + uh, 4)
        i, f, g, o = sigmoid(i), sigmoid(f), xp.tanh(g), sigmoid(o)
        c_new = f * c + i * g
        shown, norm = layer_norm(c_new, self.gain_c, self.b_c, self.epsilon)
        shown = xp.tanh(shown)
        return (o * shown, c_new), (c, i, f, g, o, shown, norm)

    def pointwise_backward(self, dstate: State, cache: tuple[Any, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        c, i, f, g, o, shown, norm = cache
        dshown = dh * o * (1 - shown * shown)
        dc_shown, dgain, db = layer_norm_backward(dshown, self.gain_c, norm)
        dc = dc + dc_shown
        da = concat(
            dc * g * i * (1 - i),
            dc * c * f * (1 - f),
            dc * i * (1 - g * g),
            dh * shown * o * (1 - o),
        )
        return da, da, (0, dc * f), {"gain_c": dgain, "b_c": db}

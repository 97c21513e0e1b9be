"""The run of a cell of torch tensors, as a function whose derivative is the hand-written one."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from rnncore import tree
from rnncore.backend import Array, array_namespace, check_array
from rnncore.cell import Cell
from rnncore.recurrence import State, Tape

__all__ = ["Followed", "pair", "run", "without_autocast"]

INFERENCE_SEGMENT = 64  # where no gradient is wanted, no more than these steps' caches exist at a time
T = TypeVar("T", Tensor, State)

for _like in (torch.empty(0), torch.nn.Parameter(torch.empty(0))):
    array_namespace(_like)  # looked up now, since torch.compile cannot follow the search


def run(
    cell: Cell,
    xs: Tensor,
    state: State | None = None,
    lengths: Iterable[int] | None = None,
    reverse: bool = False,
    checkpoint: int | None = None,
) -> tuple[Tensor, State]:
    """`Cell.forward` for a cell of tensors: outputs and final state, differentiated by `Cell.backward`.

    Arguments are those of `Cell.forward`. The gradients can be differentiated again and go through `torch.func`. Where
    `lengths` is None `torch.compile(fullgraph=True)` takes all of it, but not ExpRNN, whose work depends on values;
    in a compiled `torch.func` transform autograd takes the place of `Cell.backward`. There is no forward-mode
    derivative. Tensors of float32 and float64 on the CPU run as NumPy arrays, in the same memory. Autocast is off
    inside: all is computed in the parameters' dtype, and inputs and states are brought to it.
    """
    operation = f"{type(cell).__name__}.forward"
    refuse_trace(operation, xs)
    leaves = tuple(leaf for _, leaf in tree.leaves(cell, and_fixed=True))
    xs = without_autocast(xs, leaves[0])
    check_array(operation, "xs", xs, ("T", "B", *cell.input_shape), leaves[0])
    state = cell.initial_state(xs.shape[1]) if state is None else without_autocast(state, leaves[0])
    cell._check_state(operation, "state", state, xs.shape[1])
    if isinstance(lengths, Iterable):  # which may be read more than once
        lengths = lengths.tolist() if isinstance(lengths, Tensor | np.ndarray) else list(lengths)
    if reverse and lengths is None:  # turning it round needs no packing
        ys, state = run(cell, xs.flip(0), state, checkpoint=checkpoint)
        return ys.flip(0), state
    call, tensors = Call(cell, lengths, reverse, checkpoint), (xs, *state, *leaves)
    wanted = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    compiled, transformed = torch.compiler.is_compiling(), torch._C._are_functorch_transforms_active()
    with _autocast_off(xs):
        if not wanted or (compiled and transformed):  # the compiler maps no functions with a derivative of their own
            (ys, *final), _ = Call(cell, lengths, reverse, checkpoint or INFERENCE_SEGMENT).forward(tensors)
        elif compiled or transformed:
            ys, *final = Rerun.apply(call, *tensors)  # type: ignore[no-untyped-call]
        else:
            ys, *final = Taped.apply(call, *tensors)  # type: ignore[no-untyped-call]
    return ys, tuple(final)


@dataclass(frozen=True)
class Call:
    """A call of `Cell.forward` but for its tensors; the cell tells the form alone."""

    cell: Cell
    lengths: Iterable[int] | None
    reverse: bool
    checkpoint: int | None

    def forward(self, tensors: Sequence[Tensor], numpy: bool | None = None) -> tuple[tuple[Tensor, ...], Any]:
        """From inputs, initial state and the cell's arrays: outputs, final state; and what `backward` needs.

        It runs on NumPy arrays where `numpy`, and where None if the tensors are fit for it.
        """
        numpy = _fit_for_numpy(tensors) if numpy is None else numpy
        xs, *rest = (t.numpy(force=True) for t in tensors) if numpy else tensors
        states = len(self.cell.state_shapes)
        leaves = iter(rest[states:])
        cell = tree.convert(lambda _: next(leaves), self.cell)
        ys, state, tape = cell.forward(xs, tuple(rest[:states]), self.lengths, self.reverse, self.checkpoint)
        return (_tensor(ys), *(_tensor(s).clone() for s in state)), (cell, tape)  # the tape may hold the state itself

    def backward(self, grads: Sequence[Tensor | None], kept: tuple[Cell, Tape]) -> tuple[Tensor | None, ...]:
        """Gradients of what `forward` was given, from those of its outputs; None for fixed arrays."""
        cell, tape = kept
        numpy = isinstance(tape.xs, np.ndarray)
        dys, *rest = (g.numpy(force=True) if numpy and g is not None else g for g in grads)
        zeros = cell.initial_state(tape.packing.batch)
        dstate = tuple(zero if d is None else d for d, zero in zip(rest, zeros, strict=True))
        dxs, dstate, dcell = cell.backward(dys, tape, dstate)
        slopes = dict(tree.leaves(dcell))
        dleaves = (slopes.get(path) for path, _ in tree.leaves(cell, and_fixed=True))
        return tuple(None if g is None else _tensor(g) for g in (dxs, *dstate, *dleaves))


class Taped(Function):
    """A run that keeps its tape for the backward pass: torch as it is used most."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Outputs and final state."""
        outputs, kept = call.forward(tensors)
        holder: Any = torch.empty(0)  # torch frees saved tensors after one backward pass, and the tape with this one
        holder.kept = kept
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(holder, outputs[0], *tensors)  # all that the tape may share memory with
        return outputs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        """Gradients; where they are to be differentiated themselves, from a run in the sight of autograd."""
        holder, _, *tensors = ctx.saved_tensors
        kept = getattr(holder, "kept", None)  # hooks of saved tensors may give back a copy without it
        with _autocast_off(tensors[0]):
            if torch.is_grad_enabled() or any(g is not None and _batched(g) for g in grads):
                _, kept = ctx.call.forward(tensors, numpy=False)
            elif kept is None:
                _, kept = ctx.call.forward(tensors)
            return None, *ctx.call.backward(grads, kept)


class Rerun(Function):
    """A run that keeps nothing but its inputs, and is repeated for the backward pass: for torch.func and compilers."""

    generate_vmap_rule = True

    @staticmethod
    def forward(call: Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Outputs and final state."""
        return call.forward(tensors, numpy=False)[0]

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        """Save the inputs."""
        ctx.call, *tensors = inputs
        ctx.save_for_backward(*tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        """Gradients."""
        tensors = ctx.saved_tensors
        with _autocast_off(tensors[0]):
            _, kept = ctx.call.forward(tensors, numpy=False)
            return None, *ctx.call.backward(grads, kept)


class Followed:
    """What of a module those can follow who read programs: torch.export and torch.compile, and no others."""

    def __prepare_scriptable__(self) -> Any:  # what torch.jit.script asks first
        raise RuntimeError(_unfollowed(type(self).__name__, "torch.jit.script"))

    def _refuse_proxies(self, given: Any) -> None:
        refuse_trace(type(self).__name__, given)


def refuse_trace(operation: str, given: Any) -> None:
    """RuntimeError under torch.jit.trace, to which a size is a tensor, and under torch.fx.symbolic_trace."""
    if torch.compiler.is_compiling():
        return
    if torch.jit.is_tracing():  # type: ignore[no-untyped-call]
        raise RuntimeError(_unfollowed(operation, "torch.jit.trace"))
    if isinstance(given, torch.fx.Proxy):
        raise RuntimeError(_unfollowed(operation, "torch.fx.symbolic_trace"))


def _unfollowed(operation: str, who: str) -> str:
    return f"{operation}: {who} cannot follow it; torch.export and torch.compile can"


def pair(operation: str, hx: Any) -> State | None:
    """The state (h, c) of an LSTM, as torch.nn is given it; TypeError where it is no pair."""
    if hx is None:
        return None
    refuse_trace(operation, hx)
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        raise TypeError(f"{operation}: hx must be a tuple of h and c, received a {type(hx).__name__}")
    return tuple(hx)


def without_autocast(given: T, like: Tensor) -> T:
    """A tensor or a tuple of tensors as given; where autocast is on, in the dtype of `like`."""
    if not _autocast(like.device.type):
        return given
    return tree.map(lambda t: t.to(like.dtype) if isinstance(t, Tensor) else t, given)  # type: ignore[no-any-return]


def _autocast_off(tensor: Tensor) -> AbstractContextManager:
    kind = tensor.device.type
    return torch.autocast(kind, enabled=False) if _autocast(kind) else nullcontext()


def _autocast(kind: str) -> bool:
    """Is it on, for this kind of device? The one without numbers knows none."""
    return kind != "meta" and torch.is_autocast_enabled(kind)


def _fit_for_numpy(tensors: Sequence[Tensor]) -> bool:
    """Plain CPU tensors of a dtype that NumPy multiplies fast, and no one who looks on at torch's own operations."""
    if torch.compiler.is_compiling():
        return False
    if torch._C._are_functorch_transforms_active() or torch._C._len_torch_dispatch_stack():
        return False
    return all(
        type(t) in (Tensor, torch.nn.Parameter) and t.device.type == "cpu" and t.dtype in (torch.float32, torch.float64)
        for t in tensors
    )


def _batched(grad: Tensor) -> bool:
    """Is it many gradients at once, as `torch.autograd.grad(…, is_grads_batched=True)` sends them?"""
    return "Batched" in str(torch._C._dispatch_keys(grad))


def _tensor(array: Array) -> Tensor:
    return array if isinstance(array, Tensor) else torch.from_numpy(np.asarray(array))

"""Any cell as a torch module."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rnncore import CELLS, tree
from rnncore.cell import Cell
from rnncore.modules.function import Followed, run
from rnncore.recurrence import State

__all__ = ["Recurrent"]


class Recurrent(Followed, nn.Module):
    """A cell run over sequences, (T, B, D) → (T, B, H), differentiated by the cell's own backward; see `run`.

    Its parameters are the cell's, under their names (`W`, `U`, …; a dot in a path becomes `_`); arrays that are not
    trained are buffers. They are initialised from the seed of `torch.manual_seed`.

    Args:
        cell: a cell of NumPy arrays or tensors, whose values are copied; or the name of one in `CELLS`.
        sizes: for a name: input_size, hidden_size and what else the cell's `init` takes by position.
        device: where the parameters are; the CPU unless told.
        dtype: of the parameters; unless told the cell's own, for a name that of `torch.get_default_dtype`.
        options: for a name: what the cell's `init` takes by keyword.
    """

    def __init__(
        self,
        cell: Cell | str,
        *sizes: int,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if isinstance(cell, str):
            if cell not in CELLS:
                raise ValueError(f"Recurrent: cell must be one of {', '.join(CELLS)}, received {cell!r}")
            rng = np.random.default_rng(int(torch.randint(2**63 - 1, ())))
            dtype = dtype or torch.get_default_dtype()
            cell = _init(CELLS[cell])(rng, *sizes, dtype=np.float64, **options)
        elif not isinstance(cell, Cell):
            raise TypeError(f"Recurrent: cell must be a cell or the name of one, received a {type(cell).__name__}")
        elif sizes or options:
            raise TypeError("Recurrent: sizes and options go with the name of a cell, not with a cell")
        trained = {path for path, _ in tree.leaves(cell)}
        self._names = []
        for path, leaf in tree.leaves(cell, and_fixed=True):
            value = torch.as_tensor(leaf).detach().to(device=device, dtype=dtype, copy=True)
            self._names.append(path.replace(".", "_"))
            if path in trained:
                self.register_parameter(self._names[-1], nn.Parameter(value))
            else:
                self.register_buffer(self._names[-1], value)
        self._form = tree.convert(lambda leaf: torch.empty(leaf.shape, device="meta"), cell)

    @property
    def cell(self) -> Cell:
        """The cell, with the module's tensors in it."""
        tensors = iter([getattr(self, name) for name in self._names])
        return tree.convert(lambda _: next(tensors), self._form)  # type: ignore[no-any-return]

    def forward(
        self,
        xs: Tensor,
        state: State | None = None,
        lengths: Iterable[int] | None = None,
        reverse: bool = False,
        checkpoint: int | None = None,
    ) -> tuple[Tensor, State]:
        """Outputs (T, B, H) and the final state; the arguments are those of `Cell.forward`."""
        self._refuse_proxies(xs)
        return run(self.cell, xs, state, lengths, reverse, checkpoint)

    def extra_repr(self) -> str:
        """The cell's class, and the shapes of one sequence's input and state."""
        form = self._form
        return f"{type(form).__name__}, input {tuple(form.input_shape)}, state {tuple(map(tuple, form.state_shapes))}"


def _init(kind: Any) -> Any:
    return kind.init  # every cell of the registry has one, each with its own options

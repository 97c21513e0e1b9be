"""What an exercise is: graded functions, each with inputs to draw, an oracle, and the mistakes that students make."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Draw", "Exercise", "Graded", "Mistake", "Output"]


@dataclass(frozen=True)
class Output:
    """One thing that a graded function returns, and the points it is worth."""

    name: str
    axes: str  # names of its axes, such as "T B H"; "" for a number
    points: float


@dataclass(frozen=True)
class Mistake:
    """A wrong answer with a name: the solution with a few words changed.

    Attributes:
        name: short, for lists and tests.
        edits: text of the solution → text to put in its place; each stands in the solution exactly once.
        says: ends the sentence “This is what comes out when …”.
    """

    name: str
    edits: Mapping[str, str]
    says: str


class Draw:
    """One draw of inputs: sizes that all differ, and arrays of those sizes."""

    def __init__(self, seed: int, case: int) -> None:
        self.case = case
        self.used: set[str] = set()  # the axes that were asked for
        self.rng = np.random.default_rng([seed, case])
        lengths = [int(n) for n in self.rng.permutation([3, 4, 5, 6, 7])]
        self.sizes = dict(zip("TBDHK", lengths, strict=True))

    def __call__(self, axes: str, scale: float = 0.7) -> np.ndarray:
        """Gaussian numbers of standard deviation `scale`; `axes` names the sizes, such as "T B D"."""
        return scale * self.rng.standard_normal(self._shape(axes))

    def classes(self, axes: str) -> np.ndarray:
        """Whole numbers 0 … K - 1."""
        return self.rng.integers(0, self.sizes["K"], self._shape(axes))

    def _shape(self, axes: str) -> list[int]:
        self.used.update(axes.split())
        return [self.sizes[axis] for axis in axes.split()]


@dataclass(frozen=True)
class Graded:
    """A function that a student writes.

    Attributes:
        name: the function's name in the notebook.
        arguments: draws one set of arguments, by name.
        oracle: what comes out when it is right: a call of `rnncore`.
        outputs: what it returns, in order, with points.
        mistakes: the bank.
    """

    name: str
    arguments: Callable[[Draw], dict[str, Any]]
    oracle: Callable[..., Any]
    outputs: tuple[Output, ...]
    mistakes: tuple[Mistake, ...]

    @property
    def points(self) -> float:
        """The most that this function can earn."""
        return sum(output.points for output in self.outputs)

    def mistake(self, name: str) -> Mistake:
        """The mistake of that name."""
        return next(mistake for mistake in self.mistakes if mistake.name == name)


@dataclass(frozen=True)
class Exercise:
    """The graded functions of one notebook, by name, in its order.

    Attributes:
        name: of the notebook.
        graded: its functions.
        by_hand: points of its open task, which a person marks.
        cases: how many draws each function is tried on.
        packages: what can be imported where it is graded, beside NumPy; nothing that already holds the answer.
    """

    name: str
    graded: tuple[Graded, ...]
    by_hand: float = 0.0
    cases: int = 4
    packages: tuple[str, ...] = ("matplotlib",)
    _by_name: dict[str, Graded] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_name", {graded.name: graded for graded in self.graded})

    def __getitem__(self, name: str) -> Graded:
        return self._by_name[name]

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Graded]:
        return iter(self.graded)

    @property
    def points(self) -> float:
        """The most that the functions of this notebook can earn: those that the checks give."""
        return sum(graded.points for graded in self.graded)

    def draws(self, seed: int = 0) -> list[Draw]:
        """The draws that every function of this exercise is tried on. Students see those of seed 0."""
        return [Draw(seed, case) for case in range(self.cases)]

"""What a notebook may use, and how each limit is called in a sentence."""

from dataclasses import dataclass

__all__ = ["Limits"]

_MB = 2**20


@dataclass(frozen=True)
class Limits:
    """Limits of one submission.

    Attributes:
        cell: seconds for one cell.
        total: seconds for a whole notebook, its repetitions after a death included.
        grace: seconds that a cell has to end after it was interrupted.
        memory: bytes, of each process and of all together.
        processes: processes and threads at a time.
        file: bytes of one file.
        disk: bytes in each of the two temporary folders.
        output: bytes of a cell's output that are kept.
        deaths: how often a notebook's process may die before the rest is given up.
    """

    cell: float = 60.0
    total: float = 600.0
    grace: float = 2.0
    memory: int = 2048 * _MB
    processes: int = 64
    file: int = 128 * _MB
    disk: int = 256 * _MB
    output: int = 200_000
    deaths: int = 10

    def named(self, error: str, value: str) -> str:
        """Which limit an exception speaks of; "" where none."""
        if error in ("MemoryError", "_ArrayMemoryError") or "Cannot allocate memory" in value:
            return self.of_memory
        if "Resource temporarily unavailable" in value or "can't start new thread" in value:
            return self.of_processes
        if "File too large" in value:
            return f"the limit of {self.file // _MB} MB for a file was met"
        if "No space left on device" in value:
            return f"the limit of {self.disk // _MB} MB for temporary files was met"
        return ""

    @property
    def of_memory(self) -> str:
        """A sentence's part."""
        return f"the limit of {self.memory // _MB} MB of memory was met"

    @property
    def of_processes(self) -> str:
        """A sentence's part."""
        return f"the limit of {self.processes} processes was met"

    @property
    def of_cell(self) -> str:
        """A sentence's part."""
        return f"the time limit of {self.cell:g} s for a cell was met"

    @property
    def of_total(self) -> str:
        """A sentence's part."""
        return f"the time limit of {self.total:g} s for the whole notebook was met"

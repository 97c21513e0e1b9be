"""What can be imported behind the wall: named distributions and what they need, and nothing else of the environment."""

import re
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

__all__ = ["NotInstalled", "closure", "everything_installed", "importable"]

_HERE = Path(__file__).parent
_OURS = ("__init__.py", "exercise.py", "outcome.py", "wire.py")
_BEHIND = ("__init__.py", "kernel.py", "limits.py", "zygote.py")


class NotInstalled(LookupError):
    """A distribution that notebooks need is not there."""


def closure(names: tuple[str, ...]) -> list[metadata.Distribution]:
    """The named distributions and all that they require here.

    Raises:
        NotInstalled: one of those named is not installed.
    """
    found: dict[str, metadata.Distribution] = {}
    waiting = [(name, True) for name in names]
    while waiting:
        name, named = waiting.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in found:
            continue
        try:
            found[key] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if named:
                raise NotInstalled(f"notebooks may import {name}, but it is not installed here") from None
            continue
        for line in found[key].requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                waiting.append((requirement.name, False))
    return list(found.values())


def everything_installed() -> tuple[str, ...]:
    """All distributions here, but for this project's own and those that are installed in place."""
    names = {d.metadata["Name"]: d.files or [] for d in metadata.distributions()}
    kept = {
        name for name, files in names.items() if any(len(file.parts) > 1 and file.suffix == ".py" for file in files)
    }
    return tuple(sorted(kept - {"rnncore"}))


def importable(names: tuple[str, ...]) -> dict[str, Path]:
    """Place in a folder of packages → where it lies here: of the named distributions, and of our own side."""
    places: dict[str, Path] = {}
    for distribution in closure(("ipython", "numpy", *names)):
        for file in distribution.files or []:
            top = file.parts[0]
            if top not in ("..", "__pycache__", "/"):
                places[top] = Path(str(distribution.locate_file(top)))
    places |= {f"rnngrade/{name}": _HERE.parent / name for name in _OURS}
    places |= {f"rnngrade/sandbox/{name}": _HERE / name for name in _BEHIND}
    places["rnngrade/checks/__init__.py"] = _HERE / "checks.py"
    return places

"""What goes out to be graded and what comes back: plain data, as JSON text, whatever lies between."""

import base64
import dataclasses
import functools
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rnncore
import rnngrade
from rnngrade.sandbox.limits import Limits

__all__ = ["STATUSES", "Assignment", "Job", "Released", "Result", "Settings", "code_digest"]

STATUSES = ("graded", "needs marking", "partly graded", "needs review", "ungradable")
"""From the best to the worst."""


@dataclass(frozen=True)
class Released:
    """One notebook of an assignment: as students got it, and the sources and checksums that the gradebook has."""

    notebook: dict[str, Any]
    tests: dict[str, list[str]]


@dataclass(frozen=True)
class Assignment:
    """What was released."""

    name: str
    notebooks: dict[str, Released]

    @functools.cached_property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> "Assignment":
        """From `text`."""
        tree = json.loads(text)
        return cls(tree["name"], {name: Released(**value) for name, value in tree["notebooks"].items()})


@dataclass(frozen=True)
class Settings:
    """How it is graded: limits; distributions that notebooks may import (None: what their exercises say); the wall."""

    limits: Limits = field(default_factory=Limits)
    packages: tuple[str, ...] | None = None
    unsafe: bool = False


@dataclass(frozen=True)
class Job:
    """One student's submission, and all that is needed to grade it.

    Attributes:
        assignment: what was released.
        student: whose it is.
        files: what was handed in, by path.
        notes: what was noticed when it was read.
        seeds: of the inputs that each notebook is marked by.
        settings: how it is graded.
    """

    assignment: Assignment
    student: str
    files: dict[str, bytes]
    notes: list[str] = field(default_factory=list)
    seeds: dict[str, int] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)

    def with_seeds(self, key: str) -> "Job":
        """Seeds that are the same in each run, others for each thing handed in, and a secret without the key."""
        handed_in = hashlib.sha256(b"".join(data for _, data in sorted(self.files.items()))).hexdigest()
        about = [self.assignment.name, self.student, handed_in]
        texts = {name: "\0".join([name, *about]).encode("utf-8", "replace") for name in self.assignment.notebooks}
        seeds = {name: hmac.digest(bytes.fromhex(key), text, "sha256")[:8] for name, text in texts.items()}
        return dataclasses.replace(self, seeds={name: int.from_bytes(seed) for name, seed in seeds.items()})

    @property
    def fingerprint(self) -> str:
        """Changes when what was handed in, what was released, or how it is graded changes."""
        text = json.dumps([self.assignment.text, dataclasses.asdict(self.settings), code_digest()])
        digest = hashlib.sha256(text.encode())
        for name, data in sorted(self.files.items()):
            digest.update(repr((name, len(data))).encode() + data)
        return digest.hexdigest()

    def to_json(self) -> str:
        """As text."""
        files = {name: base64.b64encode(data).decode() for name, data in self.files.items()}
        plain = {"student": self.student, "files": files, "notes": self.notes, "seeds": self.seeds}
        return json.dumps(plain | {"assignment": self.assignment.text, "settings": dataclasses.asdict(self.settings)})

    @classmethod
    def from_json(cls, text: str) -> "Job":
        """From `to_json`'s text."""
        tree = json.loads(text)
        settings = tree["settings"]
        packages = None if settings["packages"] is None else tuple(settings["packages"])
        return cls(
            assignment=Assignment.from_text(tree["assignment"]),
            student=tree["student"],
            files={name: base64.b64decode(data) for name, data in tree["files"].items()},
            notes=tree["notes"],
            seeds=tree["seeds"],
            settings=Settings(Limits(**settings["limits"]), packages, settings["unsafe"]),
        )


@functools.cache
def code_digest() -> str:
    """Changes when the grader does, or what it grades against."""
    digest = hashlib.sha256()
    for package in (rnncore, rnngrade):
        root = Path(package.__path__[0])
        for path in sorted(root.rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not name.startswith("_solutions"):  # they lie there in a wheel, and elsewhere in a checkout
                digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()


@dataclass
class Result:
    """What came of it.

    Attributes:
        student: whose.
        status: one of STATUSES.
        reasons: why, in plain words; the first is the most important.
        notebooks: the notebooks as they ran, by name.
        untouched: for each of them the answers that are still the released stub, or empty.
        died: whoever graded it died of it, so that nobody knows what it is worth.
    """

    student: str
    status: str = STATUSES[0]
    reasons: list[str] = field(default_factory=list)
    notebooks: dict[str, dict[str, Any]] = field(default_factory=dict)
    untouched: dict[str, list[str]] = field(default_factory=dict)
    died: bool = False

    def lower_to(self, status: str, reason: str) -> None:
        """Lower the status to this one, unless it is lower already, and say why."""
        if STATUSES.index(status) > STATUSES.index(self.status):
            self.status = status
            self.reasons.insert(0, reason)
        else:
            self.reasons.append(reason)

    def to_json(self) -> str:
        """As text."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Result":
        """From `to_json`'s text."""
        return cls(**json.loads(text))

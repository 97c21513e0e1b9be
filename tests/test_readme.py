"""Commands of README and CONTRIBUTING exist, their paths are there, and what is shown of a check is what it says."""

import importlib.util
import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from nbgrader.apps.nbgraderapp import NbGraderApp

import rnncore
from rnncore import CELLS, tree
from rnncore.testing import check_gradients
from rnngrade.checks import exercise, exercise_names
from rnngrade.command import _parser
from rnngrade.report import grade
from rnngrade.solutions import wrong_function
from tests.grader.course import ROOT

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
PROSE = re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE)
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")  # has no blocks of code
INLINE = re.findall(r"`([^`]+)`", PROSE + CONTRIBUTING)
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
MADE = {line.strip().strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()}


def commands() -> list[str]:
    """Every line of a `sh` block, what follows `$` in a `console` block, and commands within the text."""
    lines = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines() if line.strip()]
    lines += re.findall(r"^\$ (.*)", "\n".join(block for kind, block in BLOCKS if kind == "console"), re.MULTILINE)
    return list(
        dict.fromkeys(
            lines + [code for code in INLINE if code.startswith(("make ", "nbgrader ", "rnngrade ", "python "))]
        )
    )


def exists(path: str) -> bool:
    """It is in the repository, or is one of the things that commands make and git ignores."""
    return Path(path).parts[0] in MADE or any(ROOT.glob(path.rstrip("/")))


def check_make(words: list[str]) -> None:
    unknown = [word for word in words if "=" not in word and word not in TARGETS]
    assert not unknown, f"the Makefile has no target {unknown}"


def check_nbgrader(words: list[str]) -> None:
    name, *rest = words
    assert name in NbGraderApp.subcommands
    app = NbGraderApp.subcommands[name][0]()
    options = {word.lstrip("-").split("=")[0] for word in rest if word.startswith("-")}
    assert options <= app.flags.keys() | app.aliases.keys()
    assert {word for word in rest if not word.startswith("-")} <= set(exercise_names())


def check_rnngrade(words: list[str]) -> None:
    asked = _parser().parse_args(words)
    assert asked.command == "check" or asked.assignment in exercise_names()


def check_python(words: list[str]) -> None:
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1])
    else:
        assert exists(words[0])


def check_paths(words: list[str]) -> None:
    assert not [word for word in words if not exists(word)]


CHECKS = {
    "make": check_make,
    "nbgrader": check_nbgrader,
    "rnngrade": check_rnngrade,
    "python": check_python,
    ".": check_paths,
    "cat": check_paths,
    "ls": check_paths,
}


@pytest.mark.parametrize("command", commands())
def test_command_exists(command: str) -> None:
    program, *words = shlex.split(command, comments=True)
    assert program in CHECKS, f"this test does not know how to check {program}"
    CHECKS[program](words)


@pytest.mark.parametrize("path", [code for code in INLINE if re.fullmatch(r"(?!torch)[\w./-]*[./][\w./-]+", code)])
def test_path_is_there(path: str) -> None:
    assert exists(path.replace("NN-topic", "[0-9]*").replace("NN_topic", "[0-9]*"))


def test_links_lead_to_files() -> None:
    linked = re.findall(r"\]\(([^):]+)\)", PROSE + CONTRIBUTING)
    assert "CONTRIBUTING.md" in linked
    assert [path for path in linked if not (ROOT / path).is_file()] == []


def test_contributing_has_no_block_that_nothing_checks() -> None:
    assert "```" not in CONTRIBUTING


def test_citation_and_changelog_know_the_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    assert (cited["title"], cited["version"]) == (config["title"], rnncore.__version__)
    assert f"## [{rnncore.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_counts_are_those_of_what_is_there() -> None:
    exercises = [exercise(name) for name in exercise_names()]
    mistakes = sum(len(graded.mistakes) for e in exercises for graded in e)
    chapters = len(list((ROOT / "book").glob("[0-9]*.md")))
    text = " ".join(PROSE.split())
    for said in (
        f"So far there are {chapters} chapters",
        f"{sum(len(list(e)) for e in exercises)} functions to write, and {mistakes} mistakes",
        f"has {len(CELLS)} cells",
        f"runs {chapters} chapters",
    ):
        assert said in text


def test_two_commands_come_first() -> None:
    kind, block = BLOCKS[0]
    assert kind == "sh"
    assert [line.split("#")[0].strip() for line in block.splitlines()] == ["make book", "make test"]


def test_report_is_a_real_one() -> None:
    e = exercise("03_bptt")
    mistake = e["bptt"].mistake("last state before the first step")
    report = grade(e, e["bptt"], wrong_function(e.name, "bptt", mistake))
    assert ("text", f"{report}\n") in BLOCKS, f"the README should show\n{report}"


def test_targets_explain_themselves() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^([a-z]+):.*## ", text, re.MULTILINE)) == TARGETS


def test_the_python_it_shows_runs():
    (code,) = (block for kind, block in BLOCKS if kind == "python")
    names: dict = {}
    exec(code, names)
    cell, xs, rng = names["cell"], names["xs"], np.random.default_rng(1)
    assert (names["ys"][5:, 1] == 0).all()

    def loss(cell):
        return float((cell.forward(xs.astype(np.float64), lengths=[20, 5, 17, 9])[0] ** 2).sum())

    wide = tree.convert(np.float64, (cell, names["grads"]))
    check_gradients(loss, *wide, rng, tolerance=1e-4)  # the gradient is of float32


def test_its_table_of_speed_is_that_of_the_results(monkeypatch):
    """`make bench` writes both."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("run", ROOT / "benchmarks" / "run.py")
    assert spec
    assert spec.loader
    run = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(run)
    documents = [json.loads(path.read_text()) for path in (ROOT / "benchmarks" / "results").glob("*.json")]
    documents = [d for d in documents if "training" in d.get("runs", [{}])[0].get("parts", {})]
    shown = TEXT.split(run.MARKS[0])[1].split(run.MARKS[1])[0]
    assert shown in [run.summary(document) for document in documents]

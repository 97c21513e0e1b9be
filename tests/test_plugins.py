"""nbgrader's own commands with this course's plug-ins."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from rnngrade.sandbox.box import why_no_sandbox
from tests.course import Course
from tests.submissions import CASES
from tests.test_hostile import LIMITS, E, hand_in

NOTEBOOK = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'


def zipped(path: Path, name: str, data: bytes = NOTEBOOK) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, data)


def test_archives_that_would_write_elsewhere_are_refused(tmp_path: Path) -> None:
    course = Course.copy(E.name, tmp_path)
    archives = tmp_path / "downloaded" / E.name / "archive"
    archives.mkdir(parents=True)
    zipped(archives / "good.zip", "ada-03_bptt.ipynb")
    zipped(archives / "up.zip", "../evil-03_bptt.ipynb")
    zipped(archives / "root.zip", "/evil-03_bptt.ipynb")
    with zipfile.ZipFile(archives / "link.zip", "w") as archive:
        info = zipfile.ZipInfo("passwd")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with zipfile.ZipFile(archives / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(6):
            archive.writestr(f"{number}.txt", b"0" * 100 * 2**20)
    with tarfile.open(archives / "tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc"
        tar.addfile(info, io.BytesIO())
    (archives / "broken.zip").write_bytes(b"PK\x03\x04 no more")
    said = course.nbgrader(
        "zip_collect", E.name, r"--FileNameCollectorPlugin.named_regexp=.*/(?P<student_id>\w+)-(?P<file_id>\w+)"
    )
    for name, why in {
        "up.zip": "would be written elsewhere",
        "root.zip": "would be written elsewhere",
        "link.zip": "is a link",
        "bomb.zip": "it holds 600 MB",
        "tar.gz": "is a link",
        "broken.zip": "",
    }.items():
        assert f"{name} is refused: " in said
        assert why in said.split(f"{name} is refused: ")[1].splitlines()[0]
        assert (tmp_path / "downloaded" / E.name / "refused" / name).is_file()
    assert (tmp_path / "submitted" / "ada" / E.name / f"{E.name}.ipynb").read_bytes() == NOTEBOOK
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.skipif(bool(why_no_sandbox()), reason=f"no sandbox: {why_no_sandbox()}")
def test_nbgrader_autograde_stands_behind_the_same_wall(tmp_path: Path) -> None:
    course = Course.copy(E.name, tmp_path)
    course.configure(f"c.RnnGrade.limits = {LIMITS}")
    names = ("all-right", "test-edited", "dies-in-function", "imports-reference", "skip-tags", "fake-checks", "spy")
    cases = [case for case in CASES if case.name in names]
    assert len(cases) == len(names)
    for case in cases:
        hand_in(course, case)
    said = course.nbgrader("autograde", E.name)
    for case in cases:
        assert course.scores(case.name) == {g.name: 0 if g.name in case.lost else g.points for g in E}
        for words in case.says:
            assert f"{case.name}: {words}" in said
    assert "leaks: []" in course.text("spy")


def test_nbgrader_autograde_refuses_without_a_sandbox(tmp_path: Path) -> None:
    course = Course.copy(E.name, tmp_path)
    hand_in(course, next(case for case in CASES if case.name == "all-right"))
    said = course._run("nbgrader", ("autograde", E.name), 1, {"PATH": "/nowhere"})
    assert "apt install bubblewrap" in said

"""Whatever value a notebook's process shows for a graded cell, nbgrader reads no points from it."""

import nbformat
import pytest
from nbgrader.utils import determine_grade

from rnngrade.grading.cells import grade_id, is_examined
from rnngrade.grading.job import Assignment, Job, Released, Result, Settings
from rnngrade.grading.submission import grade_submission
from rnngrade.sandbox.box import why_no_sandbox
from rnngrade.sandbox.limits import Limits
from tests.course import ROOT, submission

NAME = "03_bptt"
TRANSFORMER = """
import ast
class Value(ast.NodeTransformer):
    def visit_Expr(self, node):
        return ast.copy_location(ast.Expr(ast.Constant(3.0)), node)
get_ipython().ast_transformers.append(Value())
def bptt(*arguments):
    pass
"""
DISPLAYED = """
from rnngrade.sandbox import kernel
import os
def bptt(*arguments):
    kernel.wire().send({"result": {"text/plain": "8.0"}, "count": 1})
    os._exit(0)
"""

pytestmark = pytest.mark.skipif(bool(why_no_sandbox()), reason=f"no sandbox: {why_no_sandbox()}")


@pytest.mark.parametrize("answer", [TRANSFORMER, DISPLAYED], ids=["transformer", "then the process dies"])
def test_value_that_the_process_shows_earns_nothing(answer: str) -> None:
    released = nbformat.read(ROOT / "exercises" / NAME / f"{NAME}.ipynb", as_version=4)
    handed_in = submission(released, {"bptt": answer})
    files = {f"{NAME}.ipynb": nbformat.writes(handed_in).encode()}
    assignment = Assignment(NAME, {NAME: Released(released, {})})
    job = Job(assignment, "eve", files, settings=Settings(Limits(cell=3, total=20))).with_seeds("07" * 32)
    result = Result.from_json(grade_submission(job.to_json()))
    cells = filter(is_examined, nbformat.from_dict(result.notebooks[NAME]).cells)
    assert {grade_id(cell): determine_grade(cell)[0] for cell in cells if determine_grade(cell)[0]} == {}

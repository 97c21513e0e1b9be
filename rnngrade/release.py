"""From solutions/NN_topic.py to exercises/NN_topic/NN_topic.ipynb: `python -m rnngrade.release [NAME …]`.

jupytext makes a notebook of the solution, nbgrader takes the answers out. The same solution gives the same bytes.
"""

import argparse
from pathlib import Path

import jupytext
import nbformat
from nbgrader.apps import NbGraderAPI
from traitlets.config.loader import PyFileConfigLoader

__all__ = ["release", "source_notebook"]


def source_notebook(solution: Path) -> nbformat.NotebookNode:
    """The instructor's notebook of a solution, answers in it; cell ids are the grade ids."""
    notebook = jupytext.read(solution)
    kernel = notebook.metadata.kernelspec
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": kernel.language}}
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("lines_to_next_cell", None)
        cell.id = cell.metadata.get("nbgrader", {}).get("grade_id", f"cell-{number}")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    return notebook


def release(course: Path, name: str, *, gradebook: bool = False) -> Path:
    """Make exercises/<name>/<name>.ipynb in the folder `course`; returns its path.

    With `gradebook` it is entered there, as `nbgrader generate_assignment` does.

    Raises:
        FileNotFoundError: no such solution.
        RuntimeError: nbgrader refused; its own words are in the message.
    """
    solution = course / "solutions" / f"{name}.py"
    if not solution.is_file():
        raise FileNotFoundError(f"there is no {solution}")
    source = course / "_build" / "source" / name / f"{name}.ipynb"
    source.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(source_notebook(solution), source)
    config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.CourseDirectory.root = str(course.resolve())
    config.SaveCells.enabled = gradebook
    config.GenerateAssignment.no_database = not gradebook
    done = NbGraderAPI(config=config).generate_assignment(name, force=True)
    if not done["success"]:
        raise RuntimeError(f"nbgrader generate_assignment {name} failed:\n{done['log'] or done['error']}")
    return course / "exercises" / name / f"{name}.ipynb"


def main() -> None:
    """Release the named exercises, or all."""
    parser = argparse.ArgumentParser(prog="python -m rnngrade.release", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as 03_bptt; all of solutions/ unless told")
    parser.add_argument("--course", type=Path, default=Path.cwd(), help="the course's folder, this one unless told")
    arguments = parser.parse_args()
    names = arguments.names or sorted(path.stem for path in (arguments.course / "solutions").glob("*.py"))
    for name in names:
        print(f"{release(arguments.course, name)}", flush=True)


if __name__ == "__main__":
    main()

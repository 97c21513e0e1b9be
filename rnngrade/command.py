"""The command `rnngrade`: `rnngrade autograde NOTEBOOK -j N`, `rnngrade check FILE`, `rnngrade status NOTEBOOK`."""

import argparse
import os
import shlex
import sys
from pathlib import Path

__all__ = ["main"]

_UNSAFE = """
*** --unsafe: student code runs with all rights of this user: it can read solutions and other students' work,
*** change the gradebook, use the network and leave programs behind. Do this with code that you trust, or in a
*** machine that has nothing to lose.
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rnngrade", description="Grade notebooks of an nbgrader course, walled in.")
    commands = parser.add_subparsers(dest="command", required=True)
    autograde = commands.add_parser("autograde", help="grade what a class has handed in")
    autograde.add_argument("assignment", metavar="NOTEBOOK", help="nbgrader's name of the assignment, such as 03_bptt")
    autograde.add_argument(
        "-j", type=int, default=os.cpu_count() or 1, metavar="N", help="workers; one per core if not told"
    )
    autograde.add_argument("--student", action="append", metavar="ID", help="this student alone; can be repeated")
    autograde.add_argument("--force", action="store_true", help="grade again what has not changed")
    autograde.add_argument("--resume", action="store_true", help="go on where an interrupted run ended")
    autograde.add_argument("--dask", metavar="ADDRESS", help="grade on the workers of this Dask scheduler")
    status = commands.add_parser("status", help="show the row of each student")
    status.add_argument("assignment", metavar="NOTEBOOK")
    check = commands.add_parser("check", help="grade your own notebook, as your instructor's grader would")
    check.add_argument("file", type=Path, metavar="FILE", help="such as 03_bptt.ipynb")
    for command in (autograde, check):
        command.add_argument("--unsafe", action="store_true", help="without a sandbox")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when all went well, 1 when it could not be done, 130 when it was interrupted."""
    words = sys.argv[1:] if arguments is None else arguments
    asked = _parser().parse_args(words)
    asked.again = shlex.join(["rnngrade", *words, *([] if "--resume" in words else ["--resume"])])
    if asked.command == "check":
        from rnngrade.own import check

        return check(asked.file, asked.unsafe)
    if asked.command == "autograde" and asked.unsafe:
        print(_UNSAFE, file=sys.stderr)
    from rnngrade.course import autograde, status

    return status(asked.assignment) if asked.command == "status" else autograde(asked)


if __name__ == "__main__":
    sys.exit(main())

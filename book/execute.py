"""Runs the pages that have changed, one a core; Sphinx then finds what came out in Jupyter Book's cache.

python book/execute.py
"""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import yaml
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupyter_cache.executors.utils import single_nb_execution
from myst_nb.core.read import read_myst_markdown_notebook

ROOT = Path(__file__).parents[1]
CACHE = ROOT / "_build" / ".jupyter_cache"
TIMEOUT = yaml.safe_load((ROOT / "_config.yml").read_text())["execute"]["timeout"]  # of a cell, in seconds
SECONDS = {"00": 5, "01": 10, "02": 35, "03": 35, "04": 45, "05": 45, "06": 50, "07": 60, "08": 25, "09": 35}
SECONDS |= {"10": 20, "11": 40, "12": 65, "te": 35, "in": 2, "li": 10}  # on a core of 2024; the longest go first
USUAL = 40


def expected(path: Path) -> float:
    return SECONDS.get(path.name[:2], USUAL)


def read(path: Path) -> nbformat.NotebookNode:
    """A page as a notebook; just as myst-nb reads it, or the cache would not know it again."""
    return read_myst_markdown_notebook(path.read_text(encoding="utf-8"), path=path)


def outdated() -> list[Path]:
    """Pages whose code is not in the cache, the longest first."""
    cache, found = get_cache(CACHE), []
    for path in sorted((ROOT / "book").glob("*.md")):
        if "\n```{code-cell}" not in path.read_text(encoding="utf-8"):
            continue
        notebook = None
        with suppress(KeyError):
            notebook = cache.match_cache_notebook(read(path))
        if notebook is None:
            found.append(path)
    return sorted(found, key=expected, reverse=True)


def run(path: Path, folder: str) -> tuple[Path, Path, float, str]:
    """One page in a process of its own: where its notebook is, how long it took, and what was wrong."""
    made, started = Path(folder) / f"{path.stem}.ipynb", time.monotonic()
    command = [sys.executable, __file__, str(path), str(made)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return path, made, time.monotonic() - started, done.stdout if done.returncode else ""


def run_all() -> bool:
    """All that are outdated, into the cache; whether all of them ran to their end."""
    paths, cores = outdated(), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not paths:
        return True
    least = max(sum(map(expected, paths)) / cores, *map(expected, paths))
    said = f"{least / 60:.0f} minutes" if least >= 90 else f"{least:.0f} seconds"
    print(
        f"  {len(paths)} to run, {cores} at a time: some {said}; a slow machine takes longer, and nothing else",
        flush=True,
    )
    cache, failed = get_cache(CACHE), []
    with TemporaryDirectory() as folder, ThreadPoolExecutor(cores) as pool:
        for number, future in enumerate(as_completed([pool.submit(run, path, folder) for path in paths]), 1):
            path, made, seconds, wrong = future.result()
            print(
                f"  {number:2d} of {len(paths)}: {path.stem} in {seconds:.0f} s{', FAILED' * bool(wrong)}", flush=True
            )
            if wrong:
                failed.append(f"{path.name}:\n{wrong}")
                continue
            notebook = nbformat.read(made, as_version=4)
            took = notebook.metadata.pop("seconds")
            bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": took})
            cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
    print("\n".join(failed), end="", file=sys.stderr)
    return not failed


def run_one(path: Path, made: Path) -> None:
    notebook = read(path)
    result = single_nb_execution(notebook, cwd=str(path.parent), timeout=TIMEOUT, allow_errors=False)
    if result.err is not None:
        sys.exit(str(result.err))
    notebook.metadata.seconds = result.time
    nbformat.write(notebook, made)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run_one(*map(Path, sys.argv[1:]))
    else:
        sys.exit(not run_all())

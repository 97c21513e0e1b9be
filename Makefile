# What there is to make: `make help`. All of it runs in .venv, which is set up with the versions of constraints.txt.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
PORT ?= 8000
export PATH := $(CURDIR)/.venv/bin:$(PATH)# nbgrader calls alembic by name
export PIP_CONSTRAINT := constraints.txt# holds for what builds the package, too
export PIP_BUILD_CONSTRAINT := constraints.txt
export JUPYTER_PLATFORM_DIRS := 1

.PHONY: help book test exercises lab serve bench clean distclean

help: ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1 /p' Makefile | while read -r name text; do printf '  make %-10s  %s\n' "$$name" "$$text"; done

book: .venv/.has-book _build/.code ## run every chapter and build the book: _build/html/index.html
	@echo "· Running the chapters and building the book"
	@[ -e _build/.built ] || rm -rf _build/.doctrees # a page that was read once does not warn again
	@rm -f _build/.built
	@{ jupyter-book build -W -n --keep-going . 2>&1 >&3 | sed -u '/TCP without encryption/d' >&2; } 3>&1 | \
		sed -un 's|.*/\(book/.*: Executed notebook in .* seconds\).*|  \1|p' || \
		{ echo "make book: see the errors and warnings above" >&2; exit 1; }
	@touch _build/.built
	@echo "The book is at $(CURDIR)/_build/html/index.html"

test: .venv/.has-test ## all tests, quick ones first
	@echo "· Style: ruff"
	@ruff check --quiet
	@ruff format --check --quiet || { echo "make test: ruff format has something to do" >&2; exit 1; }
	@echo "· Types: mypy"
	@mypy
	@echo "· Tests of the packages, the exercises and the README"
	@pytest -q --ignore=tests/test_book.py --ignore=tests/test_grading.py
	@$(MAKE) book
	@echo "· Tests of the book"
	@pytest -q tests/test_book.py
	@echo "· Tests of the grader: classes of invented students, graded by nbgrader"
	@pytest -q tests/test_grading.py
	@echo "All tests passed."

exercises: .venv/.has-exercises ## exercises/ from solutions/; overwrites what was written there
	@echo "· Releasing the exercises"
	@python -m rnngrade.release

lab: .venv/.has-lab ## JupyterLab on the exercises
	@cd exercises && jupyter lab $(ARGS)

serve: book ## the book on http://127.0.0.1:8000 (or PORT=…)
	@echo "· The book is on http://127.0.0.1:$(PORT) until Ctrl-C"
	@python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

bench: .venv/.has-torch ## speed of rnncore beside torch.nn, on this machine
	@python benchmarks/run.py

clean: ## remove what was built, and caches
	@rm -rf _build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

distclean: clean ## and .venv
	@rm -rf .venv

# Chapters are run again when they change; this file's rule sees what they import.
_build/.code: $(shell find rnncore rnngrade solutions book -name '*.py') constraints.txt
	@rm -rf _build/.jupyter_cache _build/.doctrees
	@mkdir -p _build && touch $@

HELD_BY_test = torch book exercises lab

.venv/.has-%: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "· Installing what '$*' needs (about a minute the first time)"
	@python -m pip install -e '.[$*]' > .venv/install.log 2>&1 || { cat .venv/install.log >&2; \
		echo "make: pip failed, see above. The versions in constraints.txt are for Python 3.11 to 3.13; this is $$(python --version)." >&2; exit 1; }
	@touch $(addprefix .venv/.has-,$* $(HELD_BY_$*))

GET_PYTHON = On Debian or Ubuntu: apt install python3 python3-venv; elsewhere: https://www.python.org/downloads/. Another interpreter is named by PYTHON=python3.12, say.

.venv/bin/pip:
	@echo "· Making .venv with $(PYTHON)"
	@$(PYTHON) --version > /dev/null 2>&1 || \
		{ echo "make: Python 3.11 or newer is needed, and there is no $(PYTHON). $(GET_PYTHON)" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "make: Python 3.11 or newer is needed, and $(PYTHON) is $$($(PYTHON) --version). $(GET_PYTHON)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || \
		{ echo "make: $(PYTHON) comes without venv. $(GET_PYTHON)" >&2; exit 1; }
	@$(PYTHON) -m venv .venv

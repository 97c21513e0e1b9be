# What there is to make: `make help`. All of it runs in .venv, which is set up with the versions of constraints.txt.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory --no-builtin-rules

PYTHON ?= python3
PORT ?= 8000

# nbgrader calls alembic by name. The constraints hold for what builds the package, too.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt
export JUPYTER_PLATFORM_DIRS := 1
unexport PYTHONDONTWRITEBYTECODE # hundreds of processes are started, each of which would compile what it imports

.PHONY: help book pdf test exercises lab check serve lags zoo variants bench clean distclean

help: ## what there is to make
	@sed -n 's/^\([a-z]*\):.*## /\1 /p' Makefile | while read -r name text; do printf '  make %-10s  %s\n' "$$name" "$$text"; done

# The matrices of the chapters are small: a second thread for each product costs more than it brings.
book: export OPENBLAS_NUM_THREADS = 1
book: export PJRT_NPROC = 1
book: .venv/.has-book _build/.code ## run every chapter and build the book: _build/html/index.html
	@echo "· Running the pages"
	@python book/execute.py || { $(call stop,a page does not run to its end, as shown above); }
	@echo "· Building the book"
	@[ -e _build/.built ] || rm -rf _build/.doctrees # a page that was read once does not warn again
	@rm -f _build/.built
	@jupyter-book build -W -n --keep-going . > _build/book.log 2>&1 || \
		{ cat _build/book.log >&2; $(call stop,the book has the errors or warnings shown above); }
	@touch _build/.built
	@echo "The book is at $(CURDIR)/_build/html/index.html"

pdf: book .venv/.has-test ## the book as one PDF: _build/book.pdf (wants Chromium)
	@echo "· Printing"
	@jupyter-book build --builder singlehtml . > _build/pdf.log 2>&1 || { cat _build/pdf.log >&2; exit 1; }
	@python book/paper.py _build/singlehtml _build/book.pdf
	@echo "The PDF is at $(CURDIR)/_build/book.pdf"

test: .venv/.has-test ## all tests, quick ones first
	@echo "· Style: ruff"
	@ruff check --quiet
	@ruff format --check || { $(call stop,files above want ruff format); }
	@mkdir -p _build
	@echo "· In the background: tests of the grader (hostile students, large classes, clusters, other courses), and mypy"
	@pytest tests/grader > _build/grader.log 2>&1 & grader=$$!; \
		mypy > _build/mypy.log 2>&1 & types=$$!; \
		{ echo "· Tests of the packages, the exercises and the README" && \
		pytest -n 2 --ignore=tests/test_book.py --ignore=tests/grader && \
		$(MAKE) book && echo "· Tests of the book" && pytest -n 2 --dist loadgroup tests/test_book.py && \
		echo "· Chapters under another computer's arithmetic" && \
		(cd benchmarks && python variants.py --pages 04-truncated-bptt 07-gru --variants Haswell "nudge 1"); } || \
		{ kill $$grader $$types 2> /dev/null; exit 1; }; \
		wait $$types || { cat _build/mypy.log; kill $$grader 2> /dev/null; exit 1; }; \
		wait $$grader || { cat _build/grader.log; exit 1; }; \
		echo "· Of the grader: $$(tail -n 1 _build/grader.log)"
	@echo "All tests passed."

exercises: .venv/.has-grader ## make exercises/ from solutions/
	@echo "· Releasing the exercises"
	@python -m rnngrade.release

lab: .venv/.has-lab ## JupyterLab on the exercises, in a copy that is yours: work/
	@mkdir -p work && for folder in exercises/*; do [ -e work/$${folder#*/} ] || cp -r $$folder work/; done
	@cd work && jupyter lab $(ARGS)

check: .venv/.has-lab ## your own notebook, graded: make check NOTEBOOK=work/03_bptt/03_bptt.ipynb
	@[ -n "$(NOTEBOOK)" ] || { $(call stop,which one? make check NOTEBOOK=work/03_bptt/03_bptt.ipynb); }
	@rnngrade check "$(NOTEBOOK)"

serve: book ## the book on http://127.0.0.1:8000 (or PORT=…)
	@echo "· The book is on http://127.0.0.1:$(PORT) until Ctrl-C"
	@python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

lags: .venv/.has-test ## how long each network remembers (an hour)
	@cd benchmarks && python lags.py

zoo: .venv/.has-test ## every cell at the same size on three tasks (an hour or two)
	@cd benchmarks && python zoo.py

variants: .venv/.has-test ## the whole course under the arithmetic of other computers (about two hours)
	@cd benchmarks && python variants.py --keep

bench: .venv/.has-bench ## speed and memory of rnncore beside torch.nn and others, on this machine
	@python benchmarks/run.py

clean: ## remove what was built, and caches
	@rm -rf _build .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

distclean: clean ## and .venv
	@rm -rf .venv

# A chapter is run again when it changes; this is for the code that it imports.
_build/.code: $(shell find rnncore rnngrade solutions book -name '*.py') $(wildcard benchmarks/results/*.json) constraints.txt
	@rm -rf _build/.jupyter_cache _build/.doctrees
	@mkdir -p _build && touch $@

HELD_BY_test = torch book grader lab

.venv/.has-%: pyproject.toml constraints.txt | .venv/bin/pip
	@echo "· Installing what '$*' needs (about a minute the first time)"
	@python -m pip install --no-compile -e '.[$*]' > .venv/install.log 2>&1 || \
		{ cat .venv/install.log >&2; $(call stop,$(NO_INSTALL)); }
	@PYTHONWARNINGS=ignore python -m compileall -qq -j 0 -x '$(SELDOM)' .venv/lib || true # some bring files of other Pythons
	@touch $(addprefix .venv/.has-,$* $(HELD_BY_$*))

.venv/bin/pip:
	@echo "· Making .venv with $(PYTHON)"
	@$(PYTHON) --version > /dev/null 2>&1 || { $(call stop,there is no $(PYTHON). $(NEEDED)); }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ $(call stop,$(PYTHON) is $$($(PYTHON) --version). $(NEEDED)); }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { $(call stop,$(PYTHON) has no venv. $(NEEDED)); }
	@$(PYTHON) -m venv .venv

stop = echo "make: $(1)" >&2; exit 1

# Large, and little of them is ever imported; what is, is compiled then.
SELDOM = /(torch|sktime|sympy|pandas|scipy|statsmodels|keras|sklearn|jax|networkx|onnx|dask|pip|setuptools)/

NO_INSTALL = pip failed, as shown above. The versions in constraints.txt are for Python 3.11 to 3.13; \
	this is $$(python --version).
NEEDED = What is needed is Python 3.11 or newer with venv. On Debian or Ubuntu: apt install python3 python3-venv. \
	Elsewhere: https://www.python.org/downloads/. To use another interpreter, name it: make PYTHON=python3.12 book

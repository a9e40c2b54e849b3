# A few words. `demo` and `test` bring all that they need: Python 3.12 and git are enough.
MODEL := embedded
# Processes of tests: one more than two cores, as a third of what tests do is to wait.
WORKERS := 3
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen --extra train --extra serve
# What some test needs, and the peers that others compare with.
TESTED := --extra espnet --extra export --extra graph --extra lora --extra ray --extra score --extra labse --extra ctranslate2 --extra tts --group peers \
  --group synthesis --group teachers --group docs
PYTEST := $(RUN) $(TESTED) pytest --numprocesses $(WORKERS) --maxprocesses 4

# Where it is set, each of the many processes that the tests start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-all test-wheel check format bench docs

help:  ## list the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/'

.uv/bin/uv:
	@command -v python3 > /dev/null || { echo "error: there is no python3 on the path; install Python 3.12" >&2; exit 1; }
	@python3 -m venv .uv || { echo "error: python3 cannot make an environment; install its module venv" >&2; exit 1; }
	@.uv/bin/pip install --quiet uv || { echo "error: uv cannot be installed: see above" >&2; exit 1; }

setup: $(UV)  ## install the package, training and development tools
	@$(UV) python find --quiet > /dev/null 2>&1 || $(UV) python install --quiet \
	  || { echo "error: there is no Python $$(cat .python-version) here, and it cannot be installed" >&2; exit 1; }
	$(UV) sync --quiet --frozen --inexact --extra train --extra serve

demo: setup  ## transcribe the shipped clips; MODEL=DIR: with your own model
	$(RUN) speech demo --model $(MODEL)

test: check  ## lint, types, tests; WORKERS=N: in so many processes
	$(PYTEST)

test-all: check  ## the same with every example and every fuzzed message, and the wheel with its dependencies: hours
	$(PYTEST) --all

test-wheel: setup  ## the wheel, installed with its dependencies into an empty environment
	$(RUN) pytest tests/test_wheel.py --all

check: setup  ## formatting, lint, types
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy

format: setup  ## format and fix
	$(RUN) ruff format .
	$(RUN) ruff check --fix .

bench: setup  ## structure of the code base as a table
	$(RUN) python benchmarks/structure.py

docs: setup  ## build the documentation site into site/
	NO_MKDOCS_2_WARNING=1 $(RUN) --group docs mkdocs build --strict

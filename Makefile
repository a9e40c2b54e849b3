# Five words. `demo` and `test` bring everything they need: Python 3.12 and git are enough.
MODEL := embedded
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)

.PHONY: help setup demo test check format bench

help:  ## what there is
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/'

$(UV):
	python3 -m venv .uv && .uv/bin/pip install --quiet uv

setup: $(UV)  ## install the package, training and development tools
	$(UV) sync --quiet --frozen --extra train --extra serve

demo: setup  ## transcribe the shipped clips; MODEL=DIR: with your own model
	$(UV) run --frozen --extra train --extra serve speech demo --model $(MODEL)

test: check  ## lint, types, tests
	$(UV) run --frozen --extra train --extra serve --extra espnet --extra export --extra graph --extra lora --extra ray --extra score --extra labse pytest

check: setup  ## formatting, lint, types
	$(UV) run --frozen --extra train --extra serve ruff format --check .
	$(UV) run --frozen --extra train --extra serve ruff check .
	$(UV) run --frozen --extra train --extra serve mypy

format: setup  ## format and fix
	$(UV) run --frozen --extra train --extra serve ruff format .
	$(UV) run --frozen --extra train --extra serve ruff check --fix .

bench: setup  ## structure of the code base as a table
	$(UV) run --frozen --extra train --extra serve python benchmarks/structure.py

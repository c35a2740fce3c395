PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
TESTS := -m "not thorough"
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(TESTS)
UNITS = $(PYTEST) --ignore tests/api --ignore tests/browser
LINT := lint-format lint-rules lint-types lint-imports

.DELETE_ON_ERROR:
.PHONY: help run test test-all test-unit test-page coverage lint $(LINT) bench examples leaderboard api lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s%s\n", $$1, $$2}' Makefile

run: .venv/run.done  ## install, prepare the embedded base once, serve on http://127.0.0.1:7860
	$(BIN)/python -m playground.model.embedded
	$(BIN)/python app.py

test: .venv/test.done  ## style, types, imports, unit, API and browser tests; a summary at the end
	$(BIN)/python -m tests

test-all:  ## the same with the tests that are marked thorough: walks over many of a kind, the longest ways through the page
	$(MAKE) --no-print-directory test TESTS=

test-unit: .venv/test.done  ## unit tests
	$(UNITS)

coverage: .venv/test.done  ## unit tests, and what of the code they reach
	$(UNITS) --cov

test-page: .venv/test.done  ## API and browser tests, a server for each of two processes
	$(PYTEST) tests/api tests/browser

lint: $(LINT)  ## the four below, which the pre-commit hooks call too

lint-format: .venv/test.done  ## is the code laid out as ruff lays it out?
	$(BIN)/ruff format --check .

lint-rules: .venv/test.done  ## ruff's rules, those of [tool.ruff.lint]
	$(BIN)/ruff check .

lint-types: .venv/test.done  ## mypy
	$(BIN)/mypy

lint-imports: .venv/test.done  ## do imports run downwards only?
	$(BIN)/lint-imports

bench: .venv/test.done  ## slow studies: tables in tests/benchmarks/results
	$(BIN)/python -m tests.benchmarks

examples: .venv/run.done  ## train the ready-made adapters and record the comparisons again
	$(BIN)/python examples/record.py

leaderboard: .venv/run.done  ## measure what examples/leaderboard.json lacks, and print README's table: hours
	$(BIN)/python -m playground.train.leaderboard

api: .venv/run.done  ## write API.md from the endpoints' docstrings
	$(BIN)/python -c "$$REFERENCE" > API.md

lock: $(BIN)/python  ## after a change of requirements: pin all that they bring along, in constraints.txt
	$(PIP) --dry-run --ignore-installed --report .venv/report.json --requirement tests/requirements.txt
	$(BIN)/python -c "$$CONSTRAINTS" < .venv/report.json > constraints.txt

clean:  ## remove the virtual environment
	rm -rf .venv

$(BIN)/python:
	$(PYTHON) -m venv .venv

.venv/run.done: requirements.txt constraints.txt | $(BIN)/python
	$(PIP) --editable . --constraint constraints.txt
	touch $@

.venv/test.done: .venv/run.done tests/requirements.txt
	$(PIP) --requirement tests/requirements.txt --constraint constraints.txt
	touch $@

define REFERENCE
from playground.ui.api.reference import public, reference
from playground.ui.page import build_page
print(reference(public(build_page())), end="")
endef
export REFERENCE

# What pip would install, as constraints that hold on every machine: torch is torch==2.13.0, whatever local version (+cpu)
# was found here, and what only its CUDA builds bring along stays theirs to choose.
define CONSTRAINTS
import json, sys
pins = {one["metadata"]["name"]: one["metadata"]["version"].partition("+")[0] for one in json.load(sys.stdin)["install"]}
print("# Everything that the requirements bring along, exactly. Written by `make lock`, not by hand.")
for name in sorted(pins, key=str.lower):
    if not name.startswith(("cuda-", "nvidia-", "triton")):
        print(f"{name}=={pins[name]}")
endef
export CONSTRAINTS

PYTHON ?= python3
BIN := .venv/bin
LINT := lint-format lint-rules lint-types lint-imports

.PHONY: run test test-unit test-page lint $(LINT) bench examples clean

run: .venv/run.done  ## install, prepare the embedded base once, serve on http://127.0.0.1:7860
	$(BIN)/python -m playground.model.embedded
	$(BIN)/python app.py

test: .venv/test.done  ## everything: style, types, imports, unit, API and browser tests; a summary at the end
	$(BIN)/python -m tests

test-unit: .venv/test.done  ## unit tests, and what of the code they reach
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --ignore tests/api --ignore tests/browser --cov

test-page: .venv/test.done  ## API and browser tests, a server for each of two processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile tests/api tests/browser

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

clean:
	rm -rf .venv

.venv/run.done: requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/test.done: tests/requirements.txt requirements.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch .venv/run.done $@

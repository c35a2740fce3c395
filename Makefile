PYTHON ?= python3
BIN := .venv/bin

.PHONY: run test lint bench examples clean

run: .venv/run.done  ## install, prepare the embedded base once, serve on http://127.0.0.1:7860
	$(BIN)/python -m playground.model.embedded
	$(BIN)/python app.py

test: .venv/test.done lint  ## everything: style, types, imports, unit, API and browser tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --ignore tests/api --ignore tests/browser
	$(BIN)/python -m pytest tests/api tests/browser

lint: .venv/test.done
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
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

# Two commands set everything up: `make suites` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: suites test check bench calibrate docs readers clean

suites: $(READY)  ## run the bundled suite: real models, ranked, gated
	$(BIN)/pytest suites/

test: $(READY)  ## run the tests of pytest-raq itself
	$(BIN)/pytest tests/ -n 2 --dist worksteal

check: $(READY)  ## lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## measure speed; slow, never part of the tests
	$(BIN)/python tests/benchmarks/run.py $(BENCH)

calibrate: $(READY)  ## simulate the gate and rewrite the tables of docs/statistics.md
	$(BIN)/python tests/benchmarks/calibrate.py

docs: $(READY)  ## rewrite the reference of the file formats and the schemas
	$(BIN)/raq schema --markdown > docs/formats.md
	$(BIN)/raq schema suite > docs/suite.schema.json
	$(BIN)/raq schema model > docs/model.schema.json

readers: $(READY)  ## train the bundled readers anew (hours)
	$(BIN)/pip install -r models/requirements.txt
	$(BIN)/python models/build.py

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $(READY)

clean:  ## remove the environment and everything made by a run
	rm -rf $(VENV) .raq .benchmarks .pytest_cache .mypy_cache .ruff_cache

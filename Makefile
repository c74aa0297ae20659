# Two commands set everything up: `make suites` and `make test`.
#
# llama.cpp is compiled for all processors of a kind, so that what is compiled here also runs on
# the next machine. NATIVE=1 compiles it for this processor alone, until NATIVE=0 says otherwise
# (docs/speed.md has what each of them costs).

PYTHON ?= python3
VENV ?= .venv
NATIVE ?= $(if $(wildcard $(VENV)/.engine-native),1,0)
BIN := $(VENV)/bin
ENGINE := $(VENV)/.engine-$(if $(filter 1,$(NATIVE)),native,portable)
BUILD := pytest_raq/engines/llamacpp/engine_build.py
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
	$(BIN)/python tests/benchmarks/calibrate_speed.py --write
	$(BIN)/python tests/benchmarks/calibrate_speed.py --write --load 2 --runs 10

docs: $(READY)  ## rewrite the reference of the file formats and the schemas
	$(BIN)/raq schema --markdown > docs/formats.md
	$(BIN)/raq schema suite > docs/suite.schema.json
	$(BIN)/raq schema model > docs/model.schema.json

readers: $(READY)  ## train the bundled readers again (hours)
	$(BIN)/pip install -r models/requirements.txt
	$(BIN)/python models/build.py

$(READY): pyproject.toml constraints.txt $(ENGINE)
	$(BIN)/pip install -q -c constraints.txt -e '.[dev]'
	touch $(READY)

$(ENGINE): constraints.txt $(BUILD)
	$(PYTHON) -m venv $(VENV)
	rm -f $(VENV)/.engine-*
	$(PYTHON) $(BUILD) $(BIN)/python --constraints constraints.txt $(if $(filter 1,$(NATIVE)),--native)
	touch $(ENGINE)

clean:  ## remove the environment and everything made by a run
	rm -rf $(VENV) .raq .benchmarks .pytest_cache .mypy_cache .ruff_cache

# make demo   a simulated plant, the gateway and its messages, on embedded defaults
# make test   everything, installing what it needs
# make check  ruff, mypy, import contracts, unit and contract tests: under a minute
# make faults the fault tests in full;  make bench  the benchmark table;  make docs  generated pages

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
export WL_SCALE ?= 0.1

.PHONY: demo test check lint bench faults peers docs lock clean

$(VENV)/ready: edge_deploy/locks/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r edge_deploy/locks/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index -e .
	touch $@

peers:
	edge_deploy/peers.sh

demo: $(VENV)/ready peers
	$(BIN)/python -m edge_deploy.demo

lint: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/pytest -q tests/unit tests/contract

test: lint peers
	$(BIN)/pytest

faults: $(VENV)/ready peers
	WL_SCALE=1 $(BIN)/pytest -m "fault" --timeout 3600

bench: $(VENV)/ready peers
	$(BIN)/python -m tests.benchmarks

docs: $(VENV)/ready
	$(BIN)/python -m config.manual > docs/reference/plant-file.md
	$(BIN)/python -m config.vocabulary > docs/reference/tag-names.md

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --quiet \
		pyproject.toml -o edge_deploy/locks/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --quiet \
		pyproject.toml --group dev --extra uvloop -o edge_deploy/locks/dev.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

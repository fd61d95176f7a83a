# Wattlake: every command a person needs. `make help` lists them.
# Needs Python 3.11, Java 17 and make; everything else is installed into .venv and .wattlake.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
UV := $(VENV)/bin/uv
JARS := .wattlake/jars
CUSTOMERS ?= 2000
HISTORY_DAYS ?= 120
METERS ?= 500000
export PYTHONWARNINGS ?= ignore::FutureWarning
# every job is a process of its own: compiling its modules each time would cost it seconds
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo lcl faults bench test check up down lock clean

help: ## Say what the targets do
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.installed $(JARS)/.fetched ## Install the locked versions and Delta's jars, once

$(VENV)/.installed: requirements.lock setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Python 3.11 is needed: set PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(UV) || $(BIN)/python -m pip install --quiet uv==0.13.9
	$(UV) pip sync --quiet --compile-bytecode --python $(BIN)/python requirements.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --config-settings editable_mode=compat -e .
	@touch $@

$(JARS)/.fetched: conf/delta-jars.xml conf/ivysettings.xml $(VENV)/.installed
	@java="$$($(BIN)/python -c 'from jobs.runtime.session import print_java; print_java()')"; \
	mkdir -p $(JARS); \
	"$$java" -cp "$$($(BIN)/python -c 'import importlib.util as u; print(u.find_spec("pyspark").submodule_search_locations[0])')/jars/*" \
		org.apache.ivy.Main -settings conf/ivysettings.xml -cache .wattlake/ivy -ivy conf/delta-jars.xml -types jar \
		-retrieve "$(JARS)/[artifact]-[revision].[ext]" > .wattlake/ivy.log 2>&1 || { tail -20 .wattlake/ivy.log; exit 1; }
	@touch $@

demo: setup ## A province from nothing to published scores, through Airflow (CUSTOMERS=2000 HISTORY_DAYS=120)
	$(BIN)/python deploy/demo.py --customers $(CUSTOMERS) --history-days $(HISTORY_DAYS)

faults: setup ## What was injected into a province, what was found, what was wrongly flagged
	$(BIN)/python deploy/faults.py

.PHONY: docs
docs: setup ## Write the data dictionary and the catalogue of rules from their declarations
	$(BIN)/python deploy/make_docs.py

bench: setup ## Time the meter path, 500,000 meters a day, beside DuckDB (METERS=500000)
	$(BIN)/python deploy/bench.py --meters $(METERS)

up: setup ## Leave Airflow and MLflow running on loopback and print addresses and sign-ins
	@$(BIN)/python deploy/services.py up --env demo

down: ## Stop what `make up` has started
	@$(BIN)/python deploy/services.py down --env demo

lcl: setup ## Real readings: Low Carbon London 2013 from ../shared/data
	$(BIN)/python -m jobs prepare_lcl --date 2013-12-31 --env lcl
	@# one shell, so that the services are stopped however it ends; its exit code is that of the step which failed
	@trap '$(BIN)/python deploy/services.py down --env lcl' EXIT; \
	$(BIN)/python deploy/services.py up --env lcl --only connect,airflow; \
	$(BIN)/python deploy/run_dags.py --env lcl --date 2013-12-31 --train-on 2013-12-31; \
	variables="$$($(BIN)/python deploy/services.py env --env lcl)"; eval "$$variables"; \
	$(BIN)/python -m jobs report_sum_check --date 2013-12-31 --env lcl; \
	$(BIN)/python -m jobs show_publication --date 2013-12-31 --env lcl

test: setup ## Run all tests
	$(BIN)/python -m pytest -n 2 --no-loadscope-reorder

check: setup ## Lint, types, layers: the checks of a commit
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## Resolve the newest versions which setup.py allows into requirements.lock
	$(UV) pip compile setup.py --all-extras --python-version 3.11 --generate-hashes --no-emit-index-url --quiet --upgrade -o requirements.lock

clean: ## Remove what demo, lcl and tests have made; the installation stays
	@$(BIN)/python deploy/services.py down --env demo || true
	@$(BIN)/python deploy/services.py down --env lcl || true
	rm -rf .wattlake/demo .wattlake/lcl .wattlake/local .wattlake/faults .wattlake/bench

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup test test-fast check format imports settings quality reliability airflow lock bench clean

BIN := .venv/bin
PYTHON_SOURCES := $(wildcard optdist pipelines jobs benchmarks tests requirements setup.py)
SHELL_SOURCES := spark-submit.sh requirements/*.sh .ci/run
READY := requirements/install.sh --quiet
# Java and Spark as in spark-submit.sh. Tests run on this machine alone, so Spark binds to its loopback.
PYTEST := . requirements/env.sh; SPARK_LOCAL_IP=$${SPARK_LOCAL_IP:-127.0.0.1} $(BIN)/python -m pytest -q
# One process for each core, up to four: each has a Spark and a TensorFlow of its own, 4 GiB in all.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup:  ## Make .venv with all locked packages (only does what is missing)
	@requirements/install.sh

test:  ## Run all tests
	@$(READY); $(PYTEST) $(PARALLEL) $(ARGS)

test-fast:  ## Run the tests that are not slow
	@$(READY); $(PYTEST) $(PARALLEL) -m "not slow" $(ARGS)

check:  ## Lint, formatting, types, shell scripts
	@$(READY)
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(BIN)/mypy
	PATH="$(BIN):$$PATH" shellcheck -x -P SCRIPTDIR $(SHELL_SOURCES)

format:  ## Format the code and fix what ruff can fix
	@$(READY)
	$(BIN)/ruff check --fix $(PYTHON_SOURCES)
	$(BIN)/ruff format $(PYTHON_SOURCES)

imports:  ## Print which room imports which (ARGS=REVISION for another one, ARGS=--mermaid for a page)
	@$(READY); $(BIN)/python tests/imports.py $(ARGS)

settings:  ## Write docs/settings.md from the settings' classes
	@$(READY); $(BIN)/python -m optdist.config.explain >docs/settings.md

quality:  ## Write docs/data_quality.md from what the tests of tables with quirks see
	@$(READY); results=$$(mktemp); export DATA_QUALITY_RESULTS=$$results; \
	$(PYTEST) tests/pipelines/sources/test_quirky_tables.py tests/pipelines/sources/test_kinds_of_quirks.py \
	  tests/integration/test_scored_files.py && $(BIN)/python tests/quality_page.py "$$results"

reliability:  ## Write docs/reliability.md from what the tests see that break something
	@$(READY); results=$$(mktemp); export RELIABILITY_RESULTS=$$results; \
	$(PYTEST) tests/reliability && $(BIN)/python tests/reliability_page.py "$$results"

airflow:  ## Test rendered schedules in a real Airflow, in an environment of its own
	@$(READY); requirements/airflow.sh; $(PYTEST) -m airflow tests/pipelines/scheduling $(ARGS)

lock:  ## Write the lock files from setup.py (ARGS=--upgrade for newer versions)
	@$(READY); requirements/lock.sh $(ARGS)

bench:  ## Run the benchmarks, one after the other
	@$(READY); . requirements/env.sh; \
	for benchmark in benchmarks/[a-z]*.py; do echo "== $$benchmark"; $(BIN)/python "$$benchmark"; done

clean:  ## Remove .venv and what tools and jobs leave behind (Horovod's wheel stays in the cache)
	rm -rf .venv .venv-airflow .venv.lock build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache spark-warehouse metastore_db derby.log
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

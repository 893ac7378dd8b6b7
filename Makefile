# Howdah. `make demo` shows it, `make test` proves it; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
export PYTHONPATH := $(CURDIR)

.DEFAULT_GOAL := help
.PHONY: help setup demo up dev test check format bench browser chaos fuzz migrate migrate-down migrate-create generate lock compose-env containers clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

setup: $(STAMP) ## Make the virtual environment from the hashed lock

$(STAMP): requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Howdah needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || \
		{ echo "Python's venv module is not complete: install your system's package for it (Debian: python3-venv)."; exit 1; }
	@echo "installing the locked packages …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock
	@touch $(STAMP)

demo: setup ## Start everything, push a commit, watch its run; ONCE=1 ends by itself
	@$(BIN)/python -m deploy.embedded.demo $(if $(ONCE),--once)

up: setup ## Start PostgreSQL and the four services, and keep their data in var/
	@$(BIN)/python -m deploy.embedded.up

dev: setup ## The same, restarting a service when its code changes
	@$(BIN)/python -m deploy.embedded.up --reload

# A whole file goes to one process: what its tests share is made once. WORKERS=0: all in this one.
WORKERS ?= 2

test: setup ## Run the tests: unit, contract, service, end to end
	@$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile $(ARGS)

check: setup ## Style, types, import arrows, generated code, lock files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m sql.codegen --check
	@$(BIN)/python -m pytest -q tests/contract/test_generated_code.py tests/contract/test_queries.py tests/contract/test_grants.py

format: setup ## Format the code
	@$(BIN)/ruff check --fix-only .
	@$(BIN)/ruff format .

bench: setup ## Measure, and print a table
	@$(BIN)/python -m tests.bench $(ARGS)

fuzz: setup ## Throw thousands of requests at the API, and hold the answers against its OpenAPI document
	@$(BIN)/python -m pytest tests/fuzz $(ARGS)

chaos: setup ## The tests that kill processes
	@$(BIN)/python -m pytest tests/chaos $(ARGS)

browser: setup ## The pages before a real browser: `chromium`, or what HOWDAH_TEST_CHROMIUM names
	@$(BIN)/python -m pytest tests/browser $(ARGS)

generate: setup ## Generate the query packages from sql/
	@$(BIN)/python -m sql.codegen

migrate: setup ## Apply the migrations to HOWDAH_OWNER_DATABASE_URL
	@$(BIN)/python -m deploy.migrate up

migrate-down: setup ## Take the newest migration back
	@$(BIN)/python -m deploy.migrate down

migrate-create: setup ## Make an empty migration: make migrate-create name=add_something
	@$(BIN)/python -m deploy.migrate new $(name)

# The services' locks pin what the development lock pins: what is shipped is what was tested.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml
lock: setup ## Lock the dependencies anew
	@$(LOCK) --all-extras --group dev --output-file requirements-dev.lock
	@for part in ingest scheduler executor notifier migrate; do \
		$(LOCK) --extra $$part --constraint requirements-dev.lock --output-file requirements-$$part.lock || exit; \
	done
	@$(LOCK) --extra ingest --extra scheduler --extra executor --extra notifier --group reload \
		--constraint requirements-dev.lock --output-file requirements-development.lock

compose-env: ## Make .env with new passwords and a sealing key, for docker-compose.yml
	@$(PYTHON) deploy/write_env.py

containers: setup ## The tests that need a Docker engine
	@$(BIN)/python -m pytest tests/containers $(ARGS)

clean: ## Remove the virtual environment, caches, and the data of make up
	@rm -rf $(VENV) var .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Everything a contributor runs. Tools live in .venv; nothing is installed outside this directory.
# Another interpreter: make PYTHON=python3.12 setup. Options for one run: make unit ARGS="-k penalty".

PYTHON ?= python3
ARGS ?=
CASES ?= 100

BIN := .venv/bin
STAMP := .venv/.installed
fail = { echo "make $@: $(1)" >&2; exit 1; }

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup demo serve test lint format types imports unit integration e2e fuzz wheel-smoke test-prometheus-3 engines bench docs reference alerts dashboards kubernetes golden lock clean

help: ## Show this list
	@echo "Usage: make TARGET [ARGS=\"options for its tool\"] [PYTHON=python3.12]"; echo
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP) ## Make .venv with sloscore and its development tools (needs Python 3.11 or newer)

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || \
	  { echo "make setup: there is no $(PYTHON): apt install python3 python3-venv, or name another one: make PYTHON=/path/to/python3.12 setup" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "make setup: $(PYTHON) is $$($(PYTHON) -V 2>&1), sloscore needs Python 3.11 or newer: name one: make PYTHON=/path/to/python3.12 setup" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "make setup: $(PYTHON) cannot make virtual environments: apt install python3-venv, then run this again" >&2; exit 1; }
	@echo "==> Setup: sloscore and its development tools into .venv (about a minute the first time)"
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || $(PYTHON) -m venv --clear .venv || \
	  { echo "make setup: the virtual environment could not be made: see the message above; is this directory writable?" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' || \
	  { echo "make setup: pip could not install: see its message above; check the network or pip's index settings, then run this again" >&2; exit 1; }
	@touch $@

demo: $(STAMP) ## See sloscore at work: simulated servers, a real Prometheus, three scored experiments
	@$(BIN)/sloscore demo $(ARGS)

serve: $(STAMP) ## Run the service on this machine (ARGS="--config FILE")
	@$(BIN)/sloscore serve $(ARGS)

# Both processes, and the second run, must name and order the tests alike, also those made of sets.
test: $(STAMP) lint types imports ## Check everything: lint, types, imports, then all tests
	@echo "==> Tests: all of them, many on a real Prometheus (about ten minutes)"
	@export PYTHONHASHSEED=0; $(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS) || { \
	  echo "==> Tests: those that failed once more, by themselves; a test that fails twice fails"; \
	  $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(ARGS) || \
	    $(call fail,the tests named above failed: run one by its name with $(BIN)/python -m pytest NAME); }

lint: $(STAMP) ## Check style and formatting (ruff)
	@echo "==> Lint: ruff check and ruff format"
	@$(BIN)/ruff check --quiet . || $(call fail,ruff found the problems above: fix them or try .venv/bin/ruff check --fix .)
	@$(BIN)/ruff format --quiet --check . || $(call fail,some files are not formatted: run make format)

format: $(STAMP) ## Format all code in place (ruff)
	@$(BIN)/ruff format .

types: $(STAMP) ## Check types (mypy, strict)
	@echo "==> Types: mypy"
	@$(BIN)/mypy --no-error-summary $(wildcard service tests bench examples tools) || $(call fail,mypy found the problems above: correct the types)

imports: $(STAMP) ## Check that imports point one way through the layers (import-linter)
	@echo "==> Imports: import-linter"
	@$(BIN)/lint-imports || $(call fail,an import breaks a layer: see the contracts in pyproject.toml)

unit: $(STAMP) ## Run the unit tests (seconds)
	@$(BIN)/python -m pytest tests/unit $(ARGS)

integration: $(STAMP) ## Run the tests that start real servers and processes
	@$(BIN)/python -m pytest tests/integration tests/cli $(ARGS)

e2e: $(STAMP) ## Run the tests of the pages in a browser (needs Chromium)
	@$(BIN)/python -m pytest tests/e2e $(ARGS)

fuzz: $(STAMP) ## Ask a service for all that its OpenAPI document allows and forbids, and by random selectors and pages (CASES=100 of each)
	@SLOSCORE_FUZZ=$(CASES) $(BIN)/python -m pytest tests/integration/test_api_generated_requests.py \
	  tests/integration/test_random_selectors.py tests/integration/test_random_pages.py $(ARGS)

wheel-smoke: $(STAMP) ## Build the distribution, and try the wheel by itself on an interpreter (PYTHON=python3.13)
	@SLOSCORE_WHEEL_PYTHON=$(PYTHON) $(BIN)/python -m pytest tests/integration/test_distribution.py $(ARGS)

test-prometheus-3: $(STAMP) ## Run the integration tests on Prometheus 3 (from Debian unstable)
	@echo "==> Prometheus 3: fetching it without installing it"
	@$(BIN)/python -m sloscore.simulate.fetch --suite sid || \
	  $(call fail,Prometheus 3 could not be fetched: see the message above)
	@SLOSCORE_PROMETHEUS_SUITE=sid $(BIN)/python -m pytest tests/integration $(ARGS)

engines: $(STAMP) ## Run the tests of the data path and the rules on every engine in SLOSCORE_STACK
	@$(BIN)/python -m tools.engines $(ARGS) || $(call fail,an engine failed its tests: see above)

bench: $(STAMP) ## Run the benchmarks (ARGS=--write puts tables and pictures into docs, ARGS=--short takes small sizes)
	@$(BIN)/python bench/run_all.py $(ARGS)

# Not --quiet, which makes --strict overlook everything.
docs: $(STAMP) ## Build the documentation into build/site; a dead link or a page outside of mkdocs.yml fails
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict $(ARGS) || $(call fail,the site has the faults above)
	@echo "==> Documentation: open build/site/index.html"

reference: $(STAMP) ## Make docs/reference anew from the code
	@$(BIN)/python -m tools.reference

alerts: $(STAMP) ## Make rules/sloscore-alerts.yml anew from service/sloscore/alerting, and its PrometheusRule
	@$(BIN)/python -m sloscore.alerting --write rules/sloscore-alerts.yml
	@$(MAKE) kubernetes

dashboards: $(STAMP) ## Make dashboards/*.json anew from tools/dashboards, and their ConfigMaps
	@$(BIN)/python -m tools.dashboards
	@$(MAKE) kubernetes

kubernetes: $(STAMP) ## Make the generated files of deploy/kubernetes/monitoring anew
	@$(BIN)/python -m tools.kubernetes

golden: $(STAMP) ## Make the golden files of the tests anew: rules, public Python names (tests/golden)
	@$(BIN)/python -m tests.golden.rules.cases
	@$(BIN)/python -m tests.golden.api.public

lock: ## Make requirements.lock anew: the newest versions that pyproject.toml allows, with hashes
	@tools/lock.sh $(PYTHON)

clean: ## Remove .venv, caches and build products
	@rm -rf .venv build dist .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find service tests bench tools -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
	@rm -rf service/*.egg-info service/.mypy_cache

# Placet. `make` or `make help` lists what there is to do.
# Needs Python 3.11+ and make; everything else is built in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help install up migrate test test-fast test-faults lint types imports docs-check schemas \
	bench screenshots wheel requirements clean

help: ## List the targets
	@echo "Placet: one approval queue for people. Targets:"
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# One environment, made in two steps: what runs Placet, and on top of it what develops and tests it
# (the agent frameworks among it, which weigh ten times as much). Each is made anew when its pinned
# requirements change.
$(VENV)/.up: requirements/embedded.txt pyproject.toml scripts/check_python.py
	@$(PYTHON) scripts/check_python.py
	@echo "1/3  making $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "2/3  installing the pinned packages that run Placet (the first time: under a minute)"
	@$(PIP_INSTALL) --require-hashes -r requirements/embedded.txt
	@echo "3/3  installing placet itself"
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.up requirements/dev.txt client/pyproject.toml
	@echo "1/2  installing the pinned packages that test it (the first time: a minute or two, 700 MB)"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@echo "2/2  installing the client"
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable client
	@touch $@

$(VENV)/.bench: $(VENV)/.dev requirements/bench.txt
	@echo "installing the peers that the benchmarks compare with"
	@$(PIP_INSTALL) --require-hashes -r requirements/bench.txt
	@touch $@

install: $(VENV)/.dev ## Build .venv with everything that development needs

up: $(VENV)/.up ## Run the whole product here, on its own Postgres and broker
	@$(BIN)/placet up

migrate: $(VENV)/.up ## Bring the database and the topics of PLACET_* to this release
	@$(BIN)/placet migrate

# Two at a time, each with a Postgres and a broker of its own; one, where the broker is given. What
# kills processes runs by itself afterwards, so that nothing else takes its time.
WORKERS ?= $(if $(PLACET_TEST_KAFKA),0,2)
TOGETHER := --numprocesses $(WORKERS) --dist loadfile

test: $(VENV)/.dev ## Run every test, on the best broker that is to be had
	@echo "1/2  the tests that can run side by side, $(WORKERS) at a time"
	@$(PYTEST) $(TOGETHER) -m "not faults"
	@echo "2/2  the tests that kill things, one after the other"
	@$(PYTEST) -m faults

test-fast: $(VENV)/.dev ## Run the tests without faults and browsers
	@$(PYTEST) $(TOGETHER) -m "not faults and not browser"

test-faults: $(VENV)/.dev ## Run the tests that kill things
	@$(PYTEST) -m faults

lint: $(VENV)/.dev ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/.dev ## Check types
	@$(BIN)/mypy
	@MYPYPATH=deploy/demo $(BIN)/mypy --strict deploy/demo/acme_expenses
	@MYPYPATH=client $(BIN)/mypy --strict client/placet

imports: $(VENV)/.dev ## Check that imports run one way
	@$(BIN)/lint-imports

docs-check: $(VENV)/.dev ## Check that the documents and schemas are true to the code
	@$(BIN)/python scripts/schemas.py --check
	@$(BIN)/python scripts/check_docs.py

schemas: $(VENV)/.dev ## Write the published schemas anew
	@$(BIN)/python scripts/schemas.py

bench: $(VENV)/.bench ## Measure, beside the limits of this machine and the peers
	@$(BIN)/python benchmarks/run.py

screenshots: $(VENV)/.dev ## Take the README's pictures with Debian's chromium
	@$(BIN)/python scripts/screenshots.py

wheel: $(VENV)/.dev ## Build the wheel
	@$(BIN)/python -m build --wheel --no-isolation

requirements: ## Pin the requirements anew (needs uv)
	@for set in "runtime" "embedded --extra embedded --group build" \
		"dev --extra embedded --group build --group dev --group frameworks" \
		"bench --extra embedded --group build --group dev --group frameworks --group bench"; do \
		set -- $$set; name=$$1; shift; \
		uv pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url \
			--python-version 3.11 $$@ pyproject.toml -o requirements/$$name.txt; \
	done

clean: ## Remove the environment and everything that was built
	@rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

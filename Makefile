# Every target works on a fresh checkout: it first builds .venv from the lock files.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help demo test check bench evals lock format clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN{FS=":.*## "}{printf "  make %-9s %s\n", $$1, $$2}'

$(UV): requirements-bootstrap.lock
	@echo "Creating the environment in $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit("Atende needs Python 3.11 or newer; this is %s. Say: make PYTHON=python3.12 …" % sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

$(VENV)/.runtime: requirements.lock pyproject.toml $(UV)
	@echo "Installing Atende from the lock file …"
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes -r requirements.lock
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "Installing the development tools from the lock file …"
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

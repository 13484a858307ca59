# Every target works on a fresh checkout: it first builds .venv from the lock files.
PYTHON ?= python3
VENV   ?= .venv
JOBS   ?= 3
BIN    := $(VENV)/bin
UV     := $(BIN)/uv

.DEFAULT_GOAL := help
.PHONY: help demo demo-check evals test check bench format lock clean tables access events styles
.DELETE_ON_ERROR:

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk 'BEGIN{FS=":.*## "}{printf "  make %-11s %s\n", $$1, $$2}'

$(UV): requirements-bootstrap.lock
	@echo "Creating the environment in $(VENV) …"
	@$(PYTHON) -c 'import sys; sys.exit("Atende needs Python 3.11 or newer; this is %s. Say: make PYTHON=python3.12 …" % sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.lock
	@touch $@

$(VENV)/.runtime: requirements.lock pyproject.toml $(UV)
	@echo "Installing Atende from the lock file …"
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes --compile-bytecode -r requirements.lock
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "Installing the development tools from the lock file …"
	@VIRTUAL_ENV=$(VENV) $(UV) pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

demo: $(VENV)/.runtime ## Start everything with the example shop; Ctrl-C stops it
	@$(BIN)/atende serve --demo

demo-check: $(VENV)/.runtime ## Play the example shop's scripted conversations and compare
	@$(BIN)/atende demo --check

EVALS ?= build/evals
evals: $(VENV)/.dev ## Play all shipped suites as recorded and write the report to build/evals (TENANT=my-shop: that folder's scripts)
ifdef TENANT
	@$(BIN)/python -m evals.offline "$(TENANT)"
else
	@mkdir -p $(EVALS)
	@$(BIN)/atende eval run shop noisy_portuguese tau2_retail --gates evals/shipped_gates.yaml --json $(EVALS)/played.json > $(EVALS)/played.txt || [ $$? -eq 1 ]
	@$(BIN)/python -m evals.measured --json $(EVALS)/measured.json $(MEASURED)
	@$(BIN)/atende eval merge $(EVALS)/played.json $(EVALS)/measured.json --gates evals/shipped_gates.yaml \
		--json $(EVALS)/report.json --html $(EVALS)/report.html --junit $(EVALS)/report.xml --markdown $(EVALS)/report.md
endif

test: $(VENV)/.dev ## Run the whole suite, JOBS=3 at once (PYTEST_ARGS='-k inbox' for a part of it)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
		echo "No Chromium: the browser tests will be skipped. On Debian and Ubuntu: apt-get install chromium"
	$(BIN)/pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)

check: $(VENV)/.dev ## Everything that CI wants: style, types, import contracts, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

format: $(VENV)/.dev ## Put the code in form
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

bench: $(VENV)/.runtime ## Measure the pipeline; prints JSON
	@$(BIN)/python bench/pipeline.py

lock: $(UV) ## Resolve the dependencies anew and write the lock files
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --upgrade pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --upgrade pyproject.toml --group dev \
		-c requirements.lock -o requirements-dev.lock

tables: $(VENV)/.dev ## Write the first migration's tables anew from their classes
	$(BIN)/python -m store.migrations.ddl > src/store/migrations/versions/20261121_1200_first_tables.sql

access: $(VENV)/.dev ## Write docs/access.md, who may use which route, anew from the application
	$(BIN)/python -m app.access_table > docs/access.md.new && mv docs/access.md.new docs/access.md
events: $(VENV)/.dev ## Write the list of events in docs/outgoing-webhooks.md anew
	$(BIN)/python -m app.event_table docs/outgoing-webhooks.md
styles: $(VENV)/.dev ## Write the part of the design system's style sheet anew that the pages use
	$(BIN)/python -m web.lean_styles

clean: ## Remove the environment and what tools left (never your data)
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

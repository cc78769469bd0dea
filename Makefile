# Redress. `make help` lists what there is. A fresh machine needs Python 3.11, pip and make; the rest is set up here.
PYTHON ?= python3
BIN := .venv/bin
WORKERS ?= 2
AUDIT ?= osv
SEEDS ?= 20
export PYTHONUNBUFFERED := 1

.PHONY: help up up-cluster demo test chaos scale bench check docs sbom audit client lock setup setup-dev components
.DEFAULT_GOAL := help

help: ## List the targets
	@$(PYTHON) -c "import re; [print(f'  make {m[1]:12} {m[2]}') for l in open('Makefile') if (m := re.match(r'([a-z-]+):.*## (.*)', l))]"

up: setup ## Start the desk on http://127.0.0.1:8000 (PORT=9000 moves it); Ctrl-C stops it
	@$(BIN)/redress up

up-cluster: setup ## Start PostgreSQL, Kafka and every service as its own processes on this machine
	@$(BIN)/redress up-cluster

demo: setup ## Send some hundred invented complaints through every channel
	@$(BIN)/redress demo

test: setup-dev components ## Run the tests, with real PostgreSQL, Kafka and Chromium wherever they can be had
	@$(BIN)/python -m pytest -q -n $(WORKERS) $(ARGS)

chaos: setup-dev components ## The long form of the fault tests: every fault, each with 20 seeds (SEEDS=3 for fewer)
	@REDRESS_CHAOS=long REDRESS_SEEDS=$(SEEDS) $(BIN)/python -m pytest -q tests/chaos $(ARGS)

scale: setup-dev components ## The long form of the deadline engine's tests: 1,000,000 open clocks, engines killed
	@LONG_SCALE_FORM=1 $(BIN)/python -m pytest -q tests/component/sla/test_scale.py $(ARGS)

bench: setup-dev components ## Measure, and print the ratios
	@$(BIN)/python -m tests.bench $(ARGS)

check: setup-dev ## Lint, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: setup-dev ## Build the documentation as a site in build/site (asks no other host for anything)
	@$(BIN)/python -m deploy.site

sbom: setup-dev ## Write the software bill of materials to redress.cdx.json (CycloneDX)
	@$(BIN)/python -m deploy.sbom > redress.cdx.json

audit: setup-dev ## Known vulnerabilities in what the services run on (asks api.osv.dev; not part of CI)
	@$(BIN)/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -s $(AUDIT) -r requirements/run.lock

client: setup-dev ## Write the Python client of intake anew
	@$(BIN)/python -m deploy.client
	@$(BIN)/ruff format -q clients

lock: setup-dev ## Lock the dependencies anew (needs uv)
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/run.in -o requirements/run.lock
	@uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/dev.in -o requirements/dev.lock
	@for peer in django_helpdesk roundup; do uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/peers/$$peer.in -o requirements/peers/$$peer.lock || exit 1; done

setup:
	@$(PYTHON) deploy/bootstrap.py

setup-dev:
	@$(PYTHON) deploy/bootstrap.py --dev

components:
	@$(BIN)/python -m deploy.infra.install --best-effort postgres kafka chromium kcat promtool

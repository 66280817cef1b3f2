# Everything runs inside .venv, which is made once and again only when its recipe changes.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.installed
CLIENTS := .venv/.clients
DIST ?= dist
EXTRAS := label,quantize,ray,serve,tensorboard

.DEFAULT_GOAL := help
.PHONY: help study five-tasks test test-recipes test-quick check format bench wheel offline-bundle clean

help: ## show these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -c constraints.txt -e '.[dev,$(EXTRAS)]'
	touch $(READY)

$(CLIENTS): $(READY)
	$(BIN)/python -m pip install -c constraints.txt -e '.[clients,dev]'
	touch $(CLIENTS)

study: $(READY) ## install, fetch the embedded model, run the built-in study: minutes
	$(BIN)/preceptor models fetch
	$(BIN)/preceptor study quickstart

five-tasks: $(READY) ## the same with all six outputs and every control: about an hour and a half
	$(BIN)/preceptor models fetch
	$(BIN)/preceptor models fetch all-minilm-l6-v2
	$(BIN)/preceptor study five-tasks

test: $(CLIENTS) ## every test but the recipes' long ones, in two processes
	$(BIN)/python -m pytest -m "not slow_recipe" -n 2 --dist loadfile

test-recipes: $(READY) ## the recipes' long tests
	$(BIN)/python -m pytest -m slow_recipe -n 2 --dist loadfile

test-quick: $(READY) ## the tests that take seconds
	$(BIN)/python -m pytest -m "not slow and not slow_recipe"

check: $(READY) ## format, lint, types, and who may import whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## every benchmark, one after another
	@set -e; for program in $(sort $(filter-out benchmarks/results.py,$(wildcard benchmarks/[a-z]*.py))); do name=$$(basename $$program .py); echo "== $$name"; $(BIN)/python -m benchmarks.$$name; done

wheel: $(READY) ## build dist/preceptor-*.whl, and dist/constraints.txt to install it with
	rm -f $(DIST)/preceptor-*.whl
	$(BIN)/python -m pip wheel --no-deps --wheel-dir $(DIST) .
	cp constraints.txt $(DIST)/

offline-bundle: wheel ## all that a machine without a package index needs, in one archive in dist/
	PYTHONPATH=tests $(BIN)/python -m bundle.make $(DIST) $(EXTRAS)

clean: ## remove the environment and the caches; runs/ stays
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

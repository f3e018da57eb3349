# Everything that is done with this repository, by name. `make help` lists it.
# Needs git, make and Python 3.11 or newer; uv is used where it is installed and fetched into .venv where it is not.

SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
COMPILE = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
  --no-header --no-annotate $(LOCK_ARGS)
# Last, so that a tool of the machine wins over the one that .venv brings.
export PATH := $(PATH):$(CURDIR)/$(VENV)/bin

.PHONY: help demo demo-lab test check lab lab-chaos nix-real bench secrets lock format docs clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## a homelab to play with: simulated, on loopback, gone when you leave; KEEP=DIR leaves it in DIR
	@$(RUN) -m cockpit demo $(if $(KEEP),--keep $(KEEP))

demo-lab: $(READY) ## the same on a real lab host (root on Debian)
	@$(RUN) -m scripts.lab && $(RUN) -m tests.lab demo

test: $(READY) ## all checks and all tests; ends with what did not run and why
	@$(RUN) -m scripts.run_tests

check: $(READY) ## format, lint, types, layers, shell programs, generated files
	@$(RUN) -m scripts.check

lab: $(READY) ## only the tests on real hosts (root on Debian)
	@$(RUN) -m scripts.run_tests lab

lab-chaos: $(READY) ## the long run of kills, cuts and faults (root on Debian)
	@COCKPIT_CHAOS=$${COCKPIT_CHAOS:-30} $(RUN) -m scripts.run_tests chaos

nix-real: $(READY) ## the shipped flake against the real nixpkgs, disko and sops-nix: COCKPIT_NIX_REAL=DIR has them
	@$(RUN) -m scripts.nix_real

bench: $(READY) ## what we claim about speed, measured; BENCH="same_commit --config ..." for those that need a host
	@$(RUN) -m bench $(BENCH)

secrets: $(READY) ## keys and secrets of your own in the place of the examples; ARGS="--force ..." for the options of `cockpit secrets new`
	@$(RUN) -m cockpit secrets new $(ARGS)

lock: ## resolve requirements/*.txt again from pyproject.toml; LOCK_ARGS=--upgrade for newer versions
	$(COMPILE) pyproject.toml -o requirements/run.txt
	$(COMPILE) --extra dev -c requirements/run.txt pyproject.toml -o requirements/dev.txt
	printf '%s\n' uv editables $$($(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])') \
	  | $(COMPILE) -c requirements/dev.txt - -o requirements/build.txt

format: $(READY) ## rewrite the Python files in the project's format
	@$(VENV)/bin/ruff check --quiet --fix-only . && $(VENV)/bin/ruff format .

docs: $(READY) ## write docs/reference from the code
	@$(RUN) -m scripts.generate

clean: ## remove what make made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache snapshot_report.html

$(READY): pyproject.toml requirements/dev.txt requirements/build.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "cockpit needs Python 3.11 or newer; this is %s (make PYTHON=...)" % sys.version.split()[0])'
	@test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	@if uv --version >/dev/null 2>&1; then uv=uv; else \
	  $(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt; uv=$(VENV)/bin/uv; fi; \
	set -e; export UV_PYTHON=$(RUN); \
	$$uv pip install --quiet --require-hashes -r requirements/build.txt -r requirements/dev.txt; \
	$$uv pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

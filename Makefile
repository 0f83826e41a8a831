# The two commands a stranger needs: `make demo` and `make test`. Everything else is for people who change the project.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
UV_VERSION := >=0.13,<0.14

.DEFAULT_GOAL := help
.PHONY: help install develop demo serve test check lock clean

help: ## show what there is to do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## make .venv with the tasuki command in it

develop: $(VENV)/.developed ## install, and what tests and checks need

demo: $(VENV)/.installed ## one idea runs the whole relay (ARGS=--no-serve to end with a summary)
	$(BIN)/tasuki demo $(ARGS)

serve: $(VENV)/.installed ## serve the web pages of the workspace in this folder
	$(BIN)/tasuki serve $(ARGS)

test: $(VENV)/.developed check ## format, lint, types, room contracts, then every test
	$(BIN)/python -m pytest -n auto --dist loadgroup $(ARGS)

check: $(VENV)/.developed ## format, lint, types and room contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

lock: ## pin the dependencies anew (hashes, no addresses)
	@test -x .uv/bin/uv || { $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet "uv$(UV_VERSION)"; }
	.uv/bin/uv lock --upgrade
	.uv/bin/uv export --quiet --format requirements.txt --no-header --no-annotate --extra postgres --extra obd --no-default-groups --group build --no-emit-project -o requirements/run.txt
	.uv/bin/uv export --quiet --format requirements.txt --no-header --no-annotate --all-extras --no-default-groups --group dev --no-emit-project -o requirements/dev.txt
	rm -f uv.lock

clean: ## remove what make made
	rm -rf $(VENV) .uv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tasuki needs Python 3.11 or newer; $(PYTHON) is older. Name one: make install PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# The lock is complete, so pip resolves nothing (--no-deps) and takes nothing whose hash is not known (--require-hashes).
$(VENV)/.installed: requirements/run.txt pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/run.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.developed: requirements/dev.txt $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/dev.txt
	@touch $@

# Needs Python 3.11 or newer as `python3`, or as `make PYTHON=…`; everything else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# As pip does for what it copies: without bytecode, each command would compile our modules anew.
COMPILE = $(BIN)/python -m compileall -q benchspec plugins

.PHONY: quickstart test fast lint format clean

quickstart: $(VENV)/.train  ## install what runs need, then run a benchmark that downloads nothing
	$(BIN)/benchspec run specs/quickstart.yaml

test: $(VENV)/.dev lint  ## everything that a change must pass
	$(BIN)/python -m pytest -n 2 -m "not slow"
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "slow and not alone"
	$(BIN)/python -m pytest -m alone

fast: $(VENV)/.dev lint  ## the same without the tests that train or install packages
	$(BIN)/python -m pytest -n 2 -m "not slow"

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) build dist

$(VENV)/.train: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing torch, transformers and what else runs need: a few minutes"
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[train,figures]'
	$(COMPILE)
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]' --editable plugins/benchspec-trl
	$(COMPILE)
	touch $@

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "benchspec needs Python 3.11 or newer; try make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

# `make run` and `make test` need Python 3.11 or newer and make; all else goes into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help run demo test slow check bench torture clean wheel

help:
	@echo "make run     install into $(VENV), keep an index of \$$CODEX_HOME (or ~/.codex)"
	@echo "make demo    the same on sessions that are played, for a minute"
	@echo "make test    install into $(VENV), run every test; make slow runs the long ones"
	@echo "make check   ruff, formatting, types"
	@echo "make bench   speed and cost, beside the real Codex; make bench BENCH=--help for its options"
	@echo "make torture kills, full disks, broken bytes, for MINUTES=5 (SEED= repeats a run)"
	@echo "make wheel   build what is installed elsewhere, into dist/"
	@echo "make clean   remove what these made"

$(READY): pyproject.toml .ci/constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --constraint .ci/constraints.txt --group dev --editable .
	touch $@

run: $(READY)
	$(BIN)/rolloutd run

demo: $(READY)
	$(BIN)/python -m tests.demo

test: $(READY)
	$(BIN)/python -m pytest -m "not slow and not alone" --numprocesses 2 --dist loadgroup
	$(BIN)/python -m pytest -m "not slow and alone"

slow: $(READY)
	$(BIN)/python -m pytest -m slow

check: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layout.py

bench: $(READY)
	$(BIN)/python -m tests.bench $(BENCH)

MINUTES ?= 5
torture: $(READY)
	$(BIN)/python -m tests.torture --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) $(TORTURE)

wheel: $(READY)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

clean:
	rm -rf $(VENV) dist build .hypothesis .mypy_cache .ruff_cache .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

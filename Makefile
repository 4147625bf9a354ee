# Two commands do all the set-up: `make quickstart` and `make test`.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test check format

quickstart: .venv/ready  ## train the embedded study and name its report
	$(BIN)/bakeoff run quickstart

test: check  ## every check

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto

format: .venv/ready  ## rewrite the code as `make check` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

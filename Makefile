# Two commands do all the set-up: `make quickstart` and `make test`.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: quickstart test check format proof

quickstart: .venv/ready  ## train the embedded study and name its report
	$(BIN)/bakeoff run quickstart

test: check  ## every check

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n auto

proof: .venv/ready  ## the wheel alone, kills, failing disks, hostile files, simulated studies: hours, alone on the machine
	$(BIN)/python bench/wheel.py
	$(BIN)/python bench/torture.py --kills 200
	$(BIN)/python bench/faults.py
	$(BIN)/python bench/fuzz.py --executions 200000 --out results/bench/fuzz.json
	$(BIN)/python bench/simulate_verdicts.py --out results/bench/verdicts-simulation.json --docs docs/statistics.md

format: .venv/ready  ## rewrite the code as `make check` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

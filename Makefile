# Every target builds the environment first, once; later runs start at once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Where pip should look for PyTorch besides its default; PyTorch's install page names the index of
# the CPU build, which is smaller and enough where there is no NVIDIA GPU.
TORCH_INDEX ?=

# Each prints a table and writes benchmarks/results/NAME.json.
BENCHMARKS := engine_cpu exact generator graph latency sudoku

.DEFAULT_GOAL := help
.PHONY: help install demo serve test lint format protos picture bench clean

help: ## Say what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(STAMP) ## Build .venv with everything that the project needs

$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; set PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: Python 3.11 or newer is needed, $$($(PYTHON) --version) found; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); the first time takes some minutes"
	@$(PIP) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch -c constraints.txt
	@$(PIP) --editable '.[dev]' -c constraints.txt
	@touch $@

demo: install ## Serve the bundled checkpoints and solve two Sudokus over gRPC
	@$(BIN)/inkfill demo

serve: install ## Serve the bundled checkpoints on 127.0.0.1:50051
	@$(BIN)/inkfill serve

test: install ## Run every test; needs no GPU
	@$(BIN)/python -m pytest

lint: install ## Check style, types and import directions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: install ## Rewrite the sources in the project's style
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

protos: install ## Generate the gRPC stubs from the protos
	@$(BIN)/python protos/generate.py

picture: install ## Draw docs/denoising.svg from a real run
	@$(BIN)/python docs/draw_denoising.py

bench: install ## Run every benchmark of the CPU on this machine
	@set -e; for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name; done

clean: ## Remove the environment, caches and compiled kernels
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	rm -rf "$${XDG_CACHE_HOME:-$$HOME/.cache}"/inkfill/kernels-*

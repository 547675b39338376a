# `make` lists its words. Each does its own set-up: Python 3.11 or newer and pip are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo run test check bench schema dashboards manifests lock clean

help: ## list these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/ready ## watch a failover happen: no keys, no network (ONCE=1 ends after the story)
	@$(BIN)/sidecar demo $(if $(ONCE),--once)

run: $(VENV)/ready ## serve on 127.0.0.1:8787, providers from the environment (GEMINI_API_KEY, HF_TOKEN, ...)
	@$(BIN)/sidecar serve $(if $(CONFIG),--config $(CONFIG))

test: $(VENV)/ready-test ## every test, real sockets and the real openai client included
	@$(BIN)/python -m pytest

check: $(VENV)/ready-test ## ruff, mypy --strict, the architecture test, the style limits
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/test_architecture.py tests/test_style.py

bench: $(VENV)/ready ## latency, throughput, CPU and memory beside direct access and a naive proxy
	@$(BIN)/python bench/run.py

schema: $(VENV)/ready ## write config/schema.json anew
	@$(BIN)/sidecar schema > config/schema.json

dashboards: $(VENV)/ready ## write the dashboards and the PrometheusRule in deploy/ anew
	@$(BIN)/python -m deploy.grafana.build

manifests: $(VENV)/ready-test ## render deploy/k8s anew for its tests; needs kubectl
	@$(BIN)/python -m tests.kubernetes.shipped

lock: ## resolve the locked versions anew from pyproject.toml
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/python -m pip install --quiet uv
	@printf 'hatchling\neditables\n' > $(VENV)-lock/build.in
	@$(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --extra redis \
		pyproject.toml $(VENV)-lock/build.in -o requirements.lock
	@$(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --extra test -c requirements.lock \
		pyproject.toml $(VENV)-lock/build.in -o requirements-test.lock
	@$(VENV)-lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header --extra redis --extra otel --extra kubernetes \
		-c requirements-test.lock pyproject.toml -o requirements-image.lock
	@rm -rf $(VENV)-lock

clean: ## remove everything that the words above made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/bin bench/results bench/venvs

# Debian's python3 may come without ensurepip, so the environment is made without pip and filled from outside.
$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Without Prometheus the tests that need it fail and say so; all others run.
$(VENV)/ready-test: requirements-test.lock tests/monitoring/bring_prometheus.sh tests/chromium.sh $(VENV)/ready
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --require-hashes -r requirements-test.lock
	-@tests/monitoring/bring_prometheus.sh
	-@sh tests/chromium.sh
	@touch $@

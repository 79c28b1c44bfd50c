# Everything works on a machine that has only Python 3.11 or newer with venv, and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help install demo test check bench lock

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## make the virtual environment from the locked requirements

$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	# The lock is complete, so nothing is resolved here: what it names is what is installed.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check --disable-pip-version-check >/dev/null || $(BIN)/python -m pip check
	@touch $@

demo: install ## replay a year of flights: the whole story in minutes
	$(BIN)/leeway demo $(ARGS)

test: install ## run all tests, with real servers
	sh tests/stack/install.sh
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile $(ARGS)

check: install ## lint, formatting, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: install ## print the benchmark tables
	$(BIN)/python benchmarks/kernels.py
	$(BIN)/python benchmarks/checks.py $(ARGS)
	$(BIN)/python benchmarks/ingest.py
	$(BIN)/python benchmarks/ingest.py --minutes 5
	$(BIN)/python benchmarks/log.py
	$(BIN)/python benchmarks/metrics.py
	$(BIN)/python benchmarks/trust.py
	$(BIN)/python benchmarks/estimates.py
	$(BIN)/python benchmarks/concept.py
	$(BIN)/python benchmarks/multivariate.py
	$(BIN)/python benchmarks/window.py
	$(BIN)/python benchmarks/probation.py
	$(BIN)/python benchmarks/serving.py
	$(BIN)/python benchmarks/falls.py
	$(BIN)/python benchmarks/fading.py
	$(BIN)/python benchmarks/gate.py
	$(BIN)/python benchmarks/incidents.py
	$(BIN)/python benchmarks/replays.py
	$(BIN)/python benchmarks/demo.py
	# It takes an hour and a half, and has no other data than these tables.
	test ! -d ../shared/data || $(BIN)/python benchmarks/loop.py ../shared/data

lock: install ## resolve the requirements anew from pyproject.toml
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--extra demo --extra dev -o requirements.txt pyproject.toml
	# The image has no tools, and the same versions.
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras \
		--no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--extra demo --extra postgres --build-deps-for wheel \
		-c requirements.txt -o requirements-image.txt pyproject.toml

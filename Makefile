# Every target needs only python3 >= 3.11 and make: uv lives inside .venv, nothing is installed globally.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMP := $(VENV)/.synced
ARGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Rollstream needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9

$(STAMP): $(UV) pyproject.toml uv.lock
	VIRTUAL_ENV="$$(cd $(VENV) && pwd)" $(UV) sync --quiet --frozen --active --inexact --extra embedded --compile-bytecode
	@$(BIN)/python -m compileall -q cli client matching services shared
	@touch $@

.PHONY: setup
setup: $(STAMP) ## make .venv with everything that uv.lock pins

.PHONY: demo
demo: $(STAMP) ## run the whole system on embedded engines; ARGS="--events 5000 --exit --json out.json"
	$(BIN)/rollstream demo $(ARGS)

.PHONY: test
test: $(STAMP) ## unit and integration tests on embedded engines
	$(BIN)/python -m pytest -m "not engines and not browser" -n auto --maxprocesses 4 --dist loadfile $(ARGS)

.PHONY: test-engines
test-engines: $(STAMP) ## the same and more on Apache Kafka 4 and a built store (needs java, mvn, cargo, cmake)
	$(BIN)/python -m tests.kit.engines --fetch
	ROLLSTREAM_TEST_ENGINES=real $(BIN)/python -m pytest -m "not browser" -n auto --maxprocesses 2 --dist loadfile $(ARGS)

.PHONY: test-browser
test-browser: $(STAMP) ## the console as people see it, in chromium (needs Debian's package of it)
	VIRTUAL_ENV="$$(cd $(VENV) && pwd)" $(UV) sync --quiet --frozen --active --inexact --extra embedded --group browser
	$(BIN)/python -m pytest -m browser $(ARGS)

SEEDS ?= 1
CELLS ?=
CELL ?=
SEED ?=
.PHONY: bench-matching
bench-matching: $(STAMP) ## the matching on public data sets; ARGS="--data FOLDER --only febrl3"
	VIRTUAL_ENV="$$(cd $(VENV) && pwd)" $(UV) sync --quiet --frozen --active --inexact --extra embedded --group bench
	$(BIN)/python -m tests.bench.linkage $(ARGS)

.PHONY: faults
faults: $(STAMP) ## break services, brokers, store and network under load, then check everything; SEEDS=n CELLS=a,b CELL=a SEED=n
	$(BIN)/python -m tests.matrix --seeds $(SEEDS) --cells "$(or $(CELL),$(CELLS))" $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: mutants
mutants: $(STAMP) ## take each guard out of a copy of the code; its tests must notice
	$(BIN)/python -m tools.mutants $(ARGS)

SECONDS ?= 10
.PHONY: fuzz
fuzz: $(STAMP) ## feed every parser of foreign bytes what a coverage-guided fuzzer makes up; SECONDS=n for each
	VIRTUAL_ENV="$$(cd $(VENV) && pwd)" $(UV) sync --quiet --frozen --active --inexact --extra embedded --group fuzz
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(ARGS)

.PHONY: check
check: $(STAMP) ## format, lint, strict types, generated contracts up to date
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tools.documents.generate --check

.PHONY: format
format: $(STAMP) ## format and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: contracts
contracts: $(STAMP) ## write docs/contracts anew from the code
	$(BIN)/python -m tools.documents.generate

.PHONY: lock
lock: $(UV) ## resolve the dependencies anew
	$(UV) lock

# Two commands do everything on a fresh machine: `make demo` and `make test`. Alone, `make` prints them all.
PYTHON ?= python3.11
ifeq ($(shell command -v $(PYTHON) 2>/dev/null),)
PYTHON := python3
endif
BIN := .venv/bin
STAMP := .venv/.installed
ARGS ?=

# An installed package has its bytecode; a checkout has not, where the environment forbids to write it. That of the tests is
# written by whoever reads them first: half of what the start of each worker costs.
export PYTHONDONTWRITEBYTECODE :=
BYTECODE := $(BIN)/python -m compileall -q sftp_gateway

.PHONY: help setup check test test-all demo run bench clients lock clean

help: ## print the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(STAMP) ## make .venv with the locked dependencies

$(STAMP): requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

# The one client that comes from npm; without npm its tests are skipped by name.
NODE_CLIENT := tests/clients/node_modules/.installed
$(NODE_CLIENT):
	mkdir -p $(@D)
	if command -v npm >/dev/null; then npm install --silent --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
	  --omit=optional --prefix tests/clients ssh2-sftp-client@12.1.1 && touch $@; fi

check: $(STAMP) ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Three for two cores: a quarter of the tests' time they wait, for disks, timers and processes of their own.
test: $(STAMP) $(NODE_CLIENT) ## the tests (at most 10 minutes on two cores)
	$(BYTECODE)
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not full and not bench" $(ARGS)

test-all: $(STAMP) $(NODE_CLIENT) ## everything: full client matrix, fuzz, faults, browser (at most 60 minutes), writes docs/test-results.md
	$(BYTECODE)
	mkdir -p .cache
	$(BIN)/python -m pytest -n 2 --maxschedchunk 1 -m "not bench" --timeout 1800 --junitxml .cache/test-all.xml $(ARGS); \
	  ended=$$?; $(BIN)/python -m tests.bench.results .cache/test-all.xml; exit $$ended

demo: $(STAMP) ## the main job end to end on loopback; ARGS=--once ends by itself
	@$(BYTECODE)
	@$(BIN)/sftp-gateway demo $(ARGS)

run: $(STAMP) ## the daemon, with SFTP_GATEWAY_CONFIG or /etc/sftp-gateway/gateway.toml
	$(BIN)/sftp-gateway run $(ARGS)

PEERS := .cache/peers
$(PEERS)/.installed: tests/bench/peers.txt tests/bench/peers_pandas.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/bench/peers.txt
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --target $(PEERS)/pandas -r tests/bench/peers_pandas.txt
	touch $@

# The peer of the front door; it is started by the benchmark alone.
SSHD := /usr/sbin/sshd
$(SSHD):
	apt-get -qq update && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends openssh-server

bench: $(STAMP) $(PEERS)/.installed $(SSHD) ## measure beside peers, write docs/benchmarks.md
	$(BYTECODE)
	$(BIN)/python -m tests.bench $(ARGS)

clients: $(STAMP) $(NODE_CLIENT) ## run the client matrix, write docs/clients.md
	SFTP_GATEWAY_CLIENTS_PAGE=docs/clients.md $(BIN)/python -m pytest -q -n 0 tests/e2e/test_clients.py -m cell

lock: $(STAMP) ## renew requirements.lock from pyproject.toml
	$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --python-version 3.11 --all-extras --upgrade pyproject.toml -o requirements.lock

clean: ## remove what the commands above made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .cache dist

# The two commands a newcomer needs are `make demo` and `make test`. Both set up what they need.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo test test-deep bench-sales bench-gas gas-snapshot slither lint fmt types check setup lock contracts messages vendor clean faults bench-mint bench-index bench-outage bench-patroni
help: ## say what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: .venv/.ready node_modules/.ready ## install what the project needs, into .venv and node_modules

.venv/.ready: requirements/bootstrap.txt requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

# node comes from the system when it is there and young enough, else from PyPI. `npm install` rather than `npm ci`:
# the lock pins by hash what it holds, and holds anvil's binary for linux-x64 only; elsewhere the version is pinned.
node_modules/.ready: package.json package-lock.json .venv/.ready
	@bash tools/ensure-node.sh
	@npm install --no-save --silent --ignore-scripts
	@ls node_modules/@foundry-rs/anvil-*/bin/anvil* >/dev/null || { echo "npm did not install anvil for this platform" >&2; exit 1; }
	@touch $@

demo: setup ## the whole story in the terminal; EXIT=1 ends after it
	@$(BIN)/python -m examples.demo $(if $(EXIT),--exit,)

test: setup .venv-slither/.ready .venv-patroni/.ready check ## lint, types and every test that fits in 15 minutes
	@bash tools/ensure-chromium.sh
	@$(BIN)/python -m pytest -q -n 3 --dist worksteal

test-deep: setup ## what takes longer
	@$(BIN)/python -m pytest -q -m deep

faults: setup ## break everything on purpose (as root: one row mounts a disk to fill); a table at the end and in docs/faults.md
	@bash tools/ensure-faketime.sh
	@$(BIN)/python -m pytest -q -m faults tests/faults -n 3 --dist worksteal --faults-page docs/faults.md

bench-sales: setup ## measure selling over HTTP; QUICK=1 takes a minute
	@$(BIN)/python -m tests.benchmarks.sales $(if $(QUICK),--quick,)

bench-mint: setup ## measure 100,000 paid tickets from their rows to the index
	@$(BIN)/python -m tests.benchmarks.minting

check: lint types

lint: setup
	@$(BIN)/ruff check --quiet . && $(BIN)/ruff format --check --quiet .

fmt: setup ## format, and mend what lint can mend
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format --quiet .

types: setup
	@$(BIN)/mypy --no-error-summary

lock: ## make the lock anew; run on purpose only
	@bash tools/lock.sh

messages: setup ## bring the message catalogues and the pages' words up to date
	@$(BIN)/python -m tools.messages backend contracts verifier wallet; $(BIN)/python -m tools.page_messages

vendor: setup ## copy the browser modules named in vendor.json out of npm's packages, with checksums
	@$(BIN)/python -m tools.vendor

contracts: setup ## compile the contracts and write the artifacts
	@$(BIN)/python -m contracts.build

gas-snapshot: setup ## measure the gas of every external function and write tests/contracts/gas.snapshot
	@WRITE_GAS_SNAPSHOT=1 $(BIN)/python -m pytest -q tests/contracts/test_gas_snapshot.py

bench-index: setup ## measure the index read again from the chain, beside the node's raw rate
	@$(BIN)/python -m tests.benchmarks.indexing

bench-outage: setup ## the same sale with the node healthy, killed, hanging and absent; QUICK=1 takes a minute
	@$(BIN)/python -m tests.benchmarks.outage $(if $(QUICK),--quick,)

bench-patroni: setup .venv-patroni/.ready ## kill the leader of a real Patroni cluster under load, KILLS=5 times
	@bash tools/ensure-etcd.sh
	@$(BIN)/python -m tests.benchmarks.patroni $(if $(KILLS),--kills $(KILLS),)

bench-gas: setup ## gas beside OpenZeppelin, ERC721A and Solady; WRITE=1 writes docs/gas.md
	@$(BIN)/python -m tests.benchmarks.gas $(if $(WRITE),--write,)

slither: setup .venv-slither/.ready ## slither on the contracts; docs/decisions explains what it finds
	@$(BIN)/python -m pytest -q tests/contracts/test_slither.py

.venv-slither/.ready: requirements/slither.txt .venv/.ready
	@test -x .venv-slither/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python .venv-slither
	@$(BIN)/uv pip install --quiet --python .venv-slither/bin/python --require-hashes -r requirements/slither.txt
	@touch $@

# Patroni runs as PostgreSQL's user, who may not be able to read our interpreter's folder: the system's comes first.
.venv-patroni/.ready: requirements/patroni.txt .venv/.ready
	@test -x .venv-patroni/bin/python || $(BIN)/uv venv --quiet --python $(firstword $(wildcard /usr/bin/python3) $(BIN)/python) .venv-patroni
	@$(BIN)/uv pip install --quiet --python .venv-patroni/bin/python --require-hashes -r requirements/patroni.txt
	@touch $@

clean: ## remove what was made
	@rm -rf .venv .venv-slither .venv-patroni node_modules build dist demo-data .mypy_cache .ruff_cache .pytest_cache .hypothesis

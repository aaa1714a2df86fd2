"""The modules that we ship for browsers are the ones npm's lock pins, unaltered, with their licences."""

import hashlib
import json
from pathlib import Path
from typing import Any

TOP = Path(__file__).parents[3]
MANIFEST: dict[str, dict[str, Any]] = json.loads((TOP / "vendor.json").read_text())
VENDOR_FOLDERS = [
    folder for room in ("backend/web/static", "credential/web", "verifier/web", "wallet/web")
    if (folder := TOP / room / "vendor").is_dir()
]  # fmt: skip


def test_every_vendored_file_has_the_checksum_of_the_manifest() -> None:
    for package in MANIFEST.values():
        for entry in package["files"].values():
            assert hashlib.sha256((TOP / entry["to"]).read_bytes()).hexdigest() == entry["sha256"], entry["to"]


def test_no_file_lies_beside_the_manifest() -> None:
    named = {entry["to"] for package in MANIFEST.values() for entry in package["files"].values()}
    found = {
        file.relative_to(TOP).as_posix() for folder in VENDOR_FOLDERS for file in folder.rglob("*") if file.is_file()
    }
    assert found == named


def test_vendored_files_are_those_of_the_locked_packages() -> None:
    locked = json.loads((TOP / "package-lock.json").read_text())["packages"]
    for name, package in MANIFEST.items():
        assert locked[f"node_modules/{name}"]["version"] == package["version"]
        assert locked[f"node_modules/{name}"]["integrity"].startswith("sha512-")
        for file, entry in package["files"].items():
            content = (TOP / "node_modules" / name / file).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entry["sha256"], (name, file)


def test_every_package_comes_with_its_licence() -> None:
    for name, package in MANIFEST.items():
        assert package["licence"], name
        assert any(Path(file).stem.upper() == "LICENSE" for file in package["files"]), name

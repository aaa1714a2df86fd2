"""The artifacts are what the sources and the pinned compiler make, and travel in the wheel."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts import UnknownArtifactError, build, load_artifact

ROOT = Path(__file__).resolve().parents[2]
CODE_LIMIT = 24_000  # bytes; EIP-170 allows 24,576

CONTRACTS = sorted(path.stem for path in build.SOURCES.glob("*.sol"))


def test_compiling_again_gives_the_committed_artifacts_byte_for_byte() -> None:
    compiled = build.build()
    assert sorted(compiled) == CONTRACTS == sorted(path.stem for path in build.ARTIFACTS.glob("*.json"))
    for name, artifact in compiled.items():
        assert (build.ARTIFACTS / f"{name}.json").read_text() == build.render(artifact), f"{name}: run make contracts"


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_contract_leaves_room_below_the_code_limit(name: str) -> None:
    assert len(bytes.fromhex(load_artifact(name).deployed_bytecode[2:])) <= CODE_LIMIT


def test_a_name_that_does_not_exist_is_answered_with_those_that_do() -> None:
    with pytest.raises(UnknownArtifactError, match=r"no contract 'EventTicket'.*EventFactory, EventTickets"):
        load_artifact("EventTicket")


def test_the_wheel_carries_abi_and_bytecode(tmp_path: Path) -> None:
    environment = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    wheel = next(tmp_path.glob("*.whl"))
    subprocess.run([sys.executable, "-m", "zipfile", "-e", str(wheel), str(environment)], check=True)
    program = (
        "import json, contracts; found = contracts.load_artifact('EventTickets');"
        "print(json.dumps([contracts.__file__, found.abi, found.bytecode]))"
    )
    # -I and a path of its own: only the unpacked wheel can be the one that is imported.
    answer = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(environment)!r}); {program}"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    file, abi, bytecode = json.loads(answer.stdout)
    assert file.startswith(str(environment))
    assert (abi, bytecode) == (load_artifact("EventTickets").abi, load_artifact("EventTickets").bytecode)

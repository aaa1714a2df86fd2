"""Every step of a runbook is a command that exists, and every fault has its runbook."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
import yaml  # type: ignore[import-untyped]

import backend.cli
from tests.faults.test_short_forms import fault_rows

TOP = Path(__file__).parent.parent
RUNBOOKS = TOP / "docs" / "runbooks"
PAGES = sorted([*RUNBOOKS.glob("*.md"), *(TOP / "docs" / "operating").glob("*.md")])
UNITS = sorted((TOP / "docs" / "operating" / "systemd").glob("*.service"))
RUNBOOK_OF = {  # by the row of the fault table
    "database: SIGKILL under load": "database-down",
    "database: restarted under load": "database-down",
    "database: failover to the synchronous standby": "database-failover",
    "database: ten failovers under load (till alone, six buyers)": "database-failover",
    "database: connections cut under load": "connections-cut",
    "database: synchronous standby stalled (SIGSTOP)": "standby-stalled",
    "database: primary hanging (SIGSTOP)": "database-hanging",
    "database: takes nothing in (read-only)": "database-read-only",
    "database: older backup restored": "older-backup-restored",
    "ours: SIGKILL at every step boundary": "process-killed",
    "ours: SIGKILL at every step of backups and drills": "backup-old",
    "node: killed": "node-killed",
    "node: hanging (SIGSTOP)": "node-hanging",
    "node: 1 byte/s": "node-drips",
    "node: HTTP 500": "node-bad-answers",
    "node: HTTP 429": "node-bad-answers",
    "node: junk bodies": "node-bad-answers",
    "node: answer lost after acceptance": "answer-lost",
    "node: wrong chain id": "wrong-chain",
    "node: wiped": "node-wiped",
    "node: redeployed at the same address": "redeployed",
    "node: another chain with our contracts at the same addresses": "redeployed",
    "node: reorganisation within finality": "reorganised",
    "node: reorganisation beyond finality": "reorganised-deep",
    "node: rolled back to an older state": "rolled-back",
    "node: behind its head": "node-behind",
    "transaction: dropped": "transaction-dropped",
    "transaction: nonce gap": "nonce-gap",
    "transaction: nonce too low": "nonce-too-low",
    "transaction: underpriced": "underpriced",
    "transaction: dropped as often as it is sent": "transaction-dropped",
    "transaction: nonce gap that stays": "nonce-gap",
    "transaction: underpriced until the market falls": "underpriced",
    "transaction: mempool stuck": "mempool-stuck",
    "transaction: account without funds": "account-unfunded",
    "node: two endpoints that disagree": "endpoints-disagree",
    "node: hanging until a backlog takes half a minute to drain": "node-hanging",
    "ours: two relayers, the lease holder stopped and woken": "two-relayers",
    "ours: worker stopped in the middle of a write, and woken": "process-stopped",
    "ours: signer dead": "signer-dead",
    "ours: disk full (warned of before)": "disk-full",
    "ours: clock an hour ahead, then an hour behind": "clock-jumped",
}


@pytest.fixture(scope="module")
def program() -> Any:
    """The whole command line."""
    app = typer.Typer()
    for name in backend.cli.COMMANDS:
        module = __import__(f"backend.cli.{name}", fromlist=[name])
        app.command(name)(getattr(module, name))
    for name, place in backend.cli.GROUPS.items():
        app.add_typer(__import__(f"backend.cli.{place}", fromlist=["app"]).app, name=name)
    return typer.main.get_command(app)


def commands_in(text: str) -> list[str]:
    """What stands in `code` or in a fence and begins with our program's name."""
    fenced = re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [line.partition("  #")[0] for block in fenced for line in block.splitlines()]
    inline = re.findall(r"`(truestub [^`]+)`", text)
    return [line.strip() for line in (*lines, *inline) if line.strip().startswith("truestub ")]


def misuse(program: Any, command: str) -> str | None:
    """Why this is no command of ours; none if it is."""
    words = shlex.split(command)[1:]
    place = program
    while hasattr(place, "commands") and words and words[0] in place.commands:
        place = place.commands[words.pop(0)]
    if hasattr(place, "commands") and ((words and not words[0].startswith("-")) or not place.invoke_without_command):
        return f"{command}: no such command"
    known = {name: option for option in place.params for name in option.opts}
    plain = 0
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            plain += 1
        elif word not in known:
            return f"{command}: no option {word}"
        elif not known[word].is_flag and not words:
            return f"{command}: {word} needs a value"
        elif not known[word].is_flag:
            words.pop(0)
    arguments = [one for one in place.params if one.param_type_name == "argument"]
    return f"{command}: too many words" if plain > len(arguments) else None


def test_every_fault_has_its_runbook_and_the_contents_name_all() -> None:
    there = {path.stem for path in RUNBOOKS.glob("*.md")} - {"README"}
    assert {row["row"] for row in fault_rows()} == set(RUNBOOK_OF)
    assert set(RUNBOOK_OF.values()) <= there
    contents = (RUNBOOKS / "README.md").read_text()
    assert set(re.findall(r"\(([\w-]+)\.md\)", contents)) == there


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_command_in_it_exists(program: Any, page: Path) -> None:
    text = page.read_text()
    found = commands_in(text)
    assert [wrong for wrong in (misuse(program, command) for command in found) if wrong] == []
    if page.parent == RUNBOOKS and page.stem != "README":
        assert found, "a runbook without a command helps nobody"
        assert "**What to do.**\n1. " in text


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_what_a_timer_starts_is_a_command_that_exists(program: Any, unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=/usr/bin/env (truestub .*)$", unit.read_text(), re.MULTILINE)
    assert misuse(program, line) is None
    assert "OnCalendar=" in unit.with_suffix(".timer").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_page_it_links_to_exists(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_alert_names_a_runbook() -> None:
    rules = yaml.safe_load((TOP / "docs" / "operating" / "alerts.yml").read_text())
    for rule in (rule for group in rules["groups"] for rule in group["rules"]):
        assert (TOP / rule["annotations"]["runbook"]).exists(), rule


@pytest.mark.parametrize(
    "wrong", ["truestub nodes start", "truestub node stop", "truestub check --chains", "truestub up now"]
)
def test_a_planted_mistake_is_found(program: Any, wrong: str) -> None:
    assert misuse(program, wrong)

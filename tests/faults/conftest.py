"""Rows of the fault table: each test says which row it is, and what it saw; the table is written at the end."""

import platform as machine
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.arena import Arena, Seen

_ROWS: dict[str, tuple[Seen, str, str, str]] = {}  # node id -> what was seen, row, database, short form
_FAILED: set[str] = set()
_LIVE: dict[str, Arena] = {}  # one at a time: two would fight for the cores
_TIMES = ("shown after", "subscriber told after", "estimate, took", "sold again after", "closed after")
DATABASES = ("sqlite", "postgresql")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults-page", default="", help="where to write the table of `make faults`")
    parser.addoption("--kill-rounds", default=20, type=int, help="SIGKILLs at each step boundary")


@pytest.fixture(scope="session")
def live() -> Iterator[dict[str, Arena]]:
    yield _LIVE
    while _LIVE:
        _LIVE.popitem()[1].close()


@pytest.fixture(params=DATABASES)
def arena(request: pytest.FixtureRequest, live: dict[str, Arena], tmp_path_factory: pytest.TempPathFactory) -> Arena:
    """A whole platform of real processes, with a proxy that can misbehave between its worker and its node."""
    database = request.param
    if database not in live:
        while live:
            live.popitem()[1].close()
        made = Arena(tmp_path_factory.mktemp("faults"), database)
        live[database] = made
        made.start()
    return live[database]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All rows on one database, then all on the other."""
    faults = [one for one in items if one.get_closest_marker("faults")]
    if len(faults) == len(items):
        items.sort(key=lambda one: DATABASES.index(_database(one)) if _database(one) else -1)


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Seen:
    """What the row's test saw, for the table."""
    mark = request.node.get_closest_marker("faults")
    assert mark is not None
    made = Seen()
    database = _database(request.node) or "postgresql"
    _ROWS[request.node.nodeid] = (made, mark.kwargs["row"], database, mark.kwargs.get("short", ""))
    return made


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _FAILED.add(report.nodeid)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not _ROWS:
        return
    lines = [
        f"| fault | database | promises kept | sold meanwhile | incident | {' | '.join(_TIMES)} |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for node_id, (saw, row, database, _short) in _ROWS.items():
        kept = "**no**" if node_id in _FAILED or not saw.checked else "yes"
        estimate = f"{saw.eta}, {_seconds(saw.took_s)}" if saw.eta else ""
        times = (_seconds(saw.opened_s), _seconds(saw.told_s), estimate, _seconds(saw.back_s), _seconds(saw.closed_s))
        lines.append("| " + " | ".join((row, database, kept, str(saw.sold), saw.incident, *times)) + " |")
    for line in lines:
        terminalreporter.write_line(line)
    page = config.getoption("--faults-page")
    if page:
        shorts = {row: short for _saw, row, _database, short in _ROWS.values() if short}
        short_lines = ["| fault | short form in `make test` |", "| --- | --- |"]
        short_lines += [f"| {row} | `{short}` |" for row, short in shorts.items()]
        Path(page).write_text(_page(lines, short_lines))


def _database(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    return str(call.params.get("arena", "")) if call else ""


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _page(table: list[str], shorts: list[str]) -> str:
    words = f"""# What was broken on purpose

Written by `make faults` on {machine.system()} {machine.machine()}, Python {machine.python_version()}. Each row is a
test in `tests/faults` with real processes: node, web server, signer and worker, on SQLite or on PostgreSQL with a
synchronous standby; a proxy between worker and node misbehaves where the row says so. While the fault lasts, tickets
are sold over HTTP and one is given back; where the database is what is broken, three buyers go on trying. Afterwards,
from outside: one token for each ticket ever paid and no other, acknowledged ⊆ stored, sold ≤ capacity, money = tickets
+ refunds by our rows and by the bank's own book, what was given back revoked, index = chain, and every incident closed.
"Shown" is the public status. A fault that lasts less than two seconds opens no incident. "Estimate, took" is what the
status promised when the node took tickets again, and how long it then took.

"""
    return words + "\n".join(table) + "\n\nThe short form of each row:\n\n" + "\n".join(shorts) + "\n"

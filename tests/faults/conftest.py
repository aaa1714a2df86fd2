"""Rows of the fault table: each test says which row it is, and what it saw; the table is written at the end.

`make faults` runs rows side by side in several processes (pytest-xdist), each with a platform of its own. So what was
seen travels with each test's report, and the process that gathers them writes the table.
"""

import platform as machine
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.arena import Arena, Seen

_ROWS: dict[str, dict[str, Any]] = {}  # node id -> row, database, short form, and what was seen
_FAILED: set[str] = set()
_LIVE: dict[str, Arena] = {}  # one at a time and process
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
    """All rows on one database, then all on the other: processes that share them seldom begin anew."""
    items.sort(key=lambda one: DATABASES.index(_database(one)) if one.get_closest_marker("faults") else -1)
    for place, item in enumerate(items):
        mark = item.get_closest_marker("faults")
        if mark is None:
            continue
        item.user_properties.append(("fault", {**mark.kwargs, "database": _database(item), "place": place}))


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Seen:
    """What the row's test saw, for the table."""
    made = Seen()
    request.node.user_properties.append(("fault", vars(made)))
    return made


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _FAILED.add(report.nodeid)
    if report.when == "call" or report.failed:
        told = [value for name, value in report.user_properties if name == "fault"]
        if not told:
            return  # a test that is no row, as those that `make test` runs
        known = _ROWS.setdefault(report.nodeid, vars(Seen()).copy())
        for one in told:
            known.update(one)  # type: ignore[call-overload]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not _ROWS:
        return
    lines = [
        f"| fault | database | promises kept | sold meanwhile | incident | {' | '.join(_TIMES)} |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for node_id, row in sorted(_ROWS.items(), key=lambda one: one[1]["place"]):
        kept = "**no**" if node_id in _FAILED or not row["checked"] else "yes"
        estimate = f"{row['eta']}, {_seconds(row['took_s'])}" if row["eta"] else ""
        opened, told, back, closed = (_seconds(row[name]) for name in ("opened_s", "told_s", "back_s", "closed_s"))
        cells = (row["row"], row["database"], kept, str(row["sold"]), row["incident"])
        lines.append("| " + " | ".join((*cells, opened, told, estimate, back, closed)) + " |")
    for line in lines:
        terminalreporter.write_line(line)
    page = config.getoption("--faults-page")
    if page:
        shorts = {row["row"]: row["short"] for row in sorted(_ROWS.values(), key=lambda one: one["place"])}
        short_lines = ["| fault | short form in `make test` |", "| --- | --- |"]
        short_lines += [f"| {row} | `{short}` |" for row, short in shorts.items()]
        Path(page).write_text(_page(lines, short_lines))


def _database(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    return str(call.params["arena"]) if call else "postgresql"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


def _page(table: list[str], shorts: list[str]) -> str:
    words = f"""# What was broken on purpose

Written by `make faults` on {machine.system()} {machine.machine()}, Python {machine.python_version()}. Each row is a
test in `tests/faults` with real processes: node, web server, signer and worker, on SQLite or on PostgreSQL with a
synchronous standby; a proxy between worker and node misbehaves where the row says so. While the fault lasts, tickets
are sold over HTTP, one is given back and one given away; where the database is what is broken, three buyers go on
trying. Afterwards, from outside: one token for each ticket ever paid and no other, acknowledged ⊆ stored, sold ≤
capacity, money = tickets + refunds by our rows and by the bank's own book, what was given back revoked, what was given
away with whom it was given to, index = chain, and every incident closed.
"Shown" is the public status, looked at ten times a second from the fault on: at most 10 s, and 60 s until a subscriber
is told, or the row fails; and so it does if an incident's report says that something was lost. A fault that lasts less
than two seconds opens no incident. "Estimate, took" is what the
status promised when the node took tickets again, or before that for after the fault, and how long it then took; what is
shorter than ten seconds is told as "a few seconds", and a longer estimate must be within a factor of two.
Three rows at a time run side by side, each on a platform of its own, so times are upper ones.

"""
    return words + "\n".join(table) + "\n\nThe short form of each row:\n\n" + "\n".join(shorts) + "\n"

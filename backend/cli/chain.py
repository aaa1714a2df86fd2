"""`truestub chain`: what the chain is doing, and how to bring back what it lost."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from backend.chain.adopt import look_at_wiped, take_up
from backend.chain.diagnoses import add_detail, open_rows
from backend.chain.diagnosis import Kind
from backend.chain.follow import current_chain
from backend.chain.replay import plan_replay
from backend.chain.report import chain_report, nodes_report, tokens_above
from backend.chain.rpc import Node, NodeError
from backend.chain.transport import Transport
from backend.cli.settle import settle
from backend.db.engine import read
from backend.db.migrate import is_current
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.settings import Settings, settings_from
from backend.wiring import open_database

app = typer.Typer(help="The chain.", no_args_is_help=True)
app.command("settle")(settle)


@app.callback()
def _chain() -> None:
    pass


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Say what the nodes answer, how far the index is, what waits, and what went wrong lately."""
    settings = settings_from(os.environ)
    with chain_nodes(settings) as nodes:
        report: dict[str, Any] = {"nodes": nodes_report(nodes)}
    report |= _database_report(settings)
    if as_json:
        typer.echo(json.dumps(report))
        return
    for line in _lines(report):
        typer.echo(line)


@app.command()
def replay(
    yes: Annotated[bool, typer.Option("--yes", help="do it; without this it only says what it would do")] = False,
) -> None:
    """Let the worker give a node that was rolled back beyond finality what it lost: ours and other people's."""
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        with read(engine) as connection:
            rows = open_rows(connection, Kind.ROLLED_BACK)
            if not rows:
                raise refuse("nothing_to_replay", _("No node is diagnosed as rolled back."))
            block = rows[-1].detail.get("ancestor") or 0
            lost = len(tokens_above(connection, block))
        typer.echo(
            _("Above block %(block)d the node lacks %(tokens)d tokens of ours.") % {"block": block, "tokens": lost}
        )
        _tell_plan(settings, engine, block)
        if yes:
            with engine.begin() as connection:
                add_detail(connection, Kind.ROLLED_BACK, {"allowed": True})
    finally:
        engine.dispose()
    typer.echo(_("The worker sends them again.") if yes else _("Run it again with --yes to have them sent again."))


def _tell_plan(settings: Settings, engine: Engine, block: int) -> None:
    """What can be sent again, and what can't, one by one."""
    chain = current_chain(engine)
    with chain_nodes(settings) as nodes:
        if not nodes or chain is None:
            return
        try:
            plan = plan_replay(engine, require_node(nodes), chain.id, block)
        except NodeError as error:
            raise refuse("node_unreachable", _("The node could not be asked: %s") % error) from None
    counts = {"count": plan.count, "lost": len(plan.lost)}
    typer.echo(_("%(count)d transactions can be sent again; %(lost)d can't.") % counts)
    for lost in plan.lost:
        tokens = ", ".join(str(token) for _event, token in lost.tokens) or "-"
        words = {"hash": "0x" + lost.hash.hex(), "reason": lost.reason, "tokens": tokens}
        typer.echo(_("%(hash)s: %(reason)s; its tickets are suspended until settled: %(tokens)s") % words)


@app.command("take-up")
def take_up_chain(
    yes: Annotated[bool, typer.Option("--yes", help="do it; without this it only says what it would do")] = False,
) -> None:
    """Begin anew on a chain that was wiped: deploy and mint everything again from our rows, with the same ids."""
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        with chain_nodes(settings) as nodes:
            found = look_at_wiped(engine, require_node(nodes), settings.chain_id)
        words = {"tickets": found.tickets, "batches": found.batches, "moved": len(found.moved)}
        typer.echo(_("%(tickets)d tickets in %(batches)d batches are minted again; %(moved)d had moved:") % words)
        for event_id, token in found.moved:
            typer.echo(f"{event_id} {token}")
        if yes:
            take_up(engine)
    except NodeError as error:
        raise refuse("node_unreachable", _("The node could not be asked: %s") % error) from None
    finally:
        engine.dispose()
    typer.echo(_("The worker begins.") if yes else _("Run it again with --yes if the old chain is gone for good."))


@contextmanager
def chain_nodes(settings: Settings) -> Iterator[list[Node]]:
    """Clients of the nodes that are set."""
    transport = Transport()
    try:
        yield [Node(url, transport) for url in settings.node_urls]
    finally:
        transport.close()


def require_node(nodes: list[Node]) -> Node:
    """The first node that answers."""
    for node, report in zip(nodes, nodes_report(nodes), strict=True):
        if report["answers"]:
            return node
    raise refuse("node_unreachable", _("No chain node answers; look at truestub chain status."))


def _database_report(settings: Settings) -> dict[str, Any]:
    """Empty before the installation was made."""
    empty: dict[str, Any] = {"chain": None, "transactions": 0, "jobs": [], "diagnoses": []}
    embedded = settings.database_url.removeprefix("sqlite:///")
    if settings.database_url.startswith("sqlite:///") and not os.path.exists(embedded):  # noqa: PTH110 - as it is set
        return empty
    engine = open_database(settings)
    try:
        if not is_current(engine):
            return empty
        with read(engine) as connection:
            return chain_report(connection)
    finally:
        engine.dispose()


def _lines(report: dict[str, Any]) -> Iterator[str]:
    if not report["nodes"]:
        yield _("No chain node is set (TRUESTUB_NODE_URLS): tickets are sold, and minted later.")
    for node in report["nodes"]:
        if node["answers"]:
            yield _("%(node)s: chain %(chain_id)d, block %(block)d, %(client)s") % node
        else:
            yield _("%(node)s: no answer (%(reason)s)") % node
    chain = report["chain"]
    if chain is not None:
        yield _("index: at %(block)d, final up to %(final_block)d, %(state)s") % chain
    for job in report["jobs"]:
        yield _("jobs: %(count)d %(kind)s %(state)s") % job
    for diagnosis in report["diagnoses"]:
        words = {**diagnosis, "closed_at": diagnosis["closed_at"] or _("now")}
        yield _("%(kind)s from %(opened_at)s to %(closed_at)s") % words

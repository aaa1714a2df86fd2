"""`truestub check`: the promises, checked after the fact."""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from backend.chain.rpc import Node, NodeError
from backend.cli.chain import chain_nodes, require_node
from backend.db.engine import read
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.ops.check import TRANSFER_TOPIC, Checked, check_chain, check_rows
from backend.settings import settings_from
from backend.wiring import open_database

RANGE_BLOCKS = 5_000  # of one eth_getLogs
LOGS_SECONDS = 30.0


def check(
    chain: Annotated[bool, typer.Option("--chain", help="compare with the chain's own logs, too")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
) -> None:
    """Check that nothing is oversold, lost, paid twice or minted twice; exit code 1 if something is."""
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        with read(engine) as connection:
            found = check_rows(connection)
            if chain:
                with chain_nodes(settings) as nodes:
                    node = require_node(nodes)
                    on_chain = check_chain(connection, lambda address: _logs(node, address))
                found = Checked((*found.problems, *on_chain.problems), {**found.counts, **on_chain.counts})
    except NodeError as error:
        raise refuse("node_unreachable", _("The node could not be asked: %s") % error) from None
    finally:
        engine.dispose()
    if as_json:
        typer.echo(json.dumps({"problems": found.problems, "counts": dict(found.counts)}))
    else:
        typer.echo("  ".join(f"{name} {count}" for name, count in found.counts.items()))
        for problem in found.problems:
            typer.echo(problem)
        typer.echo(_("A promise is broken; see above.") if found.problems else _("Every promise holds."))
    raise typer.Exit(1 if found.problems else 0)


def _logs(node: Node, address: str) -> Iterable[Mapping[str, Any]]:
    head = int(node.call("eth_blockNumber"), 16)
    for first in range(0, head + 1, RANGE_BLOCKS):
        wanted = {
            "address": address,
            "topics": [TRANSFER_TOPIC],
            "fromBlock": hex(first),
            "toBlock": hex(min(head, first + RANGE_BLOCKS - 1)),
        }
        yield from node.call("eth_getLogs", wanted, deadline_seconds=LOGS_SECONDS)

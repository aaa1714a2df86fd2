"""`truestub index`: the index of tokens, compared with the chain or made anew."""

import json
import os
from dataclasses import asdict
from typing import Annotated, Any

import typer

from backend.chain.follow import current_chain
from backend.chain.rebuild import derive_again, forget
from backend.chain.rpc import NodeError
from backend.chain.verify import Difference
from backend.chain.verify import verify as compare
from backend.cli.chain import chain_nodes, require_node
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.i18n import ngettext
from backend.settings import settings_from
from backend.wiring import open_database

NAMED_DIFFERENCES = 20  # that are listed one by one

app = typer.Typer(help="The index of tokens.", no_args_is_help=True)


@app.callback()
def _index() -> None:
    pass


@app.command()
def verify(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Compare the index with the chain, token by token; exit code 1 if they differ."""
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        chain = current_chain(engine)
        if chain is None:
            raise refuse("no_chain", _("No chain has been seen yet; start truestub work with a node."))
        with chain_nodes(settings) as nodes:
            found = compare(engine, require_node(nodes), chain.id)
    except NodeError as error:
        raise refuse("node_unreachable", _("The node could not be asked: %s") % error) from None
    finally:
        engine.dispose()
    if as_json:
        differences = [_plain(difference) for difference in found.differences]
        typer.echo(json.dumps({"tokens": found.tokens, "differences": differences}))
    elif not found.differences:
        sentence = ngettext(
            "%d token compared: index and chain agree.", "%d tokens compared: index and chain agree.", found.tokens
        )
        typer.echo(sentence % found.tokens)
    else:
        words = {"tokens": found.tokens, "count": len(found.differences)}
        typer.echo(_("%(tokens)d tokens compared, %(count)d differ:") % words)
        for difference in found.differences[:NAMED_DIFFERENCES]:
            typer.echo(json.dumps(_plain(difference)))
    raise typer.Exit(1 if found.differences else 0)


@app.command()
def rebuild(
    from_chain: Annotated[bool, typer.Option("--from-chain", help="read the chain again, not our own logs")] = False,
) -> None:
    """Make the index anew from the logs we stored, or, by the running worker, from the chain itself."""
    engine = open_database(settings_from(os.environ))
    try:
        chain = current_chain(engine)
        if chain is None:
            raise refuse("no_chain", _("No chain has been seen yet; start truestub work with a node."))
        if from_chain:
            start = forget(engine, chain.id)
            typer.echo(_("The worker reads the chain again from block %d on; look at truestub chain status.") % start)
        else:
            made = derive_again(engine, chain.id)
            typer.echo(ngettext("%d token made anew.", "%d tokens made anew.", made) % made)
    finally:
        engine.dispose()


def _plain(difference: Difference) -> dict[str, Any]:
    def state(value: Any) -> dict[str, Any] | None:  # noqa: ANN401 - a State or none
        return None if value is None else {**asdict(value), "owner": "0x" + value.owner.hex()}

    return {
        "event": str(difference.event_id),
        "token_id": difference.token_id,
        "index": state(difference.index),
        "chain": state(difference.chain),
    }

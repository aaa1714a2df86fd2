"""`truestub index`: the index of tokens, compared with the chain or made anew."""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from random import SystemRandom
from typing import Annotated, Any

import typer
from sqlalchemy import Engine

from backend.chain.follow import current_chain
from backend.chain.proofs import SAMPLE, Finding, Proved, prove
from backend.chain.rebuild import derive_again, forget
from backend.chain.rpc import Node, NodeError, RpcError
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
def verify(
    as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False,
    sample: Annotated[int, typer.Option(min=0, help="tokens to prove against the state root")] = SAMPLE,
) -> None:
    """Compare the index with the chain, token by token, and a sample with proofs; exit code 1 if they differ."""
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        chain = current_chain(engine)
        if chain is None:
            raise refuse("no_chain", _("No chain has been seen yet; start truestub work with a node."))
        with chain_nodes(settings) as nodes:
            node = require_node(nodes)
            found = compare(engine, node, chain.id)
            proved = _prove(engine, node, chain.id, sample)
    except NodeError as error:
        raise refuse("node_unreachable", _("The node could not be asked: %s") % error) from None
    finally:
        engine.dispose()
    if as_json:
        differences = [_plain(difference) for difference in found.differences]
        told = {"tokens": found.tokens, "differences": differences, "proofs": _plain_proofs(proved)}
        typer.echo(json.dumps(told))
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
    if not as_json:
        for line in _proof_lines(proved):
            typer.echo(line)
    raise typer.Exit(1 if found.differences or (proved is not None and proved.findings) else 0)


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


def _prove(engine: Engine, node: Node, chain: int, sample: int) -> Proved | None:
    """None if the node gives no proofs."""

    def choose(count: int, wanted: int) -> list[int]:
        return SystemRandom().sample(range(count), wanted)

    try:
        return prove(engine, node, chain, choose, sample)
    except RpcError:
        return None


def _proof_lines(proved: Proved | None) -> Iterator[str]:
    if proved is None:
        yield _("The node gives no proofs (eth_getProof) of the index's block; ask one that keeps its state.")
        return
    words = {"tokens": proved.tokens, "false": len(proved.findings)}
    yield _("%(tokens)d tokens asked for proofs against the state root, %(false)d do not hold.") % words
    for finding in proved.findings[:NAMED_DIFFERENCES]:
        yield json.dumps(_plain_finding(finding))
    if not proved.root_bound:
        yield _("The block's header does not give its hash: the state root is the node's word. Compare another node.")


def _plain_proofs(proved: Proved | None) -> dict[str, Any] | None:
    if proved is None:
        return None
    findings = [_plain_finding(finding) for finding in proved.findings]
    return {"tokens": proved.tokens, "findings": findings, "root_bound": proved.root_bound}


def _plain_finding(finding: Finding) -> dict[str, Any]:
    as_difference = Difference(finding.event_id, finding.token_id, finding.index, finding.chain)
    return {"what": finding.what, **_plain(as_difference)}


def _plain(difference: Difference) -> dict[str, Any]:
    def state(value: Any) -> dict[str, Any] | None:  # noqa: ANN401 - a State or none
        return None if value is None else {**asdict(value), "owner": "0x" + value.owner.hex()}

    return {
        "event": str(difference.event_id),
        "token_id": difference.token_id,
        "index": state(difference.index),
        "chain": state(difference.chain),
    }

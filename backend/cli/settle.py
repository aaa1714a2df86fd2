"""`truestub chain settle`: decide about tickets that replay had to suspend."""

import os
from typing import Annotated

import typer

from backend.desk.audit import COMMAND_LINE
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.ops.settle import CHOICES, Suspended, waiting
from backend.ops.settle import settle as carry_out
from backend.sales.installation import installation_secret
from backend.settings import settings_from
from backend.wiring import open_database


def settle(
    event: Annotated[str | None, typer.Argument(help="the event's slug; none: list what waits")] = None,
    token: Annotated[int | None, typer.Argument(help="the ticket's token id")] = None,
    give_to: Annotated[
        str | None,
        typer.Option("--give-to", help="chain: its holder there; ours: its holder before the loss; refund: nobody"),
    ] = None,
) -> None:
    """Decide about tickets that replay suspended: whose they are, or their money back. Without arguments: list them."""
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        if event is None:
            for one in waiting(engine):
                typer.echo(_line(one))
            return
        choice = next((one for one in CHOICES if one == give_to), None)
        if token is None or choice is None:
            raise refuse("bad_arguments", _("Name event, token and --give-to, one of: %s") % ", ".join(CHOICES))
        carry_out(engine, installation_secret(settings.keys_dir), event, token, choice, COMMAND_LINE)
    finally:
        engine.dispose()
    typer.echo(_("Settled. The chain and the gates are told by themselves; earlier codes of the ticket are dead."))


def _line(one: Suspended) -> str:
    words = {
        "event": one.slug,
        "token": one.token_id,
        "hash": one.hash,
        "reason": one.reason,
        "chain": _holder(one.chain_owner, one.chain_epoch),
        "ours": _holder(one.our_owner, one.our_epoch),
    }
    return _("%(event)s %(token)d: lost %(hash)s (%(reason)s); chain: %(chain)s; ours: %(ours)s") % words


def _holder(owner: bytes | None, epoch: int | None) -> str:
    return "-" if owner is None else f"0x{owner.hex()} ({epoch})"

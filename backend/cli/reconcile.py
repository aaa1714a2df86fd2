"""`truestub reconcile`: after a restore, compare with chain and payment provider, then open sales."""

import os
import socket
from datetime import UTC, datetime
from secrets import token_hex
from typing import Annotated

import typer

from backend.cli.chain import chain_nodes
from backend.cli.web import require_current_schema
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.ops.reconcile import Reconciled, reconcile_all
from backend.sales.charge_backs import Found
from backend.settings import settings_from
from backend.wiring import wire


def reconcile(
    refund_unknown: Annotated[
        bool, typer.Option("--refund-unknown", help="give back money that we know no order of")
    ] = False,
    made_at: Annotated[
        str | None,
        typer.Option("--made-at", help="for a database restored by other means: when its copy was made"),
    ] = None,
) -> None:
    """Settle payments, bring back what only the chain knows, check, and open sales; exit code 1 if they stay closed."""
    settings = settings_from(os.environ)
    require_current_schema(settings)  # before wiring makes what is not there
    services = wire(settings)
    try:
        with chain_nodes(settings) as nodes:
            holder = f"reconcile-{socket.gethostname()}-{os.getpid()}-{token_hex(4)}"
            done = reconcile_all(
                services,
                nodes,
                holder,
                refund_unknown=refund_unknown,
                made_at=None if made_at is None else _unix(made_at),
            )
    finally:
        services.close()
    for line in _lines(done):
        typer.echo(line)
    raise typer.Exit(0 if done.opened is not None else 1)


def _lines(done: Reconciled) -> list[str]:
    found = done.recovered
    lines = [
        _("%d payments settled") % done.settled,
        _("%d tickets got their numbers back from the chain") % found.numbered,
        _("%d tickets sold after the backup brought back from the chain") % found.made,
    ]
    if done.forgotten:
        lines.append(_("%d people who were erased after the backup are forgotten again") % done.forgotten)
    if found.revoked:
        lines.append(_("%d tickets given back after the backup are void again") % found.revoked)
    if found.seated:
        lines.append(
            _("%d of them have a seat that only their owners know: ask before you sell seats there") % found.seated
        )
    if done.unknown_events:
        lines.append(_("Events made after the backup are on the chain and not in this database; look for their files:"))
        lines += [f"  0x{one.hex()}" for one in done.unknown_events]
    lines += _unknown(done)
    if done.booked.refunds:
        lines.append(_("%d refunds sent after the backup are booked") % done.booked.refunds)
    if done.booked.guessed:
        lines.append(_("Of these orders nobody knows which tickets went back; the last ones are void, ask the buyers:"))
        lines += [f"  {one}" for one in done.booked.guessed]
    if done.booked.unfit:
        lines.append(_("These refunds are more than their orders' tickets are worth; look at each with the provider:"))
        lines += [f"  {one}" for one in done.booked.unfit]
    lines += _disputed(done.disputes)
    if done.open_payments:
        lines.append(_("%d payments are still open at the provider; run this again in a minute") % done.open_payments)
    lines += list(done.problems)
    closed = _("Sales stay closed.")
    return [*lines, closed if done.opened is None else _("Sales are open again for %d events.") % done.opened]


def _unknown(done: Reconciled) -> list[str]:
    """Money that was taken and whose orders nobody knows."""
    lines = [_("%d payments without an order given back") % done.refunded] if done.refunded else []
    if done.refused:
        words = _(
            "The provider won't send these payments without an order back; do it by hand there, then run this again:"
        )
        return [*lines, words, *(f"  {one}" for one in done.refused)]
    if len(done.unknown) > done.refunded:
        words = _("Money was taken for orders we don't know; look at each, then run with --refund-unknown:")
        return [*lines, words, *(f"  {one}" for one in done.unknown)]
    return lines


def _disputed(found: Found) -> list[str]:
    """What banks took and gave back after the backup."""
    groups = (
        (found.stopped, _("Banks took the money of these orders back after the backup; what was not used is void:")),
        (found.undecided, _("Banks took some of these orders' money back; decide about their tickets at the desk:")),
        (found.reinstated, _("Banks gave these orders' money back to us; it is booked:")),
        (found.unknown, _("Banks took these payments without an order back; answer the disputes at the provider:")),
    )
    lines = [line for ids, words in groups if ids for line in (words, *(f"  {one}" for one in ids))]
    if found.waiting:
        lines.append(
            _("%d disputes are of payments that nobody called paid yet; run this again in a minute") % found.waiting
        )
    return lines


def _unix(text: str) -> float:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise refuse("bad_times", _("%s must look like 2030-06-15T18:00+02:00") % "--made-at") from error
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()

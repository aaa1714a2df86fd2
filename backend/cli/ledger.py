"""`truestub ledger`: what money came, what went, and whether it adds up."""

import os
from collections.abc import Mapping

import typer
from rich.console import Console
from rich.table import Table

from backend.db.engine import read
from backend.i18n import gettext as _
from backend.sales.ledger import Book, Difference, balances, check_ledger, open_payments
from backend.sales.payments.reconcile import reconcile
from backend.settings import settings_from
from backend.wiring import Services, wire

app = typer.Typer(help="Money.", no_args_is_help=True)


@app.command()
def show() -> None:
    """Every account's balance, in minor units of its currency."""
    services = wire(settings_from(os.environ))
    try:
        with read(services.engine) as connection:
            known = balances(connection)
    finally:
        services.close()
    table = Table(_("account"), _("currency"), _("minor units"), box=None)
    for (account, currency), amount in sorted(known.items()):
        table.add_row(account, currency, f"{amount:,}")
    Console().print(table)


@app.command()
def check() -> None:
    """Ask about open payments; compare the ledger with the rows and the providers' books. 1 if they differ."""
    services = wire(settings_from(os.environ))
    try:
        while reconcile(services.engine, services.tills, services.payments):
            pass
        waiting = open_payments(services.engine)
        found = check_ledger(services.engine, _books(services))
    finally:
        services.close()
    for one in found:
        typer.echo(_sentence(one), err=True)
    if waiting:
        typer.echo(_("Payments whose fate the provider does not say yet: %d") % waiting)
    if found:
        raise typer.Exit(1)
    typer.echo(_("The money adds up."))


def _books(services: Services) -> Mapping[str, Book]:
    return {services.bank.name: services.bank} if services.bank is not None else {}


def _sentence(one: Difference) -> str:
    return _("%(what)s, %(currency)s: the ledger says %(ledger)d, it should be %(other)d") % {
        "what": one.what,
        "currency": one.currency,
        "ledger": one.ledger,
        "other": one.other,
    }

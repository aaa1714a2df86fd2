"""`truestub code`: presale codes and vouchers; `truestub code give`: complimentary tickets."""

import os
from typing import Annotated
from uuid import uuid4

import typer

from backend.desk.audit import COMMAND_LINE, note
from backend.domain.event_table import percent_of
from backend.domain.selling.requests import LineWanted
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.sales.codes import Offer, make_codes
from backend.sales.giving import give as give_tickets
from backend.settings import settings_from
from backend.wiring import wire

app = typer.Typer(help="Presale codes, vouchers, complimentary tickets.", no_args_is_help=True)

Slug = Annotated[str, typer.Argument(help="the event's slug")]


@app.command()
def make(
    slug: Slug,
    label: Annotated[str, typer.Option(help='for people, such as "Fan club"')],
    count: Annotated[int, typer.Option(help="how many codes")] = 1,
    uses: Annotated[int, typer.Option(help="orders per code; 0: any number")] = 1,
    percent_off: Annotated[float, typer.Option(help="off the price, 0 to 100")] = 0.0,
    presale: Annotated[bool, typer.Option(help="opens the sale before it starts")] = False,
    class_code: Annotated[str, typer.Option("--class", help="good for this class only")] = "",
    text: Annotated[str, typer.Option(help="a code of your own instead of a random one")] = "",
) -> None:
    """Make codes and print them, one a line. They are stored hashed: keep what is printed."""
    offer = Offer(label, class_code or None, percent_of(percent_off), presale, None, uses or None)
    services = wire(settings_from(os.environ))
    try:
        note(
            services.engine,
            services.secret,
            COMMAND_LINE,
            "codes_make",
            f"event:{slug}",
            codes=count,
            discount_bps=offer.discount_bps,
        )
        made = make_codes(services.engine, slug, offer, count, text or None)
    finally:
        services.close()
    for code in made:
        typer.echo(code)


@app.command()
def give(
    slug: Slug,
    class_code: Annotated[str, typer.Option("--class", help="which class")],
    quantity: Annotated[int, typer.Option(help="how many tickets")] = 1,
    key: Annotated[str, typer.Option(help="repeat a command that was cut short with the same key")] = "",
) -> None:
    """Give tickets away. Prints the order and the secret that opens it, which is the guest's to keep."""
    services = wire(settings_from(os.environ))
    try:
        event_id = services.tills.event_id(slug)
        if event_id is None:
            raise refuse("unknown_event", _("There is no such event"))
        note(services.engine, services.secret, COMMAND_LINE, "give", f"event:{slug}", tickets=quantity)
        gift = give_tickets(services, event_id, (LineWanted(class_code, quantity),), key or str(uuid4()))
    finally:
        services.close()
    typer.echo(f"{gift.order_id} {gift.order_secret}")

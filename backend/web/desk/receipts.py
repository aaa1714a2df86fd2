"""Hand an order over to the phone in front of the counter: its receipt, as a picture to scan and as text.

The picture leads to /orders with the receipt behind the `#`, which browsers send to nobody; the page takes it from the
address at once (static/js/receipt.js).
"""

from urllib.parse import quote
from uuid import UUID

from flask import render_template

from backend.desk.events import desk_event
from backend.sales.order_view import order_view
from backend.sales.renewing import secret_now
from backend.web.desk.pictures import qr_picture
from backend.web.pages.my_orders import RECEIPT_MARK
from backend.web.requests import services


def receipt_page(order_id: UUID) -> str:
    """The answer to the form that was allowed to see it; its secret is in no address of ours."""
    parts = services()
    order = order_view(parts.engine, order_id)
    event = desk_event(parts.engine, order["event"])
    url = parts.settings.public_url
    receipt = f"{RECEIPT_MARK} {url} {order_id} {secret_now(parts.engine, parts.secret, order_id)}"
    picture = qr_picture(f"{url}/orders#{quote(receipt)}")
    return render_template("desk/receipt.html", order=order, event=event, receipt=receipt, picture=picture)

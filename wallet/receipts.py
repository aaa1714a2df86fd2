"""A receipt: one line of text that names an order, where it was made, and its secret (SPEC 4.6)."""

from uuid import UUID

from wallet.api import checked_server
from wallet.errors import WalletError
from wallet.i18n import gettext as _

_MARK = "truestub-receipt-1"


def write_receipt(server: str, order_id: UUID, secret: str) -> str:
    """Four words with spaces between them."""
    return f"{_MARK} {server} {order_id} {secret}"


def read_receipt(text: str, *, allow_http: bool = False) -> tuple[str, UUID, str]:
    """Server, order id and secret. Raises `bad_receipt`."""
    try:
        mark, server, order_id, secret = text.split()
        if mark == _MARK and secret.isascii():
            return checked_server(server, allow_http=allow_http), UUID(order_id), secret
    except ValueError:
        pass
    raise WalletError(
        "bad_receipt", _("This is not a receipt. It is one line that begins with %s; copy the whole of it.") % _MARK
    )

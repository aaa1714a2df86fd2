"""What the signer looks at before custody's key lets a ticket go to an owner of its own (SPEC 10.9)."""

from sqlalchemy import Engine

from backend.credentials.eip712 import sign_claim
from backend.credentials.entitlement import NOT_READY_RETRY_SECONDS
from backend.credentials.issuing import custody_key
from backend.credentials.keystore import KeyStore
from backend.credentials.limits import WrongSecrets, check_secret
from backend.credentials.messages import SignClaim
from backend.credentials.ownership import effective_owner
from backend.credentials.records import contract_of, lock_order_and_ticket
from backend.errors import Refusal, Refused, refuse
from backend.i18n import gettext as _


def sign_claim_of(engine: Engine, keys: KeyStore, wrong_secrets: WrongSecrets, wish: SignClaim) -> bytes:
    """Custody's signature, 65 bytes, for a ticket that it keeps; raises `Refused`.

    The order's secret is looked at here again: whoever has broken into the web server has no ticket by it.
    """
    with engine.begin() as connection:
        locked = lock_order_and_ticket(connection, wish.ticket_id)
        if locked is None:
            raise refuse("unknown_ticket", _("There is no such ticket; look at your order"))
        order, ticket = locked
        check_secret(order, wish.order_secret, wrong_secrets)
        owner = effective_owner(connection, ticket)
        if isinstance(owner, Refusal):
            raise Refused(owner)
        key = custody_key(keys, ticket.event_id, owner.address)
        if key is None:
            raise not_in_custody()
        contract = contract_of(connection, ticket.event_id)
    if order.state != "paid" or ticket.token_id is None or owner.epoch != wish.epoch or contract is None:
        sentence = _("The ticket is being made ready; try again in a moment")
        raise refuse("ticket_not_ready", sentence, retry_after=NOT_READY_RETRY_SECONDS)
    terms = (ticket.token_id, wish.epoch, wish.to, wish.deadline)
    return sign_claim(contract.chain_id, contract.address, *terms, key.account)


def not_in_custody() -> Refused:
    """Refused: the ticket has a holder, who signs."""
    return refuse("owner_signature_missing", _("This ticket belongs to a wallet; sign with that wallet"))

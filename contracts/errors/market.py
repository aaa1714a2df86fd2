"""Refusals of `TicketMarket` (SPEC 8.7)."""

from contracts.errors.base import ContractError
from contracts.errors.mark import _


class AmountInvalidError(ContractError):
    template = _("The amount {amount} can't be paid. Name one above zero and within the token's range.")


class AskExpiredError(ContractError):
    template = _("The offer was good until {deadline}. Ask the seller for a new one.")


class AskIsCancelledError(ContractError):
    template = _("The seller withdrew this offer ({digest}). Ask for a new one.")


class CounterMismatchError(ContractError):
    template = _("The seller withdrew all earlier offers (counter {counter}, this one has {given}). Ask for a new one.")


class NotForBuyerError(ContractError):
    template = _("This offer is for {buyer} only, not for {to}.")


class NothingOwedError(ContractError):
    template = _("Nothing of {token} is owed to {account}.")


class NotPayerError(ContractError):
    template = _("{account} did not pay this order. Only its payer can take the money back.")


class NotSettlerError(ContractError):
    template = _("{account} may not settle sales of this event. Use the settler's key.")


class NotSoldOnChainError(ContractError):
    template = _("Tickets of class {class} are not paid on the chain. Pay in the shop.")


class OrderStateInvalidError(ContractError):
    template = _("Order {orderRef} is {state}, so this can't be done with it.")


class PaymentFailedError(ContractError):
    template = _("The money could not be paid to {to}. Name an address that accepts it.")


class RecipientMissingError(ContractError):
    template = _("No address was named to pay to. Name one.")


class ReclaimTooEarlyError(ContractError):
    template = _(
        "The money of this order can be taken back from {reclaimFrom} on. Try again then, or ask the organiser."
    )


class ReentrancyGuardReentrantCallError(ContractError):
    template = _("The market was called again from within a call. Call it once, from outside.")


class SafeERC20FailedOperationError(ContractError):
    template = _("The token {token} refused to move. Check balance and allowance.")


class SaleClosedError(ContractError):
    template = _("Tickets of class {class} are not sold any more.")


class SellerSignatureInvalidError(ContractError):
    template = _("This is no signature of {seller}, who holds the ticket. Ask for a new offer.")


class ShortPaymentError(ContractError):
    template = _(
        "The token {token} delivered {received} instead of {expected}. Tokens that keep a part are not accepted."
    )


class WrongPaymentError(ContractError):
    template = _("Exactly {expected} wei must come along; {sent} did. Send the exact amount.")

"""What roles and actions are called in the reader's language."""

from collections.abc import Callable

from backend.i18n import gettext as _

ROLE_WORDS: dict[str, Callable[[], str]] = {
    "owner": lambda: _("Owner"),
    "finance": lambda: _("Finance"),
    "box_office": lambda: _("Box office"),
    "gate_supervisor": lambda: _("Gate supervisor"),
}
ACTION_WORDS: dict[str, Callable[[], str]] = {
    "sign_in": lambda: _("signed in"),
    "account_add": lambda: _("added an account"),
    "account_role": lambda: _("changed a role"),
    "account_close": lambda: _("closed an account"),
    "account_password": lambda: _("changed the password"),
    "passkey_add": lambda: _("added a passkey"),
    "passkey_remove": lambda: _("removed a passkey"),
    "event_create": lambda: _("created an event"),
    "event_edit": lambda: _("changed an event"),
    "class_change": lambda: _("changed prices or numbers of tickets"),
    "event_pause": lambda: _("paused the sale"),
    "event_resume": lambda: _("resumed the sale"),
    "export": lambda: _("exported the attendees"),
    "waiting_list_export": lambda: _("exported a waiting list"),
    "waiting_list_read": lambda: _("read the addresses of a waiting list"),
    "waiting_list_find": lambda: _("looked for somebody on a waiting list"),
    "waiting_list_remove": lambda: _("took somebody off a waiting list"),
    "event_cancel": lambda: _("cancelled an event"),
    "event_postpone": lambda: _("moved an event to another time"),
    "codes_make": lambda: _("made codes"),
    "codes_withdraw": lambda: _("withdrew codes"),
    "give": lambda: _("gave tickets away"),
    "refund": lambda: _("gave money back"),
    "refund_again": lambda: _("sent a refused refund again"),
    "refund_settle": lambda: _("paid a refused refund another way"),
    "dispute": lambda: _("booked a dispute"),
    "sell_cash": lambda: _("sold for cash"),
    "help": lambda: _("handed an order to another phone"),
    "contact_change": lambda: _("corrected a buyer's name or address"),
    "privacy_export": lambda: _("exported a person's data"),
    "privacy_erase": lambda: _("erased a person's data"),
    "privacy_retention": lambda: _("erased what was kept long enough"),
    "account_renew": lambda: _("renewed an account's password and second factor"),
}
WAY_WORDS: dict[str, Callable[[], str]] = {
    "bank_transfer": lambda: _("by bank transfer"),
    "cash": lambda: _("in cash"),
    "at_provider": lambda: _("on the provider's own page"),
    "other": lambda: _("another way, agreed with the buyer"),
}
LEAVING_WORDS: dict[str, Callable[[], str]] = {
    "asked": lambda: _("they asked to be taken off"),
    "bought_otherwise": lambda: _("they have tickets from elsewhere"),
    "twice": lambda: _("they are on the list twice"),
    "other": lambda: _("other"),
}
PROOF_WORDS: dict[str, Callable[[], str]] = {
    "place_page": lambda: _("the page with their place in line"),
    "mail_address": lambda: _("the mail address of the place"),
    "identity_card": lambda: _("an identity card, and the mail address fits it"),
}
REASON_WORDS: dict[str, Callable[[], str]] = {
    "asked": lambda: _("the buyer asked"),
    "event_changed": lambda: _("the event changed"),
    "duplicate": lambda: _("bought twice"),
    "goodwill": lambda: _("goodwill"),
    "other": lambda: _("other"),
    "event_cancelled": lambda: _("the event was cancelled"),
    "dispute_won": lambda: _("the bank returned what the buyer had disputed"),
}

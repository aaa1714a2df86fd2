"""The one place that maps codes to exit codes of the command line (SPEC 4.7)."""

DONE = 0
INTERNAL = 1  # a mistake of ours
USAGE = 2  # ask differently
WALLET = 3  # the wallet's files, its passphrase or phrase
REFUSED = 4  # the platform said no; nothing was paid
DECLINED = 5  # the payment was declined; nothing was paid
NO_ANSWER = 6  # no usable answer; nothing is lost, resume later
ON_THE_WAY = 7  # paid or being paid; resume later
NOT_TRUSTED = 8  # something does not prove what it claims
INTERRUPTED = 130  # Ctrl-C, as shells count it

_BY_CODE = {
    INTERNAL: ["internal_error"],
    USAGE: [
        "ambiguous_order",
        "ambiguous_ticket",
        "bad_address",
        "bad_arguments",
        "bad_challenge",
        "bad_receipt",
        "bad_receiver",
        "bad_time",
        "confirmation_needed",
        "no_compact_code",
        "no_such_order",
        "no_such_ticket",
        "server_needed",
        "terminal_too_small",
        "unknown_class",
        "unsafe_address",
    ],
    WALLET: [
        "bad_passphrase",
        "bad_phrase",
        "cannot_read",
        "cannot_write",
        "disk_full",
        "no_wallet",
        "not_enough_memory",
        "order_not_here",
        "other_phrase",
        "passphrase_file_open",
        "passphrase_needed",
        "phrase_needed",
        "store_damaged",
        "vault_damaged",
        "vault_too_new",
        "wallet_busy",
        "wallet_exists",
        "wallet_too_new",
        "wrong_passphrase",
    ],
    DECLINED: ["payment_declined"],
    NO_ANSWER: ["server_broken", "server_slow", "server_unreachable", "unexpected_answer"],
    ON_THE_WAY: [
        "hold_expired_payment_open",
        "payment_open",
        "payment_pending",
        "payment_under_way",
        "tickets_on_their_way",
    ],
    NOT_TRUSTED: [
        "bound_elsewhere",
        "certificate_not_trusted",
        "credential_not_genuine",
        "event_not_genuine",
        "platform_moved",
    ],
}
_EXIT_OF = {code: number for number, codes in _BY_CODE.items() for code in codes}


def exit_code(code: str) -> int:
    """The exit code for an error's code; what the platform alone can say is a refusal."""
    return _EXIT_OF.get(code, REFUSED)

"""The commands and their options. Secrets are never arguments: other users of a computer can see those."""

import argparse
import gettext as _stdlib
from typing import Any, NoReturn

from wallet.errors import WalletError
from wallet.i18n import LOCALE_DIR
from wallet.i18n import gettext as _

DEFAULT_PATIENCE_SECONDS = 30.0
DEFAULT_WAIT_SECONDS = 90.0
_NOT_GIVEN = argparse.SUPPRESS


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WalletError(
            "bad_arguments", _("%(message)s. See: %(prog)s --help") % {"message": message, "prog": self.prog}
        )


def parser() -> argparse.ArgumentParser:
    """All commands. `args.module` names the module of `wallet.cli` that runs one."""
    _stdlib.bindtextdomain("messages", str(LOCALE_DIR))  # argparse's own words come from our catalogue
    top = _Parser(prog="truestub-wallet", description=_("Buy tickets, keep them, show them. Works with no network."))
    _common(top, {"home": None, "passphrase_file": None, "passphrase_fd": None, "json": False, "debug": False})
    commands = top.add_subparsers(metavar=_("COMMAND"), required=True, dest="command")

    def command(name: str, module: str, words: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(name, help=words, description=words)
        made.set_defaults(module=module)
        _common(made)
        return made

    _keys(command)
    _buying(command)
    _showing(command)
    _giving(command)
    _recovery(command)
    return top


def _keys(command: Any) -> None:  # noqa: ANN401 - the function above
    init = command("init", "init", _("make a wallet: a new recovery phrase, shown to you, or one you have"))
    init.add_argument("--words", type=int, choices=(12, 24), default=12, help=_("length of a new phrase"))
    init.add_argument("--restore", action="store_true", help=_("type the phrase of a wallet you had"))
    init.add_argument("--phrase-file", metavar=_("FILE"), help=_("read that phrase from a file, - for standard input"))
    command("phrase", "phrase", _("show the recovery phrase again; mind who looks on"))
    change = command("passphrase", "passphrase", _("change the passphrase"))
    change.add_argument("--new-passphrase-file", metavar=_("FILE"), help=_("read the new one from a file"))


def _buying(command: Any) -> None:  # noqa: ANN401 - see above
    buy = command("buy", "buy", _("buy tickets: order, pay, and take them into this wallet"))
    buy.add_argument("event", metavar=_("EVENT"), help=_("the event's short name, as in its address"))
    buy.add_argument("--class", dest="class_code", metavar=_("CLASS"), required=True, help=_("class of tickets"))
    buy.add_argument("--quantity", type=_positive, default=1, metavar="N", help=_("how many (default 1)"))
    buy.add_argument("--seats", metavar="A-1,A-2", help=_("these seats; without it the best that are free"))
    buy.add_argument("--guest", action="store_true", help=_("without a chain key: the platform keeps them for you"))
    buy.add_argument("--another", action="store_true", help=_("a further order like one that is on its way"))
    buy.add_argument("--yes", action="store_true", help=_("do not ask before paying"))
    buy.add_argument("--moved", action="store_true", help=_("the platform has a new address, and you know why"))
    _server(buy)
    _payment(buy, "sandbox", "approve")
    _waiting(buy)
    resume = command("resume", "resume", _("carry on whatever was cut off: orders, payments, tickets on their way"))
    resume.add_argument("--pay-again", action="store_true", help=_("try again to pay what was declined"))
    _payment(resume, None, None)
    _waiting(resume)
    cancel = command("cancel", "cancel", _("give up an order that is not paid"))
    cancel.add_argument("order", metavar=_("ORDER"), help=_("its id, or the beginning of it"))
    _waiting(cancel)


def _showing(command: Any) -> None:  # noqa: ANN401 - see above
    command("tickets", "tickets", _("list the tickets in this wallet"))
    show = command("show", "show", _("show a ticket's code; a new one every 10 seconds"))
    show.add_argument(
        "ticket", metavar=_("TICKET"), nargs="*", help=_("number in the list, id, or seat; several in a row")
    )
    kind = show.add_mutually_exclusive_group()
    kind.add_argument("--full", action="store_const", dest="kind", const="full", help=_("for any gate (default)"))
    kind.add_argument(
        "--compact",
        action="store_const",
        dest="kind",
        const="compact",
        help=_("smaller, for gates that know the ticket"),
    )
    show.add_argument("--once", action="store_true", help=_("one code, then end"))
    show.add_argument("--png", metavar=_("FILE"), help=_("draw into a picture file, anew with each code"))
    show.add_argument(
        "--at", metavar=_("TIME"), help=_("as of this time (for tests): Unix seconds or 2030-06-15T20:00Z")
    )
    answer = command(
        "answer", "answer", _("answer the nine digits that a gate shows, when its clock or yours is wrong")
    )
    answer.add_argument("ticket", metavar=_("TICKET"), help=_("number in the list, id, or seat"))
    answer.add_argument("digits", metavar=_("NINE-DIGITS"), nargs="+", help=_("what the gate shows"))
    answer.add_argument("--png", metavar=_("FILE"), help=_("draw into a picture file"))
    answer.add_argument("--at", metavar=_("TIME"), help=_("as of this time (for tests)"))


def _giving(command: Any) -> None:  # noqa: ANN401 - see above
    give = command("give", "give", _("give a ticket to somebody else's wallet"))
    give.add_argument("ticket", metavar=_("TICKET"), help=_("number in the list, id, or seat"))
    give.add_argument("address", metavar=_("ADDRESS"), help=_("what `truestub-wallet receive` shows the receiver"))
    _waiting(give)
    receive = command("receive", "receive", _("show where others send you a ticket, and take what they gave"))
    receive.add_argument("event", metavar=_("EVENT"), help=_("the event's short name, as in its address"))
    _server(receive)
    _waiting(receive)


def _recovery(command: Any) -> None:  # noqa: ANN401 - see above
    rekey = command("rekey", "rekey", _("take tickets back from a lost or copied device: its codes stop working"))
    rekey.add_argument("ticket", metavar=_("TICKET"), nargs="+", help=_("number in the list, id, or seat"))
    _waiting(rekey)
    receipt = command("receipt", "receipt", _("show an order's receipt, which brings a guest's tickets back"))
    receipt.add_argument("order", metavar=_("ORDER"), help=_("its id, or the beginning of it"))
    restore = command("restore", "restore", _("bring tickets of a lost device into this wallet, by its phrase alone"))
    restore.add_argument("--event", metavar=_("EVENT"), help=_("of this event only, not of all there are"))
    by = restore.add_mutually_exclusive_group()
    by.add_argument("--receipt", action="store_true", help=_("type an order's receipt instead: for a guest's order"))
    by.add_argument("--receipt-file", metavar=_("FILE"), help=_("read the receipt from a file"))
    _server(restore)
    _waiting(restore)
    status = command("status", "status", _("what this wallet holds, and how it stands with the platforms"))
    _server(status)
    _waiting(status)


def _common(made: argparse.ArgumentParser, defaults: dict[str, Any] | None = None) -> None:
    """Taken before and after the command; the defaults are set once, before."""

    def default(name: str) -> Any:  # noqa: ANN401 - any type of option
        return _NOT_GIVEN if defaults is None else defaults[name]

    made.add_argument("--home", metavar=_("FOLDER"), default=default("home"), help=_("the wallet's folder"))
    secret = made.add_mutually_exclusive_group()
    secret.add_argument(
        "--passphrase-file",
        metavar=_("FILE"),
        default=default("passphrase_file"),
        help=_("read the passphrase from a file"),
    )
    secret.add_argument(
        "--passphrase-fd",
        type=int,
        metavar="N",
        default=default("passphrase_fd"),
        help=_("or from an open file descriptor"),
    )
    made.add_argument("--json", action="store_true", default=default("json"), help=_("answer in JSON, for programs"))
    made.add_argument("--debug", action="store_true", default=default("debug"), help=argparse.SUPPRESS)


def _server(made: argparse.ArgumentParser) -> None:
    made.add_argument("--server", metavar="URL", help=_("the platform's address; not needed once it is known"))
    made.add_argument("--allow-http", action="store_true", help=argparse.SUPPRESS)


def _payment(made: argparse.ArgumentParser, method: str | None, token: str | None) -> None:
    made.add_argument("--method", default=method, help=_("payment provider"))
    made.add_argument("--token", default=token, help=_("what that provider gave you for this payment"))


def _waiting(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--patience",
        type=_seconds,
        default=DEFAULT_PATIENCE_SECONDS,
        metavar=_("SECONDS"),
        help=_("how long to try a server that does not answer (default 30)"),
    )
    made.add_argument(
        "--wait",
        type=_seconds,
        default=DEFAULT_WAIT_SECONDS,
        metavar=_("SECONDS"),
        help=_("how long to wait for paid tickets (default 90)"),
    )


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) == int(text)):
        raise argparse.ArgumentTypeError(_("%s is not a whole number from 1 on") % text)
    return int(text)


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise argparse.ArgumentTypeError(_("%s is not a number of seconds") % text)
    return float(text)

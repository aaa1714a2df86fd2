"""Make a wallet."""

import sys
from argparse import Namespace
from pathlib import Path

from wallet import vault
from wallet.cli import exits
from wallet.cli.output import Output
from wallet.cli.session import VAULT_NAME, alone, home_of, new_passphrase, secret_fd, secret_file
from wallet.errors import WalletError
from wallet.i18n import gettext as _
from wallet.phrase import new_phrase, read_phrase


def run(args: Namespace, out: Output) -> int:
    path = home_of(args) / VAULT_NAME
    if path.exists():
        raise WalletError(
            "wallet_exists", _("There is a wallet in %s. Choose another folder with --home.") % path.parent
        )
    restored = args.restore or args.phrase_file is not None
    phrase = read_phrase(_typed_phrase(args.phrase_file)) if restored else new_phrase(args.words)
    with alone(args):
        vault.create(path, phrase, _passphrase(args))
    out.result({"home": str(path.parent), **({} if restored else {"phrase": phrase})})
    if restored:
        out.say(_("Your keys are back. Bring the tickets back with `truestub-wallet restore --server URL`."))
    else:
        say_phrase(out, phrase)
    out.say(_("The wallet is in %s.") % path.parent)
    return exits.DONE


def say_phrase(out: Output, phrase: str) -> None:
    """The words, numbered, and what they are good for."""
    out.say(_("Your recovery phrase. Write it on paper; who has it has your tickets:"))
    out.say()
    for place, word in enumerate(phrase.split(), 1):
        out.say(f"  {place:>2}. {word}")
    out.say()


def _passphrase(args: Namespace) -> str:
    if args.passphrase_fd is not None:
        return secret_fd(args.passphrase_fd)
    return new_passphrase(args.passphrase_file)


def _typed_phrase(file: str | None) -> str:
    if file is not None and file != "-":
        return secret_file(Path(file))
    if file is None and not sys.stdin.isatty():
        raise WalletError(
            "phrase_needed", _("There is no terminal to ask for the recovery phrase. Give it with --phrase-file.")
        )
    if file is None:
        sys.stderr.write(_("Recovery phrase, its words in order: "))
        sys.stderr.flush()
    return sys.stdin.readline(4096)

"""Show the recovery phrase again."""

from argparse import Namespace

from wallet import vault
from wallet.cli import exits
from wallet.cli.init import say_phrase
from wallet.cli.output import Output
from wallet.cli.session import VAULT_NAME, home_of, passphrase


def run(args: Namespace, out: Output) -> int:
    path = home_of(args) / VAULT_NAME
    vault.describe(path)
    phrase = vault.unlock(path, passphrase(args))
    say_phrase(out, phrase)
    out.result({"phrase": phrase})
    return exits.DONE

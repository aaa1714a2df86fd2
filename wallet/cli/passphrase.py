"""Change the passphrase."""

from argparse import Namespace

from wallet import vault
from wallet.cli import exits
from wallet.cli.output import Output
from wallet.cli.session import VAULT_NAME, alone, home_of, new_passphrase, passphrase
from wallet.i18n import gettext as _


def run(args: Namespace, out: Output) -> int:
    path = home_of(args) / VAULT_NAME
    vault.describe(path)
    with alone(args):
        old = passphrase(args)
        vault.unlock(path, old)
        vault.change_passphrase(path, old, new_passphrase(args.new_passphrase_file))
    out.say(_("The passphrase is changed. Old copies of the wallet still open with the old one."))
    out.result({"changed": True})
    return exits.DONE

"""`truestub-wallet`: a buyer's command line. Each command is a module of this folder; only the chosen one is loaded."""

import importlib
import signal
import sys
from collections.abc import Sequence

from wallet.cli import exits
from wallet.cli.arguments import parser
from wallet.cli.output import Output
from wallet.errors import WalletError
from wallet.i18n import gettext as _


def main(argv: Sequence[str] | None = None, *, interruptible: bool = False) -> int:
    """Run one command; its exit code (`wallet.cli.exits`)."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    out = Output(as_json="--json" in arguments)
    try:
        args = parser().parse_args(arguments)
        module = importlib.import_module(f"wallet.cli.{args.module}")
        if interruptible:  # from here on Ctrl-C has something to say
            signal.signal(signal.SIGINT, signal.default_int_handler)
        code: int = module.run(args, out)
    except WalletError as error:
        return out.error(error)
    except KeyboardInterrupt:
        out.tell(_("Stopped. Nothing is lost; `truestub-wallet resume` carries on what was begun."))
        return exits.INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return exits.DONE
    except Exception as error:  # the user gets a sentence, whatever happens
        if "--debug" in arguments:
            raise
        sentence = _(
            "A mistake in this program (%s). Nothing is lost; run it again with --debug and report what it says."
        )
        return out.error(WalletError("internal_error", sentence % type(error).__name__))
    return code

"""Answer a gate's challenge. Needs no network."""

from wallet.cli.show import run_answer as run

__all__ = ["run"]

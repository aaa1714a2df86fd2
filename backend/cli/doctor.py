"""`truestub doctor`: what is wrong, and what to do about it."""

import json
import os
from dataclasses import asdict
from typing import Annotated

import typer

from backend.cli.chain import chain_nodes
from backend.clock import system_clock
from backend.i18n import gettext as _
from backend.ops.doctor import Finding, examine_installation
from backend.settings import settings_from
from backend.wiring import open_database


def doctor(as_json: Annotated[bool, typer.Option("--json", help="for programs")] = False) -> None:
    """Look at configuration, database, keys, chain, clock and disk; exit code 1 if something is bad."""
    settings = settings_from(os.environ)
    engine = open_database(settings)
    try:
        with chain_nodes(settings) as nodes:
            found = list(examine_installation(settings, engine, nodes, system_clock))
    finally:
        engine.dispose()
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False))
    else:
        for one in found:
            typer.echo(_line(one))
    raise typer.Exit(1 if any(one.verdict == "bad" for one in found) else 0)


def _line(one: Finding) -> str:
    mark = {"good": _("good"), "look": _("look"), "bad": _("bad")}[one.verdict]
    return f"[{mark}] {one.area}: {one.what}" + (f" -> {one.do}" if one.do else "")

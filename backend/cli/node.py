"""`truestub node`: run the default chain node, anvil, and keep its state."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Annotated

import typer

from backend.chain.node import HOST, anvil_command, end_pause, require_free_port, save_state
from backend.chain.rpc import Node, NodeError
from backend.chain.transport import Transport
from backend.errors import refuse
from backend.i18n import gettext as _
from backend.ops.supervise import die_with_parent
from backend.settings import settings_from

DEFAULT_PORT = 8545
STATE_FILE = "node.state"  # in the data folder
SAVE_SECONDS = 60.0  # between two saves; what came later is sent again after a crash
WATCH_SECONDS = 0.1
PAUSE_SECONDS = 1.0  # between two looks at whether somebody died who had paused the node
STOP_SECONDS = 10.0

app = typer.Typer(help="The default chain node (anvil). Production uses a network of its own.", no_args_is_help=True)


@app.command()
def start(
    port: Annotated[int, typer.Option(help="to listen on, on loopback")] = DEFAULT_PORT,
    load: Annotated[Path | None, typer.Option(help="a saved state to start from, instead of the last one")] = None,
) -> None:
    """Run the node until Ctrl-C. Its state is saved every minute and at the end, and taken up at the next start."""
    settings = settings_from(os.environ)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = settings.data_dir / STATE_FILE
    if load is not None and not load.is_file():
        raise refuse("state_missing", _("There is no saved state at %s.") % load)
    require_free_port(port)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_ignored: stop.set())
    command = anvil_command(
        port, settings.chain_id, settings.finality_blocks, load or (kept if kept.exists() else None)
    )
    process = subprocess.Popen(  # noqa: S603 - our own node
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in the terminal reaches us alone: we save before the node ends
        preexec_fn=die_with_parent,  # noqa: PLW1509 - only prctl, which is safe here
    )
    typer.echo(_("The node runs on %(url)s, chain %(chain)d.") % {"url": _url(port), "chain": settings.chain_id})
    transport = Transport()
    try:
        _keep(process, Node(_url(port), transport), kept, stop)
    finally:
        transport.close()
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@app.command()
def save(file: Annotated[Path, typer.Argument(help="where to write the state")]) -> None:
    """Save the state of the running node, whole or not at all."""
    settings = settings_from(os.environ)
    if not settings.node_urls:
        raise refuse("no_node", _("No node is set; set TRUESTUB_NODE_URLS."))
    transport = Transport()
    try:
        number = save_state(Node(settings.node_urls[0], transport), file, settings.data_dir)
    except NodeError as error:
        raise refuse("node_unreachable", _("The node gave no state: %s") % error) from None
    finally:
        transport.close()
    typer.echo(_("Saved up to block %(number)d in %(file)s.") % {"number": number, "file": file})


def _keep(process: subprocess.Popen[bytes], node: Node, kept: Path, stop: Event) -> None:
    """Save on a schedule and at the end; a save that fails is said and tried again."""
    passed, looked = 0.0, 0.0
    while not stop.wait(WATCH_SECONDS):
        if process.poll() is not None:
            raise refuse("node_died", _("The node ended with code %d.") % process.returncode)
        passed, looked = passed + WATCH_SECONDS, looked + WATCH_SECONDS
        if looked >= PAUSE_SECONDS:
            looked = 0.0
            with suppress(NodeError):  # the next look tries again
                end_pause(node, kept.parent)
        if passed >= SAVE_SECONDS:
            passed = 0.0
            _try_save(node, kept)
    _try_save(node, kept)


def _try_save(node: Node, kept: Path) -> None:
    try:
        save_state(node, kept)
    except (NodeError, OSError) as error:
        typer.echo(_("The node's state was not saved: %s") % error, err=True)


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"

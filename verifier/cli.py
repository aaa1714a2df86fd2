"""`truestub-gate`: a gate on the command line. A USB scanner is a keyboard: its codes come in as lines.

Output rules: verdicts go to standard output, one block or (`--json`) one line each, and are flushed at once; what keeps
the gate from working goes to standard error as `code: sentence`.

Exit codes: 0 done, and in `scan` every code was admitted; 1 at least one was not; 2 wrong usage; 3 this gate can't work
(not set up, damaged, in use, no data); 4 the server can't be reached or answers badly; 5 what it sent was refused;
6 the network was used under --no-network; 130 interrupted. After 4 and 5 the data in force before still is.
"""

import argparse
import errno
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

from verifier import config as configs
from verifier.bundle_store import BundleStore, Refused
from verifier.config import Config, Folder
from verifier.errors import GateError
from verifier.fetch import FetchFailed, HttpFetcher
from verifier.files import locked
from verifier.gate import Gate, World
from verifier.i18n import gettext as _
from verifier.lines import lines
from verifier.log import AdmissionLog, Index, read_contents
from verifier.no_network import forbid_network
from verifier.pictures import PictureProblem, read_picture
from verifier.screen import as_json, as_text, complain, prepare, say, to_json
from verifier.status import log_shortened, status_of
from verifier.steps import CHALLENGE_SECONDS
from verifier.sync import Synced, sync
from verifier.verdict import Code
from verifier.witness import contradicts
from verifier.words import Colour, words_for

EXIT_DONE, EXIT_NOT_ADMITTED, EXIT_USAGE, EXIT_UNUSABLE, EXIT_UNREACHABLE, EXIT_REFUSED = range(6)
EXIT_INTERRUPTED = 130

DATA_VARIABLE = "TRUESTUB_GATE_DATA"
CHALLENGE_WORD = "challenge"  # typed instead of a code, it opens a challenge
ASK_BACK = {Code.EARLY, Code.GATE_CLOCK}  # a wrong clock: only an answer helps
_READ_BYTES = 4096

WORLD = World(clock=time.time, timer=time.monotonic, draw=secrets.randbelow)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    try:
        asked = _parser().parse_args(arguments)
    except GateError as error:
        complain(error.code, error.sentence)
        return EXIT_USAGE
    if getattr(asked, "no_network", False):
        forbid_network()
    try:
        prepare()
        command: Callable[[argparse.Namespace, Folder], int] = asked.command
        return command(asked, Folder(asked.data))
    except GateError as error:
        complain(error.code, error.sentence)
    except OSError as error:
        complain("disk_error", _disk_trouble(error))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return EXIT_UNUSABLE


def _disk_trouble(error: OSError) -> str:
    """What to do about it, where we know."""
    what = f"{error.strerror}: {error.filename or ''}".rstrip(": ")
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _("The disk is full. Free some room and run this again; what the gate knows and has admitted stays.")
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return _("{what}. Run this as the user who set the gate up, on a disk that can be written.").format(what=what)
    return what


def init(asked: argparse.Namespace, folder: Folder) -> int:
    """Set up a new gate's folder."""
    config = Config(configs.read_trust_root(asked.root), asked.event, asked.number, asked.server.rstrip("/"))
    configs.set_up(folder, config, configs.read_token(asked.token_file))
    say(_("Gate {number} is set up in {path}. Next: truestub-gate sync").format(number=asked.number, path=folder.path))
    return EXIT_DONE


def sync_now(asked: argparse.Namespace, folder: Folder) -> int:
    """Fetch key list and bundle. A gate that is scanning takes them up by itself."""
    config = configs.load(folder)
    with locked(folder.sync_lock):
        store = BundleStore(folder, config)
        fetcher = HttpFetcher(config.server, configs.read_token(folder.token))
        synced = sync(store, fetcher, config.event, int(WORLD.clock()))
    _say_synced(synced, asked.json)
    if any(isinstance(one, Refused) for one in synced.outcomes):
        return EXIT_REFUSED
    return EXIT_UNREACHABLE if any(isinstance(one, FetchFailed) for one in synced.outcomes) else EXIT_DONE


def scan(asked: argparse.Namespace, folder: Folder) -> int:
    """Check codes until the input ends."""
    codes: list[Code] = []
    configs.load(folder)  # a gate that is not set up has no folder to lock
    with locked(folder.scan_lock):
        gate = _gate(folder)
        if asked.picture:
            return _scan_pictures(gate, asked)
        for text in lines(_read_input):
            if text.strip().lower() == CHALLENGE_WORD:
                _say_challenge(gate, asked.json)
                continue
            codes.append(_say_verdict(gate, text, asked.json))
            if codes[-1] in ASK_BACK:
                _say_challenge(gate, asked.json)
    return _exit_code(codes)


def _exit_code(codes: Sequence[Code | None]) -> int:
    """Done only if something was checked and all of it admitted: `scan && open` must not open on an empty pipe."""
    return EXIT_DONE if codes and all(code is Code.ADMIT for code in codes) else EXIT_NOT_ADMITTED


def challenge(asked: argparse.Namespace, folder: Folder) -> int:
    """Show a challenge and take one answer to it."""
    configs.load(folder)
    with locked(folder.scan_lock):
        gate = _gate(folder)
        _say_challenge(gate, asked.json)
        for text in lines(_read_input):
            return EXIT_DONE if _say_verdict(gate, text, asked.json) is Code.ADMIT else EXIT_NOT_ADMITTED
    return EXIT_NOT_ADMITTED


def status(asked: argparse.Namespace, folder: Folder) -> int:
    """Say how the gate stands; changes nothing, and works beside a gate that is scanning."""
    config = configs.load(folder)
    store = BundleStore(folder, config)
    index = Index()
    contents = read_contents(folder.log)
    for record in contents.records:
        index.add(record)
    now = int(WORLD.clock())
    admitted, shortened = len(index.admissions), contradicts(folder.log, contents.good_bytes)
    stands = status_of(store.key_list, store.bundle, store.problem, config.gate_number, admitted, now, shortened)
    if asked.json:
        say(to_json({"gate_number": config.gate_number, **asdict(stands)}))
        return EXIT_DONE
    say(_("Gate {number}: {event}").format(number=config.gate_number, event=stands.event_name or config.event))
    versions = (_("none") if one is None else str(one) for one in (stands.bundle_version, stands.key_list_version))
    say(_("Bundle {bundle}, key list {keys}").format(**dict(zip(("bundle", "keys"), versions, strict=True))))
    say(_("Admitted here: {n}; not yet collected by the platform: {m}").format(n=stands.admitted, m=stands.unsynced))
    for risk in stands.risks:
        say(f"! {risk}")
    return EXIT_DONE


def _gate(folder: Folder) -> Gate:
    config = configs.load(folder)
    log = AdmissionLog.open(folder.log)
    if log.shortened:
        complain("log_shortened", log_shortened())
    return Gate(config.gate_number, BundleStore(folder, config), log, WORLD)


def _scan_pictures(gate: Gate, asked: argparse.Namespace) -> int:
    codes: list[Code | None] = []
    for path in asked.picture:
        texts = read_picture(path)
        if isinstance(texts, PictureProblem):
            _say_picture_problem(texts, asked.json)
            codes.append(None)
            continue
        codes += [_say_verdict(gate, text, asked.json) for text in texts]
    return _exit_code(codes)


def _read_input() -> bytes:
    return os.read(0, _READ_BYTES)


def _say_verdict(gate: Gate, text: str, json_wanted: bool) -> Code:
    verdict = gate.scan(text)
    words = words_for(verdict, gate.now())
    said = as_json(verdict, words, gate.now()) if json_wanted else as_text(verdict, words, sys.stdout.isatty())
    say(said)
    return verdict.code


def _say_challenge(gate: Gate, json_wanted: bool) -> None:
    digits = gate.challenge()
    if json_wanted:
        say(to_json({"challenge": digits, "seconds": CHALLENGE_SECONDS}))
        return
    shown = f"{digits[:3]} {digits[3:6]} {digits[6:]}"
    sentence = _("Let the holder type these digits within {n} seconds, then scan the answer.")
    say(f"    {shown}\n{sentence.format(n=CHALLENGE_SECONDS)}\n")


def _say_picture_problem(problem: PictureProblem, json_wanted: bool) -> None:
    if json_wanted:
        look = {"word": _("No code"), "colour": str(Colour.AMBER), "icon": "question"}
        say(to_json({"code": problem.code, "admitted": False, **look, "sentence": problem.sentence}))
    else:
        say(f"{problem.code}: {problem.sentence}\n")


def _say_synced(synced: Synced, json_wanted: bool) -> None:
    names = {"key_list": synced.key_list, "bundle": synced.bundle}
    if json_wanted:
        say(to_json({name: asdict(one) if one is not None else None for name, one in names.items()}))
        return
    for line in _synced_lines(synced):
        say(line)


def _synced_lines(synced: Synced) -> Iterator[str]:
    for what, one in ((_("Key list"), synced.key_list), (_("Bundle"), synced.bundle)):
        if one is None:
            yield _("{what}: not asked for, since there is no valid key list to check it by.").format(what=what)
        elif isinstance(one, FetchFailed):
            yield f"{what}: {one.code}: {one.sentence}"
        elif isinstance(one, Refused):
            yield _("{what}: refused ({reason}); what was in force stays.").format(what=what, reason=one.reason)
        elif one.changed:
            yield _("{what}: version {n} is in force now.").format(what=what, n=one.version)
        else:
            yield _("{what}: version {n} is still the newest.").format(what=what, n=one.version)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        sentence = _("{message}. See: {program} --help")
        raise GateError("bad_arguments", sentence.format(message=message, program=self.prog))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="truestub-gate", description=_("Checks tickets at a gate, with no network."))
    default = os.environ.get(DATA_VARIABLE) or str(Path.home() / ".truestub-gate")
    parser.add_argument("--data", type=Path, default=Path(default), help=_("this gate's folder"))
    commands = parser.add_subparsers(required=True)

    one = _command(commands, "init", init, _("set up a new gate"), json_too=False)
    one.add_argument("--root", type=Path, required=True, help=_("the trust root, as `truestub keys root` prints it"))
    one.add_argument("--event", required=True, help=_("the event's id or short name"))
    one.add_argument("--number", type=int, required=True, help=_("this gate's number, as it was enrolled"))
    one.add_argument("--server", required=True, help=_("the platform's address"))
    one.add_argument("--token-file", type=Path, required=True, help=_("a file with the token this gate was given"))

    _command(commands, "sync", sync_now, _("fetch keys and tickets from the platform"))

    one = _command(commands, "scan", scan, _("check codes: a line each from standard input, or from pictures"))
    one.add_argument("--picture", type=Path, nargs="+", metavar="FILE", help=_("read these pictures instead"))
    _no_network(one)

    _no_network(_command(commands, "challenge", challenge, _("let a wallet whose clock is wrong answer nine digits")))
    _no_network(_command(commands, "status", status, _("say how old the data is and what that risks")))
    return parser


def _command(
    commands: "argparse._SubParsersAction[_Parser]",
    name: str,
    command: Callable[[argparse.Namespace, Folder], int],
    help_: str,
    json_too: bool = True,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help_, description=help_)
    parser.set_defaults(command=command)
    if json_too:
        parser.add_argument("--json", action="store_true", help=_("one JSON object a line"))
    return parser


def _no_network(parser: argparse.ArgumentParser) -> None:
    sentence = _("end at once if anything in this program touches the network")
    parser.add_argument("--no-network", action="store_true", help=sentence)

"""One command keeps the processes of a host running, and takes them all with it when it goes."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

from backend.ops.supervise import Program, supervise

DEADLINE_SECONDS = 20


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def sleeper(name: str) -> Program:
    return Program(name, [sys.executable, "-c", "import time; time.sleep(600)"])


def test_a_killed_process_is_started_again_and_stop_leaves_none_behind() -> None:
    stop = threading.Event()
    pids: list[tuple[str, int]] = []
    deaths: list[tuple[str, int]] = []

    def say(name: str, what: str, number: int) -> None:
        (pids if what == "started" else deaths).append((name, number))

    thread = threading.Thread(target=supervise, args=([sleeper("web"), sleeper("work")], stop, None, say))
    thread.start()
    try:
        wait_until(lambda: len(pids) == 2)
        os.kill(pids[0][1], signal.SIGKILL)
        wait_until(lambda: len(pids) == 3)
        assert pids[2][0] == "web"
        assert deaths == [("web", -signal.SIGKILL)]
    finally:
        stop.set()
        thread.join(DEADLINE_SECONDS)
    assert not any(alive(pid) for _, pid in pids)


def test_killing_the_supervisor_ends_its_children(tmp_path: Path) -> None:
    script = textwrap.dedent(f"""
        import sys, threading
        sys.path.insert(0, {str(Path.cwd())!r})
        from backend.ops.supervise import Program, supervise
        program = Program("web", [sys.executable, "-c", "import time; time.sleep(600)"])
        out = open({str(tmp_path / "pid")!r}, "w")
        supervise([program], threading.Event(), None, lambda name, what, pid: print(pid, file=out, flush=True))
    """)
    supervisor = subprocess.Popen([sys.executable, "-c", script])
    pid_file = tmp_path / "pid"
    try:
        wait_until(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
    finally:
        supervisor.kill()
        supervisor.wait()
    pid = int(pid_file.read_text())
    wait_until(lambda: not alive(pid))

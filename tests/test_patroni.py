"""The configuration that docs/operating/postgresql.md shows is one that Patroni takes."""

import socket
import subprocess
from contextlib import ExitStack
from pathlib import Path

import yaml  # type: ignore[import-untyped]

from tests.support.patroni import HOSTS, LOOPBACK, PROGRAMS, TOP, Ports


def test_patroni_takes_the_documented_configuration(tmp_path: Path) -> None:
    assert refused(tmp_path, "ttl: 20 ", "ttl: 20 ") == ""


def test_patroni_refuses_a_lease_that_is_no_number(tmp_path: Path) -> None:
    """What shows that the validation above looks."""
    assert "bootstrap.dcs.ttl" in refused(tmp_path, "ttl: 20 ", "ttl: long ")


def test_the_documented_configuration_waits_for_a_standby(tmp_path: Path) -> None:
    cluster = yaml.safe_load(Ports().render(0, tmp_path))["bootstrap"]["dcs"]
    assert cluster["synchronous_mode"] is cluster["synchronous_mode_strict"] is True
    assert cluster["postgresql"]["parameters"]["synchronous_commit"] == "on"


def refused(folder: Path, before: str, after: str) -> str:
    """What `patroni --validate-config` says of the page with one thing replaced; nothing if it is good."""
    subprocess.run(["make", "--silent", ".venv-patroni/.ready"], cwd=TOP, check=True, timeout=300)
    ports = Ports()
    text = ports.render(0, folder)
    assert before in text
    (folder / "patroni.yml").write_text(text.replace(before, after))
    with ExitStack() as stack:
        for host in HOSTS:  # Patroni asks whether etcd is there
            listener = stack.enter_context(socket.socket())
            listener.bind((LOOPBACK, ports.of(host, 2379)))
            listener.listen()
        command = [str(PROGRAMS / "patroni"), "--validate-config", str(folder / "patroni.yml")]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode == 0) == (not done.stderr), done.stdout
    return done.stderr

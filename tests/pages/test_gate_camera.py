"""The gate's camera: what is held before it is judged once for each time it is shown."""

import time
from itertools import groupby
from pathlib import Path

from tests.pages.camera import code_picture, film
from tests.pages.conftest import Phone
from tests.pages.gate_page import GatePage, shown_verdicts
from tests.pages.gate_world import GateWorld

SHOWN, AWAY = 3.0, 2.4  # seconds; the film is a loop


def test_code_before_the_camera_is_admitted_and_shown_again_is_used(
    a_phone: Phone, site: str, world: GateWorld, tmp_path: Path
) -> None:
    shown_at = int(time.time())
    camera = film(tmp_path / "camera.y4m", [(code_picture(world.full()), SHOWN), (None, AWAY)])
    gate = GatePage.visit(a_phone(camera=camera, service_workers="block"), site, world).set_up()
    gate.page.clock.set_fixed_time(shown_at + 5)  # however long the machine takes, the code stays fresh
    gate.with_camera()
    gate.await_verdict("already_used")
    assert [code for code, _again in groupby(shown_verdicts(gate.page))] == ["admit", "already_used"]
    assert not gate.watched.complaints

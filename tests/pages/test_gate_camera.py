"""The gate's camera: what is held before it is judged once for each time it is shown."""

from pathlib import Path

from playwright.sync_api import expect

from tests.pages.camera import code_picture, film
from tests.pages.conftest import Phone
from tests.pages.gate_page import GatePage
from tests.pages.gate_world import GateWorld

SHOWN, AWAY = 3.0, 2.4  # seconds
WAIT_MS = 40_000  # on a busy machine


def test_code_before_the_camera_is_admitted_and_shown_again_is_used(
    a_phone: Phone, site: str, world: GateWorld, tmp_path: Path
) -> None:
    camera = film(tmp_path / "camera.y4m", [(code_picture(world.full(age=-5)), SHOWN), (None, AWAY)])
    gate = GatePage.visit(a_phone(camera=camera, service_workers="block"), site, world).set_up()
    gate.page.clock.set_system_time(world.now)
    gate.with_camera()
    expect(gate.page.locator("#gate-verdict[data-code=admit]")).to_be_visible(timeout=WAIT_MS)
    expect(gate.page.locator("#gate-verdict[data-code=already_used]")).to_be_visible(timeout=WAIT_MS)
    assert not gate.watched.complaints

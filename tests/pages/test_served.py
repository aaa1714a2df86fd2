"""What the pages weigh, and that the modules that are served decide as the vectors say."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Response

from tests.pages.gate_page import small_phone
from tests.vectors.make_credential import PATH as VECTORS

BUDGET_BYTES = 400_000  # of a page with all it loads, as it goes over the wire, without the decoder's program
RUNNER = Path(__file__).parents[1] / "verifier" / "run_vectors.mjs"
RUN = """async (vectors) => {
  const from = (room, name) => import(`/static/${room}/web/${name}.js`);
  const names = ["body", "bundle", "codes", "digits", "keylist", "wire"];
  const modules = await Promise.all(names.map((name) => from("credential", name)));
  const rooms = Object.fromEntries(names.map((name, at) => [name, modules[at]]));
  const { runVectors } = await import("/static/run_vectors.mjs");
  return runVectors(vectors, { ...rooms, check: await from("verifier", "check") });
}"""


def test_vectors_in_chromium(browser: Browser, site: str) -> None:
    vectors: dict[str, Any] = json.loads(VECTORS.read_text())
    with small_phone(browser) as context:
        context.route(
            "**/static/run_vectors.mjs", lambda route: route.fulfill(path=RUNNER, content_type="text/javascript")
        )
        page = context.new_page()
        page.goto(f"{site}/gate/en")
        found = page.evaluate(RUN, {**vectors, "flips": vectors["flips"][2:]})  # every flip is run in node
    assert found["differences"] == []
    assert found["compared"] >= 900


@pytest.mark.parametrize("name", ["gate", "wallet"])
def test_page_is_light(browser: Browser, site: str, name: str) -> None:
    sizes: dict[str, int] = {}

    def weigh(answer: Response) -> None:
        sizes[answer.url] = len(answer.body())

    with small_phone(browser) as context:
        page = context.new_page()
        page.on("requestfinished", lambda request: weigh(answer) if (answer := request.response()) else None)
        page.goto(f"{site}/{name}/zh", wait_until="networkidle")
        worker = context.request.get(f"{site}/{name}-worker.js").text()
        for address in json.loads(worker.partition("=")[2].partition(";\n")[0])["files"]:
            url = site + address
            if url not in sizes and not url.endswith(".wasm"):
                sizes[url] = len(context.request.get(url).body())
    assert len(sizes) > 20
    assert sum(sizes.values()) <= BUDGET_BYTES, sorted(sizes.items(), key=lambda one: -one[1])[:10]

/** The status page while it is open: when the server rings, the live part is fetched as the server renders it. */

import { localise } from "./times.js";

const ANSWER_MS = 8_000;
const LOOK_MS = 10_000; // between two looks without a line

const part = document.getElementById("live");

async function look() {
  try {
    const answer = await fetch("/status", { headers: { Accept: "text/html" }, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
    if (fresh === null) return;
    part.replaceChildren(...fresh.childNodes);
    localise(part);
  } catch {
    // the page keeps what it knew; the next look may succeed
  }
}

const stream = new EventSource(part.dataset.stream);
stream.addEventListener("message", look);
stream.addEventListener("error", () => {
  if (stream.readyState === EventSource.CLOSED) setInterval(look, LOOK_MS);
});

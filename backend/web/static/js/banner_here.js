/** The banner of a page that the server made: what waits or is down, as the server tells it while the page lies open. */

const ANSWER_MS = 5_000;
const LOOK_MS = 7_000; // the server's word is at most 3 s old

const holder = document.getElementById("banner");

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/banner", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
    if (fresh.textContent.trim() !== holder.textContent.trim()) holder.replaceChildren(...fresh.childNodes);
  } catch {
    // the page keeps what it knew; the next look may succeed
  }
}

setInterval(look, LOOK_MS);
document.addEventListener("visibilitychange", look);

/**
 * An order's page while it is open: the clock of the hold, and progress as it happens.
 *
 * The server rings (server-sent events) when something changed; where it has no line free, or none gets through, the
 * page is looked at every few seconds instead. Either way the live part comes ready-made from the server.
 */

import { offerWallet } from "./chain_wallet.js";

const LOOK_MS = 3_000; // between two looks without a line
const LONGEST_LOOK_MS = 30_000; // while the server does not answer, or nothing is waited for
const ANSWER_MS = 8_000;
const WARN_SECONDS = [120, 30]; // of the hold: said aloud

const part = document.getElementById("progress");
const said = document.getElementById("said");
const address = part.dataset.address;
let tag = null;
let pause = LOOK_MS;

/** Fetches the live part; true if the server answered. */
async function look() {
  try {
    const headers = tag === null ? {} : { "If-None-Match": tag };
    const answer = await fetch(`${address}/progress`, { headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.status === 304) return true;
    if (!answer.ok) return false;
    tag = answer.headers.get("ETag");
    put(await answer.text());
    return true;
  } catch {
    return false;
  }
}

function put(html) {
  const state = part.querySelector("h1")?.textContent;
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.replaceChildren(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
  if (focused) document.getElementById(focused)?.focus();
  const now = part.querySelector("h1")?.textContent ?? "";
  if (now !== state) {
    said.textContent = now;
    if (document.querySelector("main > form") || part.querySelector(".hold")) location.reload(); // other buttons belong to it
  }
  startClock();
  offerWallet(part);
}

function follow() {
  const stream = new EventSource(`${address}/stream`);
  stream.addEventListener("message", look);
  stream.addEventListener("error", () => {
    if (stream.readyState === EventSource.CLOSED) lookOften();
  });
}

async function lookOften() {
  pause = (await look()) ? LOOK_MS : Math.min(LONGEST_LOOK_MS, pause * 2);
  setTimeout(lookOften, pause);
}

let ticking = 0;

function startClock() {
  clearInterval(ticking);
  const hold = part.querySelector("[data-left]");
  if (hold === null) return;
  const ends = Date.now() + Number(hold.dataset.left); // a difference, so a wrong clock does no harm
  const clock = hold.querySelector(".clock");
  clock.hidden = false;
  const tick = () => {
    const left = Math.max(0, Math.round((ends - Date.now()) / 1000));
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    hold.classList.toggle("late", left <= WARN_SECONDS[0]);
    if (WARN_SECONDS.includes(left)) said.textContent = clock.textContent;
    if (left === 0) {
      clearInterval(ticking);
      setTimeout(() => location.reload(), 1_000);
    }
  };
  tick();
  ticking = setInterval(tick, 1_000);
}

/** A form is sent once; its button says so. A page put back by the browser can be used again. */
function sendOnce(form) {
  const button = form.querySelector("button");
  const words = button.textContent;
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    button.textContent = form.dataset.once;
  });
  addEventListener("pageshow", () => {
    delete form.dataset.sent;
    button.textContent = words;
  });
}

/** More time without loading the page again: what is being typed below stays. */
async function extend(event) {
  const form = event.target.closest("form[data-extend]");
  if (form === null) return;
  event.preventDefault();
  const before = part.querySelector("[data-left]")?.dataset.left; // now: the stream may tell of it before the answer does
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok || !(await look()) || part.querySelector("[data-left]")?.dataset.left === before) throw new Error();
    said.textContent = form.dataset.said;
  } catch {
    form.submit(); // the page says what is in the way
  }
}

function offerCopy(receipt) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "second";
  button.textContent = receipt.dataset.copy;
  button.addEventListener("click", async () => {
    receipt.select();
    try {
      await navigator.clipboard.writeText(receipt.value);
      button.textContent = receipt.dataset.copied;
    } catch {
      document.execCommand("copy"); // plain HTTP has no clipboard
    }
  });
  receipt.after(button);
}

document.documentElement.classList.add("scripted");
for (const form of document.querySelectorAll("form[data-once]")) sendOnce(form);
for (const receipt of document.querySelectorAll("textarea[data-copy]")) offerCopy(receipt);
part.addEventListener("submit", extend);
startClock();
offerWallet(part);
follow();
addEventListener("pageshow", ({ persisted }) => persisted && location.reload()); // the back button shows what is, not what was

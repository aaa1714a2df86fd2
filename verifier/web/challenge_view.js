/** A challenge: nine digits for the holder to type into the wallet, for 60 s (SPEC 3.4, 6.5). */

import { fill, h } from "/static/js/dom.js";
import { _ } from "/static/js/messages.js";
import { CHALLENGE_SECONDS } from "./steps.js";

const TICK_MS = 250;

export class ChallengeView {
  constructor(element) {
    this.element = element;
    this.open = null; // {digits, startedAt}: startedAt by a clock that nobody can set
    this.timer = 0;
  }

  /** Shows new digits; `gateNumber` are the first three. */
  start(gateNumber) {
    const digits = randomBelow(1_000_000);
    this.open = { digits, startedAt: performance.now() };
    const nine = String(gateNumber).padStart(3, "0") + String(digits).padStart(6, "0");
    const left = h("p", { class: "challenge-left", role: "timer" });
    fill(
      this.element,
      h("h2", {}, _("Let them type these digits")),
      h("p", { class: "challenge-digits", "aria-label": [...nine].join(" ") },
        [0, 3, 6].map((at) => h("span", {}, nine.slice(at, at + 3)))),
      h("p", {}, _("In the wallet: open the ticket, tap “Gate asks for digits”, type them, and show the new code.")),
      left,
      h("button", { type: "button", onclick: () => this.close() }, _("Cancel")),
    );
    this.element.hidden = false;
    this.element.dataset.digits = nine;
    clearInterval(this.timer);
    const tick = () => {
      const seconds = CHALLENGE_SECONDS - this.ageSeconds;
      left.textContent = _("{n} s left", { n: Math.max(0, Math.ceil(seconds)) });
      if (seconds <= 0) this.hide();
    };
    this.timer = setInterval(tick, TICK_MS);
    tick();
  }

  /** What the check is told of it; it stays open past its time, so that a late answer is called late. */
  get view() {
    return this.open === null ? null : { digits: this.open.digits, ageSeconds: this.ageSeconds };
  }

  get ageSeconds() {
    return (performance.now() - this.open.startedAt) / 1000;
  }

  /** It was answered or called off: its digits are worth nothing from here on. */
  close() {
    this.open = null;
    this.hide();
  }

  hide() {
    clearInterval(this.timer);
    this.element.hidden = true;
    delete this.element.dataset.digits;
  }
}

function randomBelow(limit) {
  const most = Math.floor(2 ** 32 / limit) * limit; // above it the remainder would favour low numbers
  for (;;) {
    const [value] = crypto.getRandomValues(new Uint32Array(1));
    if (value < most) return value % limit;
  }
}

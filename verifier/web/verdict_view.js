/** The full-screen verdict: word, icon, colour, what the ticket is good for, why, and what to do next. */

import { fill, h, icon } from "/static/js/dom.js";
import { _ } from "/static/js/messages.js";
import { iconPath } from "./icons.js";
import { placeOf, wordsFor } from "./words.js";

const ADMIT_MS = 4_000; // then back to the camera: one green, one person
const CHALLENGE_HELPS = new Set(["stale", "early", "gate_clock", "wrong_challenge", "challenge_expired"]);

export class VerdictView {
  /** `element` covers the scanner; `onChallenge` starts a challenge. */
  constructor(element, onChallenge) {
    this.element = element;
    this.onChallenge = onChallenge;
    this.timer = 0;
    element.addEventListener("click", (event) => {
      if (!event.target.closest("button")) this.hide();
    });
  }

  show(verdict, now) {
    const words = wordsFor(verdict, now);
    const { ticket, code } = verdict;
    this.element.className = `verdict ${words.colour}`;
    this.element.dataset.code = code;
    fill(
      this.element,
      h("div", { class: "verdict-words", role: "alert" },
        icon(iconPath(words.icon)),
        h("p", { class: "verdict-word" }, words.word),
        ticket && h("p", { class: "verdict-place" }, placeOf(ticket).map((part) => h("span", {}, part))),
        h("p", { class: "verdict-why" }, words.sentence),
        h("p", { class: "verdict-advice" }, words.advice)),
      h("div", { class: "verdict-buttons" },
        CHALLENGE_HELPS.has(code) &&
          h("button", { type: "button", onclick: () => { this.hide(); this.onChallenge(); } }, _("Start a challenge")),
        h("button", { type: "button", class: "next", onclick: () => this.hide() }, _("Next"))),
    );
    this.element.hidden = false;
    clearTimeout(this.timer);
    if (code === "admit") this.timer = setTimeout(() => this.hide(), ADMIT_MS);
    return words;
  }

  hide() {
    clearTimeout(this.timer);
    this.element.hidden = true;
    delete this.element.dataset.code;
  }
}

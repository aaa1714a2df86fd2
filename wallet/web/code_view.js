/**
 * The code, full screen: black on white in every theme, as large as the screen allows, new every 10 s, with a ring that
 * says how long. Swipe or tap for the next ticket: a group shows several without handing the phone back.
 */

import { decodeCredential } from "../../credential/web/body.js";
import { answerChallenge, presentCompact, presentFull } from "../../credential/web/codes.js";
import { fill, h, icon, say } from "/static/js/dom.js";
import { _ } from "/static/js/messages.js";
import { signerFor } from "./device_key.js";
import { iconPath } from "./icons.js";
import { placeWords } from "./list_view.js";
import { drawCode } from "./qr.js";
import { troubleSentence } from "./troubles.js";

const ROTATE_SECONDS = 10;
const ANSWER_SECONDS = 60; // so long the gate waits (SPEC 6.5)
const TICK_MS = 200;
const SWIPE_PIXELS = 50;
const BELOW = 330; // CSS pixels for what stands above and below it

export class CodeView {
  /** `vault` holds the keys; `onClose()` when the holder is done; `onLost(ticket)` when a key is gone. */
  constructor(element, vault, onClose, onLost) {
    Object.assign(this, { element, vault, onClose, onLost, tickets: [], at: 0, isFull: false, answer: null });
    this.picture = h("div", { class: "code-space" });
    this.ring = h("circle", { cx: "18", cy: "18", r: "15.9155", pathLength: "100" }); // 100 around
    this.left = h("span", { class: "code-left" });
    this.place = h("p", { class: "code-place" });
    this.heading = h("h2", { id: "code-event", class: "code-event", tabindex: "-1" });
    element.setAttribute("aria-labelledby", "code-event");
    this.status = h("p", { class: "visually-hidden", role: "status" });
    this.fullButton = h("button", { type: "button", class: "quiet", onclick: () => this.setFull(!this.isFull) });
    this.dialog = h("dialog", { "aria-labelledby": "digits-title" });
    this.timer = 0;
    this.slot = null;
    element.addEventListener("pointerdown", (event) => { this.from = event; });
    element.addEventListener("pointerup", (event) => this.onSwipe(event));
    addEventListener("keydown", (event) => this.onKey(event));
    addEventListener("resize", () => { this.slot = null; });
    document.addEventListener("visibilitychange", () => this.holdAwake());
  }

  /** Shows `tickets` (all with credential and key), beginning with the one at `at`. */
  async show(tickets, at) {
    Object.assign(this, { tickets, isFull: false });
    this.build();
    this.element.hidden = false;
    this.go(at);
    this.heading.focus();
    clearInterval(this.timer);
    this.timer = setInterval(() => this.tick(), TICK_MS);
    await this.holdAwake();
  }

  close() {
    clearInterval(this.timer);
    this.element.hidden = true;
    this.wakeLock?.release().catch(() => {});
    this.onClose();
  }

  build() {
    const many = this.tickets.length > 1;
    const step = (name, words, by) =>
      h("button", { type: "button", class: "quiet step", "aria-label": words, onclick: () => this.go(this.at + by) }, icon(iconPath(name)));
    fill(this.element,
      h("div", { class: "code-head" },
        h("div", {}, this.heading, this.place),
        h("button", { type: "button", class: "quiet step", "aria-label": _("Close"), onclick: () => this.close() }, icon(iconPath("close")))),
      this.picture,
      h("div", { class: "code-turn" },
        many && step("back", _("Previous ticket"), -1),
        h("div", { class: "code-ring", "aria-hidden": "true" },
          h("svg", { viewBox: "0 0 36 36" }, h("circle", { cx: "18", cy: "18", r: "15.9155", class: "track" }), this.ring), this.left),
        many && step("next", _("Next ticket"), 1)),
      h("p", { class: "code-hint" }, icon(iconPath("sun")), _("Turn the brightness up, and hold still.")),
      h("div", { class: "code-buttons" },
        this.fullButton,
        h("button", { type: "button", class: "quiet", onclick: () => this.askDigits() },
          icon(iconPath("digits")), _("Gate asks for digits"))),
      this.status, this.dialog);
  }

  go(at) {
    const count = this.tickets.length;
    this.at = (at + count) % count;
    const ticket = this.tickets[this.at];
    const place = placeWords(ticket);
    say(this.heading, ticket.event.name);
    say(this.place, count > 1 ? _("{place} · ticket {at} of {of}", { place, at: this.at + 1, of: count }) : place);
    say(this.status, this.place.textContent);
    this.answer = null;
    this.setFull(this.isFull);
  }

  setFull(isFull) {
    this.isFull = isFull;
    this.answer = null;
    fill(this.fullButton, icon(iconPath("expand")), isFull ? _("Show small code") : _("Show full code"));
    this.fullButton.setAttribute("aria-pressed", String(isFull));
    this.slot = null;
    this.tick();
  }

  /** Draws anew when a new span of 10 s has begun; turns the ring. */
  async tick() {
    const now = Date.now() / 1000;
    if (this.answer !== null) {
      const left = ANSWER_SECONDS - (performance.now() - this.answer.since) / 1000;
      if (left > 0) this.turn(left / ANSWER_SECONDS, left);
      else this.setFull(this.isFull);
      return;
    }
    const slot = Math.floor(now / ROTATE_SECONDS);
    this.turn(1 - (now / ROTATE_SECONDS - slot), ROTATE_SECONDS * (slot + 1) - now);
    if (slot === this.slot) return;
    this.slot = slot;
    await this.draw(this.isFull ? "full" : "compact", Math.floor(now));
  }

  async draw(kind, now, nineDigits = null) {
    const ticket = this.tickets[this.at];
    const turn = this.drawing = {};
    const credential = decodeCredential(ticket.credential);
    try {
      const key = await this.vault.key(ticket.ticketId, "current");
      const sign = signerFor(key);
      const digits = await {
        full: () => presentFull(credential, now, sign),
        compact: () => presentCompact(credential, ticket.eventIndex, now, sign),
        answer: () => answerChallenge(credential, nineDigits, now, sign),
      }[kind]();
      if (turn !== this.drawing) return; // the holder has gone on meanwhile
      const space = Math.min(innerWidth, Math.max(200, innerHeight - BELOW));
      drawCode(this.picture, digits, space);
      this.picture.dataset.kind = kind;
      this.picture.dataset.ticket = ticket.ticketId;
    } catch {
      this.close();
      this.onLost(ticket);
    }
  }

  turn(share, seconds) {
    this.ring.setAttribute("stroke-dasharray", `${Math.max(0, share * 100)} 100`);
    say(this.left, String(Math.ceil(seconds)));
  }

  // A gate's challenge.

  askDigits() {
    const field = h("input", {
      id: "digits", inputmode: "numeric", autocomplete: "off", maxlength: "11", enterkeyhint: "done",
      "aria-describedby": "digits-problem",
    });
    const problem = h("p", { id: "digits-problem", class: "bad", role: "alert" });
    const submit = (event) => {
      event.preventDefault();
      const nine = field.value.replace(/\s/g, "");
      if (!/^[0-9]{9}$/.test(nine) || nine.startsWith("000")) {
        fill(problem, troubleSentence("digits_wrong"));
        field.focus();
        return;
      }
      this.dialog.close();
      this.answerWith(nine);
    };
    fill(this.dialog,
      h("h2", { id: "digits-title" }, _("The gate's nine digits")),
      h("form", { onsubmit: submit },
        h("label", { for: "digits" }, _("Type what stands on the gate's screen")),
        field, problem,
        h("button", { type: "submit" }, _("Show the answer")),
        h("button", { type: "button", class: "quiet", onclick: () => this.dialog.close() }, _("Cancel"))));
    this.dialog.showModal();
    field.focus();
  }

  async answerWith(nine) {
    this.answer = { since: performance.now() };
    await this.draw("answer", Math.floor(Date.now() / 1000), nine);
    say(this.status, _("Answer shown. Hold it before the gate."));
  }

  // Going from ticket to ticket; the screen stays on.

  onSwipe(event) {
    if (this.from === undefined || event.target.closest("button, dialog") || this.tickets.length < 2) return;
    const [across, down] = [event.clientX - this.from.clientX, event.clientY - this.from.clientY];
    if (Math.abs(across) > SWIPE_PIXELS && Math.abs(across) > Math.abs(down)) this.go(this.at + (across < 0 ? 1 : -1));
  }

  onKey(event) {
    if (this.element.hidden || this.dialog.open) return;
    if (event.key === "Escape") this.close();
    if (this.tickets.length > 1 && event.key === "ArrowRight") this.go(this.at + 1);
    if (this.tickets.length > 1 && event.key === "ArrowLeft") this.go(this.at - 1);
  }

  async holdAwake() {
    if (document.hidden || this.element.hidden) return;
    try {
      this.wakeLock = await navigator.wakeLock?.request("screen");
    } catch {
      this.wakeLock = undefined; // the screen dims as usual
    }
  }
}

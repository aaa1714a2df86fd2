/** What fills the page before and beside the camera: setting up, getting ready, the USB scanner's stand-by, troubles. */

import { fill, h, icon } from "/static/js/dom.js";
import { _, clockTime } from "/static/js/messages.js";
import { iconPath } from "./icons.js";
import { languageLink } from "./menu_view.js";
import { troubleSentence } from "./troubles.js";

export class StageView {
  constructor(element) {
    this.element = element;
  }

  hide() {
    this.element.hidden = true;
  }

  /** Paste or scan the set-up code. `onCode(text)` answers a problem's code or null. */
  setUp(onCode, onCamera, problem = null) {
    const field = h("textarea", {
      id: "setup-code", rows: "5", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      "aria-describedby": "setup-problem",
    });
    const trouble = h("p", { id: "setup-problem", class: "trouble", role: "alert" }, problem && troubleSentence(problem));
    const submit = async (event) => {
      event.preventDefault();
      const found = await onCode(field.value.trim());
      if (found !== null) fill(trouble, troubleSentence(found));
    };
    this.put("setup",
      h("h2", {}, _("Set up this gate")),
      h("p", {}, _("Enrol the gate on the server. It prints a set-up code: scan it here, or paste it.")),
      h("p", { class: "small" }, _("The code is a secret: whoever has it can download this event's ticket list.")),
      h("form", { onsubmit: submit },
        h("label", { for: "setup-code" }, _("Set-up code")),
        field,
        trouble,
        h("button", { type: "submit" }, _("Set up")),
        h("button", { type: "button", class: "quiet", onclick: onCamera }, icon(iconPath("camera")), _("Scan it with the camera"))),
      languageLink());
  }

  /** Before scanning: what is ready, what is not. A tap is needed for camera and sound. */
  ready({ eventName, gateName, checks, onStart, onScannerOnly }) {
    this.put("ready",
      h("h2", {}, eventName),
      h("p", { class: "ready-gate" }, gateName),
      h("ul", { class: "ready-checks" }, checks.map(({ good, sentence }) =>
        h("li", { class: good ? "good" : "careful" }, icon(iconPath(good ? "check" : "warning")), h("span", {}, sentence)))),
      h("button", { type: "button", class: "big", onclick: onStart }, icon(iconPath("camera")), _("Start scanning")),
      h("button", { type: "button", class: "quiet", onclick: onScannerOnly },
        icon(iconPath("keyboard")), _("Use a USB scanner only")));
  }

  /** Waiting for a USB scanner; `problem` says why there is no camera, if one was wanted. */
  scannerOnly(problem, onCamera) {
    this.put("scanner",
      icon(iconPath("keyboard")),
      h("h2", {}, _("Ready for the USB scanner")),
      problem && h("p", { class: "trouble", role: "alert" }, troubleSentence(problem)),
      h("button", { type: "button", class: "quiet", onclick: onCamera },
        icon(iconPath("camera")), problem ? _("Try the camera again") : _("Use the camera")));
  }

  /** Nothing can be done here. */
  trouble(problem) {
    this.put("stopped", icon(iconPath("warning")), h("p", { class: "trouble", role: "alert" }, troubleSentence(problem)));
  }

  put(name, ...children) {
    this.element.dataset.stage = name;
    fill(this.element, children);
    this.element.hidden = false;
  }
}

/** What the staff should know before they begin, as lines of the ready screen. */
export function readyChecks({ bundle, problem, isKept, isOffline, hasTime, clockOffset }) {
  const minutes = Math.round(Math.abs(clockOffset ?? 0) / 60);
  return [
    bundle === null
      ? { good: false, sentence: troubleSentence(problem ?? "none_yet") }
      : { good: true, sentence: _("Ticket list of {time}", { time: clockTime(bundle.rowsThrough) }) },
    isOffline
      ? { good: true, sentence: _("Works without the server") }
      : { good: false, sentence: troubleSentence("worker_refused") },
    isKept
      ? { good: true, sentence: _("The browser keeps this gate's memory") }
      : { good: false, sentence: _("The browser may clear this gate's memory by itself: keep the page open") },
    !hasTime
      ? { good: false, sentence: _("Clock not compared with the server yet") }
      : minutes === 0
        ? { good: true, sentence: _("Clock agrees with the server") }
        : { good: false, sentence: _("Clock is {n} min wrong: set it before you begin", { n: minutes }) },
  ];
}

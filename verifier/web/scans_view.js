/** The last scans, newest first. */

import { fill, h, icon } from "/static/js/dom.js";
import { _, clockTime } from "/static/js/messages.js";
import { iconPath } from "./icons.js";
import { placeOf, wordsFor } from "./words.js";

const KEPT = 50;

export class ScansView {
  constructor(element) {
    this.element = element;
    this.list = h("ol", { class: "scans-list" });
    this.count = 0;
    this.empty = h("p", { class: "scans-empty" }, _("No scans yet."));
    element.setAttribute("aria-labelledby", "scans-title");
    element.tabIndex = 0; // so that keys can scroll it
    fill(element, h("h2", { id: "scans-title" }, _("Last scans")), this.empty, this.list);
  }

  add(verdict, at) {
    const words = wordsFor(verdict, at);
    const place = verdict.ticket === null ? words.sentence : placeOf(verdict.ticket).join(" · ");
    this.list.prepend(
      h("li", { class: words.colour, "data-code": verdict.code },
        icon(iconPath(words.icon)),
        h("span", { class: "scan-word" }, words.word),
        h("span", { class: "scan-place" }, place),
        h("time", { datetime: new Date(at * 1000).toISOString() }, clockTime(at))),
    );
    this.list.children[KEPT]?.remove();
    this.empty.hidden = true;
  }
}

/** The strip at the top, never covered: how old the data is, what was not handed over, and the risk in words. */

import { fill, h, say } from "/static/js/dom.js";
import { _, ngettext } from "/static/js/messages.js";
import { riskOf } from "./risk.js";

export class StatusView {
  constructor(element) {
    this.element = element;
    this.line = h("p", { class: "status-line" });
    this.age = h("span", { class: "status-age" });
    this.waiting = h("span", { class: "status-waiting" });
    this.admitted = h("span", { class: "status-admitted" });
    this.risk = h("p", { class: "status-risk", role: "status" });
    this.more = h("details", { class: "status-more", hidden: true });
    this.shown = null;
    fill(this.line, this.age, this.waiting, this.admitted);
    fill(element, this.line, this.risk, this.more);
  }

  /** `view` as in `riskOf`, with `admitted`: how many this gate let in. */
  show(view) {
    const { level, age, risks } = riskOf(view);
    this.element.dataset.level = level;
    say(this.age, age);
    say(this.waiting, ngettext("{n} unsent", "{n} unsent", view.waiting));
    say(this.admitted, ngettext("{n} let in", "{n} let in", view.admitted));
    this.waiting.classList.toggle("some", view.waiting > 0);
    say(this.risk, risks[0] ?? _("The server knows every admission, and this gate all that the server knows."));
    this.showMore(risks.slice(1));
  }

  showMore(risks) {
    const text = risks.join("\n");
    if (this.shown === text) return;
    this.shown = text;
    this.more.hidden = risks.length === 0;
    fill(this.more,
      h("summary", {}, ngettext("{n} more to know", "{n} more to know", risks.length)),
      risks.map((risk) => h("p", {}, risk)));
  }
}

/** Below the tickets: bring an order here from elsewhere, and the ways to the shop's pages. */

import { fill, h } from "/static/js/dom.js";
import { _ } from "/static/js/messages.js";
import { troubleSentence } from "./troubles.js";

export class FootView {
  /** `onReceipt(text)` answers a problem's code or null. */
  constructor(element, onReceipt) {
    const field = h("textarea", {
      id: "receipt", rows: "3", autocomplete: "off", autocapitalize: "off", spellcheck: "false", "aria-describedby": "receipt-problem",
    });
    const problem = h("p", { id: "receipt-problem", class: "bad", role: "alert" });
    const submit = async (event) => {
      event.preventDefault();
      const found = await onReceipt(field.value);
      fill(problem, found && troubleSentence(found));
      if (found !== null) return;
      field.value = "";
      details.open = false;
    };
    const details = h("details", {},
      h("summary", {}, _("Bring an order here from another device")),
      h("form", { onsubmit: submit },
        h("label", { for: "receipt" }, _("Its receipt, one line that begins with truestub-receipt")),
        field, problem,
        h("button", { type: "submit", class: "quiet" }, _("Add the order"))));
    const link = (href, words) => h("a", { href }, words);
    fill(element, details,
      h("nav", { "aria-label": _("More") }, link("/", _("Events")), link("/orders", _("My tickets")), link("/status", _("Status"))));
  }
}

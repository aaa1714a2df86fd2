/**
 * What waits or is down, as the server tells it, above a page that works without it. While the server can't be asked,
 * nothing is said here: the page has its own words for that.
 */

import { fill, h } from "./dom.js";
import { _, language } from "./messages.js";

const ANSWER_MS = 5_000;
const REMEMBER_MS = 5_000; // a page that asks the server often asks this now and then
const LOOK_MS = 7_000; // the server's word is at most 3 s old

export class Banner {
  constructor(element) {
    Object.assign(this, { element, sentence: null, askedAt: -Infinity });
    element.setAttribute("aria-label", _("What waits"));
  }

  /** Asks now, and again and again while somebody looks at the page. */
  keepUp() {
    this.refresh();
    setInterval(() => document.hidden || this.refresh(), LOOK_MS);
  }

  /** Asks the server, unless it was asked just now. */
  async refresh() {
    if (performance.now() - this.askedAt < REMEMBER_MS) return;
    this.askedAt = performance.now();
    this.show(await ask());
  }

  show(sentence) {
    if (sentence === this.sentence) return;
    this.sentence = sentence;
    this.element.hidden = sentence === null;
    fill(this.element, sentence && h("p", {}, sentence, " · ", h("a", { href: "/status" }, _("See what works"))));
  }
}

async function ask() {
  try {
    const answer = await fetch("/api/v1/status", {
      headers: { Accept: "application/json", "Accept-Language": language() }, // the page's, whatever a cookie says
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return (await answer.json()).banner || null;
  } catch {
    return null;
  }
}

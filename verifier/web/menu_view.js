/** The buttons at the bottom, and what is behind "More". */

import { fill, h, icon } from "/static/js/dom.js";
import { _, clockTime } from "/static/js/messages.js";
import { iconPath } from "./icons.js";
import { troubleSentence } from "./troubles.js";

export class MenuView {
  /** `tools` holds the buttons, `dialog` the rest; `page` is the GatePage. */
  constructor(tools, dialog, page) {
    Object.assign(this, { tools, dialog, page, isLit: false });
    dialog.setAttribute("aria-label", _("This gate"));
  }

  show() {
    const { page } = this;
    const button = (name, words, onclick, more = {}) =>
      h("button", { type: "button", onclick, ...more }, icon(iconPath(name)), h("span", {}, words));
    fill(this.tools,
      button("digits", _("Challenge"), () => page.startChallenge(), { id: "gate-challenge-button" }),
      page.camera.hasTorch && button("torch", _("Torch"), () => this.turnTorch(), { "aria-pressed": String(this.isLit) }),
      button("menu", _("More"), () => this.open(), { id: "gate-more", "aria-haspopup": "dialog" }));
    this.tools.setAttribute("aria-label", _("This gate"));
    this.tools.hidden = !page.isSetUp;
  }

  async turnTorch() {
    this.isLit = !this.isLit;
    await this.page.camera.setTorch(this.isLit).catch(() => { this.isLit = false; });
    this.show();
  }

  open() {
    const { page } = this;
    const { bundle, keyList } = page.trust;
    const line = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
    fill(this.dialog,
      h("h2", {}, _("This gate")),
      page.problem && h("p", { class: "trouble" }, troubleSentence(page.problem)),
      page.banner.sentence && h("p", { class: "careful" }, page.banner.sentence),
      h("dl", {},
        line(_("Gate"), page.gateName),
        line(_("Event"), bundle?.eventName ?? page.trust.setup.event),
        bundle && line(_("Ticket list"), _("version {version}, of {time}", { version: bundle.version, time: clockTime(bundle.rowsThrough) })),
        bundle && line(_("Chain seen up to"), bundle.indexThrough ? clockTime(bundle.indexThrough) : _("nothing yet")),
        bundle && line(_("Tickets listed"), String(bundle.tickets.count)),
        keyList && line(_("Trusted keys until"), clockTime(keyList.expires)),
        line(_("Server last heard"), page.confirmedAt ? clockTime(page.confirmedAt) : _("not since this page was opened"))),
      h("div", { class: "menu-buttons" },
        h("button", { type: "button", onclick: () => this.syncNow() }, icon(iconPath("sync")), _("Sync now")),
        h("button", { type: "button", class: "quiet", "aria-pressed": String(!page.signals.muted), onclick: () => this.turnSound() },
          icon(iconPath("sound")), page.signals.muted ? _("Sound is off") : _("Sound is on")),
        h("button", { type: "button", class: "quiet", onclick: () => this.changeGate() }, icon(iconPath("gate")), _("Set up another gate")),
        h("button", { type: "button", class: "next", onclick: () => this.close() }, _("Close"))),
      languageLink());
    if (!this.dialog.open) this.dialog.showModal();
  }

  close() {
    if (this.dialog.open) this.dialog.close();
  }

  /** A problem that needs no change of what is on the screen. */
  tell(problem) {
    fill(this.dialog,
      h("p", { class: "trouble", role: "alert" }, troubleSentence(problem)),
      h("button", { type: "button", class: "next", onclick: () => this.close() }, _("Close")));
    if (!this.dialog.open) this.dialog.showModal();
  }

  async syncNow() {
    await this.page.sync();
    if (this.dialog.open) this.open(); // it was closed meanwhile: it must not come back over a scan
  }

  turnSound() {
    const { signals } = this.page;
    signals.muted = !signals.muted;
    signals.unlock();
    if (!signals.muted) signals.give("green");
    this.open();
  }

  changeGate() {
    this.close();
    this.page.camera.stop();
    this.page.askForSetup();
  }
}

const LANGUAGE_NAMES = Object.freeze({ "zh-Hans": "中文", en: "English" }); // each in its own words

/** To the same page in the other language. */
export function languageLink() {
  const { other, otherLang } = document.body.dataset;
  return h("p", {}, h("a", { href: other, lang: otherLang, hreflang: otherLang }, LANGUAGE_NAMES[otherLang]));
}

/** The wallet page: puts its parts together. */

import { Banner } from "/static/js/banner.js";
import { h, fill } from "/static/js/dom.js";
import { keepOffline } from "/static/js/install.js";
import { _, loadMessages } from "/static/js/messages.js";
import { bindTicket, refreshOrder } from "./binder.js";
import { clockOffset, handedOrders } from "./api.js";
import { CodeView } from "./code_view.js";
import { whyNoKeys } from "./device_key.js";
import { FootView } from "./foot_view.js";
import { ListView } from "./list_view.js";
import { parseReceipt } from "./receipt.js";
import { inOrder, needsRenewal, ticketState } from "./ticket_states.js";
import { clockSentence, troubleSentence } from "./troubles.js";
import { Vault } from "./vault.js";

const WAIT_MS = 2_000; // between looks at an order whose tickets are being made ready
const QUIET_MS = 60_000; // otherwise

const part = (name) => document.getElementById(`wallet-${name}`);
const now = () => Date.now() / 1000;

class WalletPage {
  constructor() {
    this.list = new ListView(part("list"), {
      onShow: (ticket) => this.showCode(ticket),
      onMoveHere: (ticket) => this.moveHere(ticket),
    });
    this.banner = new Banner(part("banner"));
    Object.assign(this, { tickets: [], keys: new Set(), problem: null, isBusy: false, timer: 0 });
  }

  async start() {
    try {
      this.vault = await Vault.open(() => this.stop("storage_lost"));
    } catch {
      this.stop("storage_refused");
      return;
    }
    this.foot = new FootView(part("foot"), (text) => this.addReceipt(text));
    this.code = new CodeView(part("code"), this.vault, () => this.onCodeClosed(), () => this.reload());
    await this.reload();
    keepOffline("/wallet-worker.js", "/wallet");
    this.cannot = await whyNoKeys();
    this.banner.keepUp();
    await this.refresh();
    addEventListener("online", () => this.refresh());
    document.addEventListener("visibilitychange", () => document.hidden || this.refresh());
  }

  stop(problem) {
    fill(part("list"), h("p", { class: "notice bad", role: "alert" }, troubleSentence(problem)));
  }

  /** From the browser's own memory: what is shown at once, and without a network. */
  async reload() {
    this.tickets = inOrder(await this.vault.tickets());
    const keys = await Promise.all(this.tickets.map((ticket) => this.vault.key(ticket.ticketId, "current")));
    this.keys = new Set(this.tickets.filter((_ticket, at) => keys[at] !== undefined).map((one) => one.ticketId));
    const notices = [
      this.cannot && troubleSentence(this.cannot),
      clockSentence(clockOffset),
      this.problem && troubleSentence(this.problem),
    ].filter(Boolean);
    const orders = new Map((await this.vault.orders()).map((order) => [order.orderId, order]));
    this.list.show(this.tickets, this.keys, orders, notices, now());
  }

  /** With the server: new orders, new tickets, credentials for those that have none. One at a time. */
  async refresh() {
    clearTimeout(this.timer);
    if (this.isBusy || document.hidden) return;
    this.isBusy = true;
    this.problem = null;
    await this.takeOver();
    for (const order of await this.vault.orders()) await this.refreshOne(order);
    await this.reload();
    this.isBusy = false;
    const isWaiting = this.tickets.some((ticket) => this.stateOf(ticket) === "getting_ready");
    this.timer = setTimeout(() => this.refresh(), isWaiting ? WAIT_MS : QUIET_MS);
  }

  /** The orders that the shop's pages bought in this browser. */
  async takeOver() {
    try {
      for (const { order_id: orderId, order_secret: secret } of await handedOrders()) {
        await this.vault.putOrder({ orderId, secret });
      }
    } catch (error) {
      this.note(error);
    }
  }

  /** Null once the receipt's order is here, or the code of what is wrong with it. */
  async addReceipt(text) {
    const { order, problem } = parseReceipt(text, location.origin);
    if (problem !== undefined) return problem;
    await this.vault.putOrder(order);
    await this.refresh();
    return null;
  }

  async refreshOne(order) {
    try {
      await refreshOrder(this.vault, order);
    } catch (error) {
      this.note(error);
      return;
    }
    const own = (await this.vault.tickets()).filter((ticket) => ticket.orderId === order.orderId);
    for (const ticket of own) {
      const isBound = ticket.credential !== undefined && !needsRenewal(ticket);
      if (this.cannot || isBound || ticket.state !== "valid" || ticket.tokenId === null) continue;
      if (ticket.problem !== "bound_elsewhere") await this.bind(order, ticket, false);
    }
  }

  async bind(order, ticket, mayTakeOver) {
    try {
      await bindTicket(this.vault, order, ticket, mayTakeOver);
      await this.vault.putTicket({ ticketId: ticket.ticketId, problem: null, problemSentence: null });
      navigator.storage?.persist?.().catch(() => {});
    } catch (error) {
      const { code = "server_error", sentence = null } = error;
      if (code !== "unreachable") {
        await this.vault.putTicket({ ticketId: ticket.ticketId, problem: code, problemSentence: sentence });
      }
      this.note(error);
    }
  }

  note({ code }) {
    if (code !== "unreachable") return;
    this.problem = "unreachable";
    this.banner.show(null);
  }

  /** Binds a new key here, with the holder's leave. */
  async moveHere(ticket) {
    const order = (await this.vault.orders()).find((one) => one.orderId === ticket.orderId);
    await this.bind(order, ticket, true);
    await this.reload();
  }

  stateOf(ticket) {
    return ticketState(ticket, this.keys.has(ticket.ticketId), now());
  }

  async showCode(ticket) {
    const together = this.tickets.filter(
      (one) => one.event.slug === ticket.event.slug && this.stateOf(one) === "shown",
    );
    part("shell").inert = true;
    await this.code.show(together, together.indexOf(ticket));
  }

  onCodeClosed() {
    part("shell").inert = false;
  }
}

const here = (name) => new URL(name, import.meta.url);
await loadMessages(document.documentElement.lang.startsWith("zh") ? here("./messages/zh.json") : null);
await new WalletPage().start();

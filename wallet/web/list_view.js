/** The first page: tickets by event, and what stands between a ticket and its code. */

import { fill, h, icon } from "/static/js/dom.js";
import { _, language, ngettext } from "/static/js/messages.js";
import { seatWords } from "/static/js/places.js";
import { iconPath } from "./icons.js";
import { inOrder, ticketState } from "./ticket_states.js";
import { troubleSentence } from "./troubles.js";

export class ListView {
  /** `actions`: `onShow(ticket)`, `onMoveHere(ticket)`, `onRefresh()`. */
  constructor(element, actions) {
    Object.assign(this, { element, actions });
  }

  /**
   * `keys`: a Set of the ids of tickets whose key is here; `orders`: by id, with what the server says of each;
   * `notices`: sentences for the top.
   */
  show(tickets, keys, orders, notices, now) {
    this.orders = orders;
    const groups = Map.groupBy ? Map.groupBy(inOrder(tickets), groupName) : grouped(inOrder(tickets));
    const isPast = (ticket) => ticketState(ticket, keys.has(ticket.ticketId), now) === "past";
    const current = [...groups.values()].filter((group) => !group.every(isPast));
    const past = [...groups.values()].filter((group) => group.every(isPast));
    fill(this.element,
      notices.map((sentence) => h("p", { class: "notice", role: "status" }, icon(iconPath("warning")), h("span", {}, sentence))),
      tickets.length === 0 && emptyWords(),
      current.map((group) => this.event(group, keys, now)),
      past.length > 0 && h("details", { class: "past" },
        h("summary", {}, ngettext("{n} past event", "{n} past events", past.length)),
        past.map((group) => this.event(group, keys, now))));
  }

  event(group, keys, now) {
    const { event } = group[0];
    return h("section", { class: "event" },
      h("h2", {}, event.name),
      h("p", { class: "event-when" }, whenWords(event)),
      event.venue && h("p", { class: "event-where" }, event.venue),
      this.noticesOf(group).map((sentence) => h("p", { class: "event-notice" }, icon(iconPath("clock")), h("span", {}, sentence))),
      h("ul", {}, group.map((ticket, at) => this.ticket(ticket, at, group.length, keys, now))));
  }

  /** What the server says of the orders, each sentence once: that minting waits, say. */
  noticesOf(group) {
    return [...new Set(group.map(({ orderId }) => this.orders.get(orderId)?.notice).filter(Boolean))];
  }

  ticket(ticket, at, of, keys, now) {
    const state = ticketState(ticket, keys.has(ticket.ticketId), now);
    const [word, tone] = stateWords(state);
    const action = {
      shown: () => this.button(_("Show code"), () => this.actions.onShow(ticket), "main"),
      elsewhere: () => this.button(_("Move to this phone"), () => this.actions.onMoveHere(ticket)),
      lost: () => this.button(_("Make a new code here"), () => this.actions.onMoveHere(ticket)),
    }[state];
    const why = whyWords(ticket, state);
    return h("li", { class: "ticket", "data-state": state, "data-ticket": ticket.ticketId },
      h("p", { class: "ticket-place" }, placeWords(ticket)),
      h("p", { class: `ticket-state ${tone}` },
        of > 1 && _("Ticket {at} of {of}", { at: at + 1, of }), of > 1 && " · ", word),
      why && h("p", { class: "ticket-why" }, why),
      action?.());
  }

  button(words, onclick, kind = "quiet") {
    return h("button", { type: "button", class: kind, onclick }, words);
  }
}

/** Class and seat. */
export function placeWords(ticket) {
  return [ticket.className, ticket.seat && seatWords(ticket.seat)].filter(Boolean).join(" · ");
}

/** The day and the times of an event, in its own time zone, as the reader writes them. */
export function whenWords({ doors, starts, timeZone }) {
  const zone = timeZone === null ? {} : { timeZone };
  const moment = starts ?? doors;
  if (moment === null) return "";
  const day = new Intl.DateTimeFormat(language(), { dateStyle: "full", ...zone }).format(new Date(moment * 1000));
  const time = (at) => new Intl.DateTimeFormat(language(), { timeStyle: "short", ...zone }).format(new Date(at * 1000));
  if (doors === null || starts === null) return `${day}, ${time(moment)}`;
  return _("{day}, doors {doors}, start {start}", { day, doors: time(doors), start: time(starts) });
}

function stateWords(state) {
  return {
    shown: () => [_("Ready, also without a network"), "good"],
    getting_ready: () => [_("Being made ready"), "careful"],
    elsewhere: () => [_("On another device"), "careful"],
    lost: () => [_("Key lost"), "bad"],
    withdrawn: () => [_("No longer valid"), "bad"],
    past: () => [_("Over"), "soft"],
  }[state]();
}

function whyWords(ticket, state) {
  if (state === "elsewhere") return troubleSentence("bound_elsewhere");
  if (state === "lost") return troubleSentence("key_lost");
  if (state === "withdrawn") return troubleSentence("ticket_not_valid");
  if (state === "getting_ready" && ticket.problem) return troubleSentence(ticket.problem, ticket.problemSentence);
  return null;
}

function emptyWords() {
  return h("div", { class: "empty" },
    icon(iconPath("ticket")),
    h("h2", {}, _("No tickets here yet")),
    h("p", {}, _("Buy a ticket, or open your order in this browser and tap “Put them in the wallet”.")),
    h("p", {}, h("a", { href: "/", class: "button" }, _("See what is on"))));
}

const groupName = ({ event }) => event.slug;

function grouped(tickets) {
  const groups = new Map();
  for (const ticket of tickets) groups.set(groupName(ticket), [...(groups.get(groupName(ticket)) ?? []), ticket]);
  return groups;
}

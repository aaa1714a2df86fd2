/** The platform's HTTP API, as far as a wallet needs it (SPEC 9). */

import { language } from "/static/js/messages.js";

const HANDED_OVER = "/wallet/orders";
const REQUEST_MS = 10_000; // `navigator.onLine` stays true with the server dead: a time-out decides

/** What the server refused, or that it could not be asked (`code` "unreachable"). `sentence` is the server's own. */
export class ApiProblem extends Error {
  constructor(code, sentence, details, retrySeconds) {
    super(code);
    Object.assign(this, { code, sentence, details, retrySeconds });
  }
}

/** The orders this browser bought: `[{order_id, order_secret}]`. */
export async function handedOrders() {
  return (await ask(HANDED_OVER, {})).orders;
}

export const readOrder = (order) => ask(`/api/v1/orders/${order.orderId}`, { secret: order.secret });

export const readEvent = (slug) => ask(`/api/v1/events/${encodeURIComponent(slug)}`, {});

/** Binds a device; `key` makes a repeat of the same request harmless. */
export function bindDevice(order, ticketId, binding, key) {
  const path = `/api/v1/tickets/${ticketId}/credential`;
  return ask(path, { secret: order.secret, method: "POST", body: binding, headers: { "Idempotency-Key": key } });
}

/** Seconds by which this device's clock is ahead of the server's, as of the last answer; null if none came. */
export let clockOffset = null;

async function ask(path, { secret, method = "GET", body, headers = {} }) {
  const answer = await fetchInTime(path, {
    method,
    headers: {
      Accept: "application/json",
      "Accept-Language": language(), // the page's, whatever a cookie says
      ...(secret === undefined ? {} : { Authorization: `Bearer ${secret}` }),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    credentials: path === HANDED_OVER ? "same-origin" : "omit", // only these are the cookies' own
    signal: AbortSignal.timeout(REQUEST_MS),
  });
  noteClock(answer.headers.get("Date"));
  const told = await answer.json().catch(() => null);
  if (answer.ok && told !== null) return told;
  const { code = "server_error", detail = null, ...details } = told ?? {};
  throw new ApiProblem(code, detail, details, Number(answer.headers.get("Retry-After")) || null);
}

async function fetchInTime(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new ApiProblem("unreachable", null, {}, null);
  }
}

function noteClock(date) {
  const served = Date.parse(date ?? "");
  if (!Number.isNaN(served)) clockOffset = Math.round((Date.now() - served) / 1000);
}

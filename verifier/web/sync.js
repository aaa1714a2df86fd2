/** Talks to the server: newer data in, admissions out. What fails leaves everything as it was, to be tried again. */

import { hex } from "../../credential/web/wire.js";

const REQUEST_MS = 8_000; // `navigator.onLine` stays true with the server dead: a time-out decides
const BUNDLE_MS = 60_000; // a large event on a slow line
const UNCHANGED_OR_NEW = new Set([304]); // answers beside 2xx that mean something
const TAKEN_OR_NOT = new Set([409]);
const RECORDS_A_REQUEST = 100; // keeps the body below the server's 64 KiB

/**
 * One round. Answers `{problem, serverTime, conflicts}`: `problem` null or one of "unreachable", "token_refused",
 * "server_error", or a reason of SPEC 1.4 or 5; `serverTime` in Unix seconds, if the server said.
 */
export async function syncOnce(journal, trust, now) {
  const outcome = { problem: null, serverTime: null, conflicts: [] };
  try {
    await fetchKeyList(trust, now(), outcome);
    outcome.problem ??= await fetchBundle(trust, outcome);
    const handing = await handOver(journal, trust.setup, outcome);
    outcome.problem ??= handing;
    if (outcome.problem === null) await fetchSeats(trust, outcome).catch(() => {}); // pleasant, and no more
  } catch (error) {
    outcome.problem = error instanceof Refused ? error.problem : "unreachable";
  }
  return outcome;
}

class Refused extends Error {
  constructor(problem) {
    super(problem);
    this.problem = problem;
  }
}

async function fetchKeyList(trust, now, outcome) {
  const answer = await ask(trust.setup, "keys", {}, REQUEST_MS, outcome);
  outcome.problem = await trust.acceptKeyList(await bytesOf(answer), now);
}

async function fetchBundle(trust, outcome) {
  const address = `events/${encodeURIComponent(trust.setup.event)}/bundle`;
  const since = trust.bundle === null ? "" : `?since=${trust.bundle.version}`;
  const headers = trust.etag === null ? {} : { "If-None-Match": trust.etag };
  const answer = await ask(trust.setup, address + since, { headers }, BUNDLE_MS, outcome);
  if (answer.status === 304 || answer.status === 204) return null;
  const reason = await trust.acceptBundle(await bytesOf(answer), answer.headers.get("ETag"));
  if (reason !== "other_base" && reason !== "not_a_delta") return reason;
  const whole = await ask(trust.setup, address, {}, BUNDLE_MS, outcome);
  return trust.acceptBundle(await bytesOf(whole), whole.headers.get("ETag"));
}

/** Once for each event; a gate works as well without. */
async function fetchSeats(trust, outcome) {
  if (trust.seats !== null) return;
  const answer = await ask(trust.setup, `events/${encodeURIComponent(trust.setup.event)}`, {}, REQUEST_MS, outcome);
  const { classes = [] } = await answer.json();
  const seats = classes.flatMap((one) => one.seats ?? []);
  await trust.keepSeats(Object.fromEntries(seats.map(({ number, label }) => [number, label])));
}

async function handOver(journal, setup, outcome) {
  for (;;) {
    const { id, from, head, payloads } = await journal.unsent(RECORDS_A_REQUEST);
    if (payloads.length === 0) return null;
    const body = { log: hex(id), from, head: hex(head), records: payloads.map(base64url) };
    const path = `events/${encodeURIComponent(setup.event)}/admissions`;
    const answer = await ask(setup, path, post(body), REQUEST_MS, outcome, TAKEN_OR_NOT);
    const { code, next, conflicts = [] } = await answer.json();
    if (answer.ok && next > from) await journal.handedOver(id, next);
    else if (code === "log_gap" && next < from) await journal.goBack(id, next); // the server lost what it had
    else return code === "log_forked" ? code : "server_error"; // asking again at once would go round in circles
    outcome.conflicts.push(...conflicts);
  }
}

function post(body) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

async function ask(setup, path, options, milliseconds, outcome, expected = UNCHANGED_OR_NEW) {
  const answer = await fetch(new URL(`/api/v1/${path}`, setup.server), {
    ...options,
    headers: { ...options.headers, Authorization: `Bearer ${setup.token}` },
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout(milliseconds),
  });
  const date = Date.parse(answer.headers.get("Date") ?? "");
  if (!Number.isNaN(date)) outcome.serverTime = date / 1000;
  if (answer.status === 401 || answer.status === 403) throw new Refused("token_refused");
  if (!answer.ok && !expected.has(answer.status)) throw new Refused("server_error");
  return answer;
}

async function bytesOf(answer) {
  return new Uint8Array(await answer.arrayBuffer());
}

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

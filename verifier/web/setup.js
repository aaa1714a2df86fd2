/** A gate's set-up code: what enrolment printed, as JSON in a picture or pasted. */

import { trustRoot } from "../../credential/web/keylist.js";

const MAX_NUMBER = 999;

/** `{setup}` or `{problem}`. `origin` is this page's: a code for another server would be of no use here. */
export function parseSetup(text, origin) {
  try {
    const told = JSON.parse(text);
    const number = Number(told.gate ?? told.gate_number);
    trustRoot(told.trust_root);
    const isSound =
      typeof told.token === "string" && /^[\x21-\x7e]{8,512}$/.test(told.token) &&
      typeof told.event === "string" && /^[\w-]+$/.test(told.event) &&
      Number.isInteger(number) && number >= 1 && number <= MAX_NUMBER;
    if (!isSound) return { problem: "setup_unreadable" };
    if (new URL(told.server).origin !== origin) return { problem: "setup_other_server" };
    const { event, token, trust_root: root, name = "" } = told;
    return { setup: { server: origin, event, token, number, name: String(name), trustRoot: root } };
  } catch {
    return { problem: "setup_unreadable" };
  }
}

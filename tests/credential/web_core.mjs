// Answers questions about bytes with the browser's modules, for test_web_core.py: JSON in, JSON out.

import { readFileSync } from "node:fs";
import { decodeBundle, verifyBundle } from "../../credential/web/bundle.js";
import { decodeCode } from "../../credential/web/codes.js";
import { applyDelta } from "../../credential/web/delta.js";
import { fromDigits, toDigits } from "../../credential/web/digits.js";
import { decodeKeyList, trustRoot, verifyKeyList } from "../../credential/web/keylist.js";
import { verify } from "../../credential/web/signing.js";
import { fromHex } from "../../credential/web/wire.js";
import { possessionMessage } from "../../credential/web/binding.js";
import { hex } from "../../credential/web/wire.js";

const QUESTIONS = {
  code: ({ data }) => decodeCode(fromHex(data)),
  digits: ({ text }) => fromDigits(text),
  round_trip: ({ data }) => toDigits(fromHex(data)),
  key_list: ({ data }) => decodeKeyList(fromHex(data)),
  bundle: ({ data }) => {
    const bundle = decodeBundle(fromHex(data));
    if (bundle.reason) return bundle;
    return { ...bundle, rows: Array.from({ length: bundle.tickets.count }, (_, rank) => bundle.tickets.row(rank)) };
  },
  delta: ({ base, data }) => applyDelta(fromHex(base), fromHex(data)),
  signature: ({ data, signature, key }) => verify(new Uint8Array(), fromHex(data), fromHex(signature), fromHex(key)),
  possession: ({ platform, binding }) =>
    possessionMessage(fromHex(platform), {
      ...binding, eventTag: fromHex(binding.eventTag), deviceKey: fromHex(binding.deviceKey),
    }),
  verify_key_list: ({ data, root, now, seen }) => verifyKeyList(fromHex(data), trustRoot(root), now, seen).reason ?? "ok",
  verify_bundle: ({ data, list, seen }) => {
    return verifyBundle(fromHex(data), decodeKeyList(fromHex(list)), seen).reason ?? "ok";
  },
};

function plain(value) {
  if (value instanceof Uint8Array) return hex(value);
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]));
}

const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.map(({ ask, ...rest }) => plain(QUESTIONS[ask](rest)))));

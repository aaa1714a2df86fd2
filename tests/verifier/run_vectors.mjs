/**
 * Runs tests/vectors/credential.json through the browser's modules (SPEC 6.7); the same file for node and Chromium.
 *
 * `rooms` are the modules, imported by the caller from wherever they are served.
 */

/** What differed from the vectors, as sentences; and how many comparisons were made. */
export async function runVectors(vectors, { bundle, codes, body, digits, keylist, wire, check }) {
  const found = { compared: 0, differences: [] };
  const expect = (name, wanted, got) => {
    found.compared += 1;
    if (wanted !== got) found.differences.push(`${name}: expected ${wanted}, got ${got}`);
  };
  const { defaults } = vectors;
  const root = keylist.trustRoot(vectors.trust_root);
  const lists = mapped(vectors.key_lists, (data) => keylist.decodeKeyList(wire.fromHex(data)));
  for (const [name, data] of Object.entries(vectors.key_lists)) {
    const reason = keylist.verifyKeyList(wire.fromHex(data), root, lists[name].issued).reason;
    expect(`key list "${name}" is trusted`, undefined, reason);
  }
  const bundles = mapped(vectors.bundles, (data) => {
    const reasons = Object.values(lists).map((list) => bundle.verifyBundle(wire.fromHex(data), list).reason);
    expect("a key list vouches for the bundle", true, reasons.includes(undefined));
    return bundle.decodeBundle(wire.fromHex(data));
  });

  const judge = (text, settings) => {
    const asked = { ...defaults, ...settings };
    const memory = memoryOf(asked, bundles[asked.bundle].eventTag, wire);
    const { number, connected, challenge } = asked.gate;
    const open = challenge === null ? null : { digits: challenge.digits, ageSeconds: challenge.age_seconds };
    const gate = { number, connected, challenge: open };
    return check.check(text, asked.now, lists[asked.key_list], bundles[asked.bundle], memory, gate).code;
  };

  for (const { name, text, code, ...settings } of vectors.cases) expect(name, code, judge(text, settings));
  for (const { name, payload, expect: runs, ...settings } of vectors.flips) {
    for (const [first, last, code] of runs) {
      for (let bit = first; bit <= last; bit += 1) {
        const flipped = wire.fromHex(payload);
        flipped[bit >> 3] ^= 128 >> (bit & 7);
        expect(`${name}, bit ${bit} flipped`, code, judge(digits.toDigits(flipped), settings));
      }
    }
  }
  await remake(vectors, { body, codes, wire }, expect);
  return found;
}

/** The wallet's half: what WebCrypto signs is what the vectors say, byte for byte. */
async function remake(vectors, { body, codes, wire }, expect) {
  const credential = body.decodeCredential(wire.fromHex(vectors.made.find((one) => one.what === "credential").bytes));
  for (const one of vectors.made.filter(({ what }) => what !== "credential")) {
    const sign = await signerOf(wire.fromHex(vectors.keys[one.device].seed));
    const nine = String(one.gate_number).padStart(3, "0") + String(one.challenge).padStart(6, "0");
    const made = {
      full: () => codes.presentFull(credential, one.timestamp, sign),
      compact: () => codes.presentCompact(credential, one.event_index, one.timestamp, sign),
      answer: () => codes.answerChallenge(credential, nine, one.timestamp, sign),
    };
    expect(`${one.what} made`, one.text, await made[one.what]());
  }
}

async function signerOf(seed) {
  const head = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
  const pkcs8 = Uint8Array.from([...head, ...seed]); // RFC 8410
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "Ed25519", false, ["sign"]);
  return async (message) => new Uint8Array(await crypto.subtle.sign("Ed25519", key, message));
}

function memoryOf({ admitted, seen }, eventTag, { hex }) {
  const isOf = (row, tag, token) => (row.event_tag ?? hex(eventTag)) === hex(tag) && BigInt(row.token_id) === token;
  return {
    admission(tag, token) {
      const row = admitted.find((one) => isOf(one, tag, token));
      return row === undefined ? null : { at: row.at, gateNumber: row.gate_number };
    },
    seenSerials(tag, token) {
      return new Map(seen.filter((one) => isOf(one, tag, token)).map((one) => [one.key_id, one.serial]));
    },
  };
}

function mapped(named, make) {
  return Object.fromEntries(Object.entries(named).map(([name, data]) => [name, make(data)]));
}

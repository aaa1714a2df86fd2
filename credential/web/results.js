/** What decoders and verifiers answer when the answer is no. Values, not exceptions: bad bytes are expected. */

/** The bytes are not in the format. `reason` is a code of SPEC 1.4; nothing was verified. */
export class Malformed {
  constructor(reason) {
    this.reason = reason;
    Object.freeze(this);
  }
}

/** Well formed, but a signature, a version or a date does not hold. `reason` is a code of SPEC 5. */
export class Untrusted {
  constructor(reason) {
    this.reason = reason;
    Object.freeze(this);
  }
}

/** One scan after the other, from a text to a verdict that is on the disk. */

import { check, claimedToken, refusal } from "./check.js";

export class Desk {
  /** `gate()` answers what the check is told of this gate; `clock()` Unix seconds. */
  constructor(journal, trust, gate, clock) {
    Object.assign(this, { journal, trust, gate, clock });
    this.queue = Promise.resolve();
  }

  /** The verdict on one text. Never rejects: what can't be recorded is a verdict of its own. One at a time. */
  judge(text) {
    const next = this.queue.then(() => this.judgeNow(text));
    this.queue = next;
    return next;
  }

  async judgeNow(text) {
    const { keyList, bundle } = this.trust;
    if (keyList === null || bundle === null) return refusal("no_data");
    const ask = (memory) => check(text, Math.floor(this.clock()), keyList, bundle, memory, this.gate());
    const token = claimedToken(text);
    if (token === null) return ask(null); // no code: it is refused before anything is looked up
    try {
      return await this.journal.decide(bundle.eventTag, token, ask);
    } catch {
      return refusal("not_recorded");
    }
  }
}

/**
 * A phone held before the camera is seen thirty times a second; it was shown once.
 *
 * What stays in view is judged once: the same text, or a further code of the ticket that was just admitted. Once it was
 * out of view for a moment it is a new showing. A USB scanner reads on a press of its button: each press is judged.
 */

export const OUT_OF_VIEW_MS = 1500;

export class Repeats {
  constructor() {
    this.seen = new Map(); // name -> when it was last in view, milliseconds
  }

  /** True if `text`, or the ticket `token` (null if it is none), is still in view at `now`; notes that it is. */
  isInView(text, token, now) {
    for (const [name, at] of this.seen) if (now - at > OUT_OF_VIEW_MS) this.seen.delete(name);
    const names = [`text ${text}`, `admitted ${token}`].filter((name) => this.seen.has(name));
    for (const name of names) this.seen.set(name, now);
    return names.length > 0;
  }

  /** It was judged at `now`. */
  note(text, token, wasAdmitted, now) {
    this.seen.set(`text ${text}`, now);
    if (wasAdmitted) this.seen.set(`admitted ${token}`, now);
  }
}

/**
 * The key list and the bundle in force (SPEC 5, 7.3), the same rules as `verifier/bundle_store.py`: each is verified
 * before use, at every start too; a new one is put in force in one transaction after it was verified; what is truncated,
 * altered or older leaves the old one in force.
 */

import { verifyBundle } from "../../credential/web/bundle.js";
import { applyDelta, isDelta } from "../../credential/web/delta.js";
import { trustRoot, verifyKeyList } from "../../credential/web/keylist.js";
import { equal } from "../../credential/web/wire.js";
import { nameSeats } from "./words.js";

const ALWAYS = 0; // as `now`: a stored list was judged by the clock when it came, and is by each check (SPEC 5.1)

export class Trust {
  constructor(journal) {
    this.journal = journal;
    this.keyList = null;
    this.bundle = null;
    this.etag = null;
    this.seats = null;
    this.problem = "none_yet"; // why there is no bundle in force: a reason of SPEC 1.4 or 5
  }

  /** Takes up what is stored, verified as if it had just come. */
  async load() {
    const [setup, marks, keyList, bundle, seats = null] = await Promise.all(
      ["setup", "marks", "keyList", "bundle", "seats"].map((name) => this.journal.get(name)),
    );
    nameSeats(seats ?? {});
    Object.assign(this, { setup, marks, seats, keyList: null, bundle: null, etag: null, problem: "none_yet" });
    if (setup === undefined || keyList === undefined) return;
    const list = verifyKeyList(keyList, this.roots(), ALWAYS, marks.keyListVersion);
    if (list.reason !== undefined) {
      this.problem = list.reason;
      return;
    }
    this.keyList = list;
    if (bundle === undefined) return;
    const verified = this.verified(bundle.data);
    this.problem = verified.reason ?? null;
    if (verified.reason === undefined) Object.assign(this, { bundle: verified, etag: bundle.etag, data: bundle.data });
  }

  /** Null once the downloaded key list is in force, or the reason why not. */
  async acceptKeyList(data, now) {
    const list = verifyKeyList(data, this.keyList ?? this.roots(), now, this.marks.keyListVersion);
    if (list.reason !== undefined) return list.reason;
    if (this.keyList !== null && this.keyList.version === list.version) return null;
    const { platformId, threshold, rootKeys } = list;
    const marks = { ...this.marks, keyListVersion: list.version, roots: { platformId, threshold, rootKeys } };
    await this.journal.put({ keyList: data, marks });
    await this.load();
    return null;
  }

  /** Null once the downloaded snapshot, or delta on the one in force, is in force; or the reason why not. */
  async acceptBundle(data, etag) {
    if (this.keyList === null) return "no_key_list";
    const snapshot = isDelta(data) ? this.withDelta(data) : data;
    if (snapshot.reason !== undefined) return snapshot.reason;
    const bundle = this.verified(snapshot);
    if (bundle.reason !== undefined) return bundle.reason;
    if (this.bundle !== null && this.bundle.version === bundle.version) {
      return equal(this.data, snapshot) ? null : "same_version_other_content";
    }
    const marks = { ...this.marks, bundleVersion: bundle.version, eventId: bundle.eventId };
    await this.journal.put({ bundle: { data: snapshot, etag }, marks });
    await this.load();
    return null;
  }

  /** The seats' labels by number, unsigned: they are shown to people and decide nothing. */
  async keepSeats(seats) {
    await this.journal.put({ seats });
    this.seats = seats;
    nameSeats(seats);
  }

  withDelta(data) {
    return this.bundle === null ? { reason: "other_base" } : applyDelta(this.data, data);
  }

  verified(snapshot) {
    const bundle = verifyBundle(snapshot, this.keyList, this.marks.bundleVersion);
    const isOther = bundle.reason === undefined && this.marks.eventId !== null && !equal(bundle.eventId, this.marks.eventId);
    return isOther ? { reason: "other_event" } : bundle;
  }

  roots() {
    return this.marks.roots ?? trustRoot(this.setup.trustRoot);
  }
}

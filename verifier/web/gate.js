/** The gate page: puts its parts together. */

import { Banner } from "/static/js/banner.js";
import { keepOffline } from "/static/js/install.js";
import { _, loadMessages } from "/static/js/messages.js";
import { Camera } from "./camera.js";
import { ChallengeView } from "./challenge_view.js";
import { claimedToken } from "./check.js";
import { Desk } from "./desk.js";
import { Journal } from "./journal.js";
import { MenuView } from "./menu_view.js";
import { Repeats } from "./repeats.js";
import { ScansView } from "./scans_view.js";
import { parseSetup } from "./setup.js";
import { Signals } from "./signals.js";
import { StageView, readyChecks } from "./stage_view.js";
import { StatusView } from "./status_view.js";
import { syncOnce } from "./sync.js";
import { Trust } from "./trust.js";
import { VerdictView } from "./verdict_view.js";
import { listenForScanner } from "./wedge.js";
import { loadVerdicts } from "./words.js";

const SYNC_MS = 30_000;
const HAND_OVER_MS = 1_000; // after an admission: a burst goes in one request
const TICK_MS = 1_000;
const DECODER = "/gate/decoder.js"; // below the page's own address: only so is it kept for when the server is dead

const part = (name) => document.getElementById(`gate-${name}`);
const clock = () => Date.now() / 1000;

class GatePage {
  constructor() {
    this.stage = new StageView(part("stage"));
    this.status = new StatusView(part("status"));
    this.signals = new Signals();
    this.challenge = new ChallengeView(part("challenge"));
    this.verdict = new VerdictView(part("verdict"), () => this.startChallenge());
    this.scans = new ScansView(part("scans"));
    this.menu = new MenuView(part("tools"), part("menu"), this);
    this.banner = new Banner(part("banner"));
    this.repeats = new Repeats();
    this.camera = new Camera(part("video"), DECODER,
      (texts) => this.onPicture(texts), (problem) => this.useScannerOnly(problem));
    Object.assign(this, { admitted: 0, waiting: 0, confirmedAt: 0, clockOffset: null, problem: null });
    Object.assign(this, { isKept: false, isOffline: false, isSyncing: false, timer: 0, wakeLock: null });
  }

  async start() {
    try {
      this.journal = await Journal.open(() => this.stop("storage_lost"));
    } catch {
      this.stop("storage_refused");
      return;
    }
    this.trust = new Trust(this.journal);
    this.desk = new Desk(this.journal, this.trust, () => this.gateView(), clock);
    this.others = new BroadcastChannel("truestub-gate"); // other tabs of this gate
    this.others.onmessage = () => this.refresh();
    this.isKept = (await navigator.storage?.persisted?.()) ?? false;
    await this.trust.load();
    await this.refresh();
    listenForScanner((text) => this.onScanner(text));
    setInterval(() => this.showStatus(), TICK_MS);
    setInterval(() => this.sync(), SYNC_MS);
    this.banner.keepUp();
    addEventListener("online", () => this.sync());
    document.addEventListener("visibilitychange", () => this.onVisible());
    if (this.isSetUp) await this.getReady();
    else this.askForSetup();
    this.isOffline = await keepOffline("/gate-worker.js", "/gate");
    if (part("stage").dataset.stage === "ready") this.showReady();
  }

  get isSetUp() {
    return this.trust.setup !== undefined;
  }

  gateView() {
    return { number: this.trust.setup.number, connected: false, challenge: this.challenge.view };
  }

  // Setting up and starting.

  askForSetup(problem = null) {
    this.stage.setUp((text) => this.setUp(text), () => this.startCamera(), problem);
  }

  /** Null, or the code of what is wrong with it. */
  async setUp(text) {
    const { setup, problem } = parseSetup(text, location.origin);
    if (problem !== undefined) return problem;
    if (this.isSetUp && (await this.journal.waiting()) > 0) return "setup_waiting";
    await this.journal.begin(setup);
    this.isKept = (await navigator.storage?.persist?.()) ?? false;
    this.camera.stop();
    await this.trust.load();
    await this.sync();
    await this.getReady();
    return null;
  }

  async getReady() {
    this.showReady();
    await this.sync();
    if (part("stage").dataset.stage === "ready") this.showReady();
  }

  showReady() {
    const { bundle, setup } = this.trust;
    this.stage.ready({
      eventName: bundle?.eventName ?? setup.event,
      gateName: this.gateName,
      checks: readyChecks({ ...this, bundle, hasTime: this.clockOffset !== null }),
      onStart: () => this.startCamera(),
      onScannerOnly: () => this.useScannerOnly(null),
    });
    this.menu.show();
  }

  get gateName() {
    const { bundle, setup } = this.trust;
    const name = bundle?.gate(setup.number)?.name || setup.name;
    return name ? _("Gate {number}: {name}", { number: setup.number, name }) : _("Gate {number}", { number: setup.number });
  }

  async startCamera() {
    this.signals.unlock();
    this.holdAwake();
    try {
      await this.camera.start();
    } catch (error) {
      this.camera.stop();
      const problem = error.problem ?? "camera_busy";
      if (this.isSetUp) this.useScannerOnly(problem);
      else this.askForSetup(problem);
      return;
    }
    this.stage.hide();
    this.menu.show();
  }

  useScannerOnly(problem) {
    this.signals.unlock();
    this.holdAwake();
    this.camera.stop();
    this.stage.scannerOnly(problem, () => this.startCamera());
    this.menu.show();
  }

  stop(problem) {
    this.camera.stop();
    this.verdict.hide();
    this.stage.trouble(problem);
  }

  // Scanning.

  async onPicture(texts) {
    for (const text of texts) {
      if (!this.isSetUp) {
        const problem = await this.setUp(text);
        if (problem !== null) this.menu.tell(problem);
        return;
      }
      const token = claimedToken(text);
      if (this.repeats.isInView(text, token, performance.now())) continue;
      const verdict = await this.judge(text);
      this.repeats.note(text, token, verdict.code === "admit", performance.now());
    }
  }

  async onScanner(text) {
    if (this.isSetUp && part("stage").dataset.stage !== "stopped") await this.judge(text);
  }

  async judge(text) {
    const verdict = await this.desk.judge(text);
    const now = clock();
    this.menu.close();
    if (verdict.metChallenge) this.challenge.close();
    const { colour } = this.verdict.show(verdict, now);
    this.signals.give(colour);
    this.scans.add(verdict, now);
    if (verdict.admission !== null && verdict.code === "admit") this.admitted += 1;
    if (verdict.admission !== null || verdict.seen !== null) this.onRecorded();
    return verdict;
  }

  startChallenge() {
    this.verdict.hide();
    this.challenge.start(this.trust.setup.number);
  }

  onRecorded() {
    this.waiting += 1;
    this.showStatus();
    this.others.postMessage("recorded");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.sync(), HAND_OVER_MS);
  }

  // The server, and what is known of it.

  /** One round; asked for in the midst of another, it follows that one. */
  async sync() {
    this.isWanted = true;
    if (!this.isSetUp || this.isSyncing || document.hidden) return;
    this.isSyncing = true;
    part("status").setAttribute("aria-busy", "true");
    while (this.isWanted) {
      this.isWanted = false;
      await this.syncOnce();
    }
    this.isSyncing = false;
    part("status").removeAttribute("aria-busy");
  }

  async syncOnce() {
    const { problem, serverTime } = await syncOnce(this.journal, this.trust, clock);
    this.problem = problem;
    if (problem === "unreachable") this.banner.show(null);
    if (serverTime !== null) this.clockOffset = clock() - serverTime;
    if (problem === null) this.confirmedAt = clock();
    this.others.postMessage("synced");
    await this.refresh();
  }

  async refresh() {
    const newest = (await this.journal.get("marks"))?.bundleVersion;
    if (newest !== undefined && newest !== this.trust.bundle?.version) await this.trust.load();
    this.waiting = await this.journal.waiting();
    this.admitted = await this.journal.countAdmitted();
    part("title").textContent = this.isSetUp ? (this.trust.bundle?.eventName ?? this.trust.setup.event) : _("Gate");
    part("name").textContent = this.isSetUp ? this.gateName : "";
    this.showStatus();
  }

  showStatus() {
    for (const name of ["status", "scans"]) part(name).hidden = !this.isSetUp;
    if (!this.isSetUp) return;
    const { bundle, keyList, setup } = this.trust;
    this.status.show({ ...this, bundle, keyList, gateNumber: setup.number, now: clock() });
  }

  async onVisible() {
    if (document.hidden) return;
    if (this.wakeLock !== null) this.holdAwake();
    await this.sync();
  }

  /** Keeps the screen on, where the browser can. */
  async holdAwake() {
    try {
      this.wakeLock = (await navigator.wakeLock?.request("screen")) ?? null;
    } catch {
      this.wakeLock = null;
    }
  }
}

const here = (name) => new URL(name, import.meta.url);
await Promise.all([
  loadMessages(document.documentElement.lang.startsWith("zh") ? here("./messages/zh.json") : null),
  loadVerdicts(here("./verdicts.json")),
]);
await new GatePage().start();

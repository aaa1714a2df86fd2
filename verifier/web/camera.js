/** The camera and its decoder: frames go to a worker, one at a time, so that a slow phone drops frames and not taps. */

const WANTED = Object.freeze({ width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } });
const READY_MS = 30_000; // for the decoder's program to be there
const PROBLEMS = Object.freeze({
  NotAllowedError: "camera_refused",
  SecurityError: "camera_refused",
  NotFoundError: "camera_absent",
  OverconstrainedError: "camera_absent",
  NotReadableError: "camera_busy",
  AbortError: "camera_busy",
});

/** A camera that can't be used; `problem` is a code of `troubles.js`. */
export class CameraError extends Error {
  constructor(problem) {
    super(problem);
    this.problem = problem;
  }
}

export class Camera {
  /** `onTexts(texts)` for each frame that held codes; `onProblem(code)` when the camera or the decoder gives up. */
  constructor(video, workerUrl, onTexts, onProblem) {
    Object.assign(this, { video, workerUrl, onTexts, onProblem });
    this.stream = null;
    this.worker = null;
    this.decoded = 0; // frames
    this.milliseconds = 0; // that the last one took
  }

  /** Resolves once frames flow; rejects with CameraError. */
  async start() {
    if (navigator.mediaDevices === undefined) throw new CameraError("insecure");
    this.startWorker();
    this.stream = await this.open();
    const [track] = this.stream.getVideoTracks();
    track.addEventListener("ended", () => this.fail("camera_lost"));
    this.video.srcObject = this.stream;
    await this.video.play();
    this.nextFrame();
  }

  stop() {
    clearTimeout(this.patience);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.worker?.terminate();
    this.stream = this.worker = this.video.srcObject = null;
  }

  get isRunning() {
    return this.stream !== null;
  }

  get hasTorch() {
    return this.stream?.getVideoTracks()[0].getCapabilities?.().torch === true;
  }

  async setTorch(on) {
    await this.stream.getVideoTracks()[0].applyConstraints({ advanced: [{ torch: on }] });
  }

  async open() {
    try {
      return await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...WANTED, facingMode: "environment" } });
    } catch (error) {
      throw new CameraError(PROBLEMS[error.name] ?? "camera_busy");
    }
  }

  startWorker() {
    this.worker = new Worker(this.workerUrl, { type: "module" });
    this.worker.onerror = () => this.fail("decoder_failed");
    this.patience = setTimeout(() => this.fail("decoder_failed"), READY_MS);
    this.worker.onmessage = ({ data }) => {
      clearTimeout(this.patience);
      if (data.ready) return;
      if (data.fault !== undefined && data.texts === undefined) {
        this.fail("decoder_failed");
        return;
      }
      this.decoded += 1;
      this.milliseconds = data.milliseconds;
      this.onTexts(data.texts);
      this.nextFrame();
    };
  }

  /** Waits for the camera's next picture; a hidden page gets none, and goes on when it is seen again. */
  nextFrame() {
    const { video, worker } = this;
    if (worker === null) return;
    const send = async () => {
      if (this.worker !== worker) return;
      try {
        const frame = await createImageBitmap(video);
        worker.postMessage(frame, [frame]);
      } catch {
        setTimeout(() => this.nextFrame(), 100); // no picture yet
      }
    };
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(send);
    else requestAnimationFrame(send);
  }

  fail(problem) {
    if (!this.isRunning && this.worker === null) return;
    this.stop();
    this.onProblem(problem);
  }
}

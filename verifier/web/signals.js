/** A verdict for ears and hands: so different in rhythm that they are told apart without looking. */

const TONES = Object.freeze({
  green: [[880, 0, 0.09], [1320, 0.1, 0.16]], // hertz, start, length in seconds: up
  amber: [[620, 0, 0.14], [620, 0.22, 0.14]], // level, twice
  red: [[240, 0, 0.45], [170, 0.3, 0.45]], // down, long
});
const SHAKES = Object.freeze({ green: [80], amber: [80, 90, 80], red: [400, 100, 400] }); // milliseconds on, off, on
const LOUDNESS = 0.5;

export class Signals {
  constructor() {
    this.audio = null;
    this.muted = false;
  }

  /** To be called from a tap: browsers keep a page silent until then. */
  unlock() {
    try {
      this.audio ??= new AudioContext();
      this.audio.resume().catch(() => {});
    } catch {
      this.audio = null; // no sound device: colour, words and vibration remain
    }
  }

  give(colour) {
    navigator.vibrate?.(SHAKES[colour]);
    if (this.muted || this.audio?.state !== "running") return;
    for (const [hertz, start, length] of TONES[colour]) this.beep(hertz, start, length, colour);
  }

  beep(hertz, start, length, colour) {
    const [tone, volume] = [this.audio.createOscillator(), this.audio.createGain()];
    const from = this.audio.currentTime + start;
    tone.type = colour === "red" ? "sawtooth" : "sine";
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(LOUDNESS, from);
    volume.gain.setTargetAtTime(0, from + length * 0.7, length * 0.12); // no click at the end
    tone.connect(volume).connect(this.audio.destination);
    tone.start(from);
    tone.stop(from + length);
  }
}

/** A worker: takes video frames (ImageBitmap), answers the texts of the QR codes in them. */

import { prepareZXingModule, readBarcodes } from "./vendor/zxing-wasm/es/reader/index.js";

const OPTIONS = Object.freeze({
  formats: ["QRCode"],
  tryHarder: true,
  tryRotate: true,
  tryInvert: false, // a wallet never draws its code inverted
  tryDownscale: true,
  maxNumberOfSymbols: 2, // two phones in view: both are judged
});

const wasm = new URL("./vendor/zxing-wasm/reader/zxing_reader.wasm", import.meta.url).href;
const ready = prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
let canvas = null;

ready.then(() => postMessage({ ready: true }), (error) => postMessage({ fault: String(error) }));

addEventListener("message", async ({ data: frame }) => {
  try {
    await ready;
    const started = performance.now();
    const found = await readBarcodes(pixelsOf(frame), OPTIONS);
    postMessage({ texts: found.map(({ text }) => text), milliseconds: performance.now() - started });
  } catch (error) {
    postMessage({ texts: [], fault: String(error) });
  }
});

function pixelsOf(frame) {
  const { width, height } = frame;
  if (canvas === null || canvas.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  context.drawImage(frame, 0, 0);
  frame.close();
  return context.getImageData(0, 0, width, height);
}

/** A QR picture as one SVG path: black on white, level L, four modules of quiet zone (SPEC 3.1). */

import { h } from "/static/js/dom.js";
import { encode } from "./vendor/uqr/index.js";

const QUIET = 4; // modules

/** The picture of `digits` in `element`, as large as fits `space` CSS pixels with whole device pixels a module. */
export function drawCode(element, digits, space) {
  const { data, size } = encode(digits, { ecc: "L", border: QUIET });
  const path = data.flatMap((row, y) => runsOf(row).map(([x, length]) => `M${x} ${y}h${length}v1h-${length}z`)).join("");
  const scale = Math.max(1, Math.floor((space * devicePixelRatio) / size)) / devicePixelRatio;
  const picture = h("svg", { viewBox: `0 0 ${size} ${size}`, class: "code-picture", "shape-rendering": "crispEdges" },
    h("path", { d: `M0 0h${size}v${size}H0z`, fill: "#fff" }),
    h("path", { d: path, fill: "#000" }));
  picture.style.width = picture.style.height = `${size * scale}px`;
  element.replaceChildren(picture);
}

function runsOf(row) {
  const runs = [];
  row.forEach((isDark, x) => {
    if (!isDark) return;
    const last = runs.at(-1);
    if (last !== undefined && last[0] + last[1] === x) last[1] += 1;
    else runs.push([x, 1]);
  });
  return runs;
}

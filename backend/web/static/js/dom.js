/** Makes and fills elements. Text is always text: nothing here parses HTML. */

/**
 * An element. `attributes`: `on…` are listeners, booleans switch an attribute on or off, null leaves it out, `class`,
 * `hidden` and the rest are as in HTML. `children`: nodes, strings, arrays of them; null and false are left out.
 */
export function h(tag, attributes = {}, ...children) {
  const element = tag === "svg" || tag === "path" || tag === "circle"
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...present(children));
  return element;
}

/** Puts `children` in the place of what `element` holds. */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
  return element;
}

/** Sets the text only if it differs, so that a screen reader is not made to say it again. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** A drawing of 24 by 24 with one stroked path, hidden from screen readers: words say the same beside it. */
export function icon(path) {
  return h("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" },
    h("path", { d: path }));
}

function present(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

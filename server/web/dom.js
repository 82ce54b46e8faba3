/* Elements and numbers. Text from outside becomes text nodes, never markup. */

/* el("p", {class: "note"}, "text", child…): properties that are functions listen to that event. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === 'function')
      element.addEventListener(name, value);
    else if (value === true)
      element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);

/* Writes only what differs, so that a selection in the page survives the next poll. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/* The exact value stays with the element, for whoever wants more digits than are shown. */
export function setNumber(element, value, format) {
  setText(element, value === null || value === undefined ? '–' : format(value));
  element.dataset.value = value ?? '';
  element.title = typeof value === 'number' ? String(value) : '';
}

export const NOT_MEASURED = 'not measured';

const counts = new Intl.NumberFormat('en-US', {maximumFractionDigits: 0});

export const count = (value) => counts.format(value);

/* Four significant digits. */
export function number(value) {
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e7)) return value.toExponential(2);
  if (magnitude >= 1000) return counts.format(value);
  return String(Number(value.toPrecision(4)));
}

/* A share as percent: 3 significant digits, but no more than it takes. */
export function percent(share) {
  const value = 100 * share;
  if (value === 0 || value === 100) return `${value} %`;
  if (value > 99.9) return '> 99.9 %';
  if (value < 0.001) return `${value.toExponential(1)} %`;
  return `${Number(value.toPrecision(3))} %`;
}

/* Seconds as a duration with a fitting unit. */
export function duration(seconds) {
  if (seconds < 1e-3) return `${number(Number((seconds * 1e6).toPrecision(3)))} µs`;
  if (seconds < 1) return `${number(Number((seconds * 1e3).toPrecision(3)))} ms`;
  return `${number(Number(seconds.toPrecision(3)))} s`;
}

/* Seconds ago, roughly. */
export function ago(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86400)} days ago`;
}

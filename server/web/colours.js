/* viridis, which the colour-blind can read, over the logarithm of a firing rate. */

const ANCHORS = [
  0x440154,
  0x48186a,
  0x472d7b,
  0x424086,
  0x3b528b,
  0x33638d,
  0x2c728e,
  0x26828e,
  0x21918c,
  0x1fa088,
  0x28ae80,
  0x3fbc73,
  0x5ec962,
  0x84d44b,
  0xaddc30,
  0xd8e219,
  0xfde725,
];
const STEPS = 256;

/* Rates below have the first colour. */
export const RATE_FLOOR = 1e-4;

const channels = (colour) => [colour >> 16, (colour >> 8) & 255, colour & 255];

function mixed(position) {
  const at = position * (ANCHORS.length - 1);
  const i = Math.min(Math.floor(at), ANCHORS.length - 2);
  const [from, to] = [channels(ANCHORS[i]), channels(ANCHORS[i + 1])];
  return from.map((value, c) => Math.round(value + (to[c] - value) * (at - i)));
}

const grey = ([r, g, b]) => Math.round(70 + 0.6 * (0.2126 * r + 0.7152 * g + 0.0722 * b));

const scale = Array.from({length: STEPS}, (_, i) => mixed(i / (STEPS - 1)));
const coloured = scale.map(([r, g, b]) => `rgb(${r} ${g} ${b})`);
const greyed = scale.map((rgb) => `rgb(${grey(rgb)} ${grey(rgb)} ${grey(rgb)})`);

/* The colour of a rate above 0; of an undecided layer without its hue. */
export function rateColour(rate, decided = true) {
  const position = 1 - Math.log10(Math.max(rate, RATE_FLOOR)) / Math.log10(RATE_FLOOR);
  const i = Math.min(STEPS - 1, Math.max(0, Math.round(position * (STEPS - 1))));
  return (decided ? coloured : greyed)[i];
}

/* The colours that the style sheet has for this theme. */
export function themeColours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: of('ink'),
    muted: of('muted'),
    line: of('line'),
    card: of('card'),
    dead: of('dead'),
    silent: of('silent')
  };
}

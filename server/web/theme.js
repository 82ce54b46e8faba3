/* The theme, the system's or a chosen one, and the legend, whose colours depend on it. */
import {RATE_FLOOR, rateColour, themeColours} from './colours.js';
import {byId, el, setText} from './dom.js';
import {drawCell, KIND} from './grid.js';

const KEY = 'relud-theme';
const THEMES = ['auto', 'light', 'dark'];

const SAMPLES = [
  ['dead', {kind: KIND.dead, decided: true}],
  ['proven dead', {kind: KIND.proven, decided: true}],
  ['silent', {kind: KIND.silent, decided: true}],
  ['always on', {kind: KIND.alwaysOn, rate: 1, decided: true}],
  ['stuck high', {kind: KIND.stuckHigh, rate: 1, decided: true}],
  ['undecided', {kind: KIND.plain, rate: 0.1, decided: false}],
];

function drawSample(cell) {
  const canvas = el('canvas', {width: 36, height: 36, 'aria-hidden': 'true'});
  drawCell(canvas.getContext('2d'), 0, 0, 36, cell, themeColours());
  return canvas;
}

function drawLegend() {
  const ramp = byId('ramp');
  const context = ramp.getContext('2d');
  for (let x = 0; x < ramp.width; x++) {
    context.fillStyle = rateColour(RATE_FLOOR ** (1 - x / (ramp.width - 1)));
    context.fillRect(x, 0, 1, ramp.height);
  }
  const items = SAMPLES.map((sample) => el('li', {}, drawSample(sample[1]), sample[0]));
  byId('samples-legend').replaceChildren(...items);
}

function chosenTheme() {
  const theme = localStorage.getItem(KEY);
  return THEMES.includes(theme) ? theme : 'auto';
}

/* redraw() is called whenever the colours have changed, and once now. */
export function followTheme(redraw) {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const use = () => {
    const theme = chosenTheme();
    const system = dark.matches ? 'dark' : 'light';
    document.documentElement.dataset.theme = theme === 'auto' ? system : theme;
    setText(byId('theme'), `theme: ${theme}`);
    drawLegend();
    redraw();
  };
  byId('theme').addEventListener('click', () => {
    localStorage.setItem(KEY, THEMES[(THEMES.indexOf(chosenTheme()) + 1) % THEMES.length]);
    use();
  });
  dark.addEventListener('change', use);
  use();
}

/* A layer's units as cells on a canvas: colour is the firing rate, shape is what a colour cannot
 * say. The pixels are there only while the canvas is near the screen. */
import {rateColour, themeColours} from './colours.js';

export const KIND = {
  plain: 0,
  dead: 1,
  proven: 2,
  silent: 3,
  alwaysOn: 4,
  stuckHigh: 5,
  unknown: 6
};

/* Below so many pixels a cell has no room for shapes within. */
const SHAPE_PIXELS = 6;

/* Round the cells, for the frame of a selected one at the edge. */
const MARGIN = 2;

const SIZES = [[256, 24], [512, 18], [1024, 14], [2048, 11], [8192, 8], [65536, 5], [Infinity, 3]];

/* Columns in multiples of 8 or 16 where there are many, so that indices are easy to find. */
export function layout(units, width) {
  const size = SIZES.find(([most]) => units <= most)[1];
  const fitting = width / size >= 24 ? 16 * Math.floor(width / size / 16)
                                     : Math.max(8, 8 * Math.round(width / size / 8));
  const columns = Math.min(units, fitting);
  const cell = Math.max(2, Math.min(Math.floor(1.4 * size), Math.floor(width / fitting)));
  return {columns, cell, rows: Math.ceil(units / columns)};
}

function line(context, ...points) {
  context.beginPath();
  points.forEach(([x, y], i) => (i % 2 ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.stroke();
}

function outline(context, x, y, size, colour, width) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.strokeRect(x + width / 2, y + width / 2, size - width, size - width);
}

function drawDead(context, x, y, size, colour, proven) {
  const inset = Math.max(1, 0.24 * size);
  const [near, far] = [inset, size - inset];
  if (proven) {
    context.fillStyle = colour.dead;
    context.fillRect(x, y, size, size);
  }
  context.strokeStyle = proven ? colour.card : colour.dead;
  context.lineWidth = Math.max(1, size / 11);
  line(context, [x + near, y + near], [x + far, y + far]);
  if (size >= SHAPE_PIXELS) line(context, [x + far, y + near], [x + near, y + far]);
  if (size >= SHAPE_PIXELS && !proven)
    outline(context, x, y, size, colour.dead, Math.max(1, size / 16));
}

function drawSilent(context, x, y, size, colour) {
  if (size >= SHAPE_PIXELS) outline(context, x, y, size, colour.silent, Math.max(1, size / 16));
  context.strokeStyle = colour.silent;
  context.lineWidth = Math.max(1, size / 11);
  line(context, [x + 0.25 * size, y + size / 2], [x + 0.75 * size, y + size / 2]);
}

function drawRing(context, x, y, size) {
  context.strokeStyle = '#1b1b1b';
  context.lineWidth = Math.max(1, size / 9);
  context.beginPath();
  context.arc(x + size / 2, y + size / 2, Math.max(1, 0.27 * size), 0, 2 * Math.PI);
  context.stroke();
}

function drawBar(context, x, y, size) {
  context.fillStyle = '#1b1b1b';
  context.fillRect(x + 0.18 * size, y + 0.14 * size, 0.64 * size, Math.max(1, 0.2 * size));
}

/* One cell; colour holds themeColours(). */
export function drawCell(context, x, y, size, cell, colour) {
  const {kind, rate, decided, lit} = cell;
  const shades = decided ? colour : {...colour, dead: colour.muted, silent: colour.muted};
  if (kind === KIND.dead || kind === KIND.proven) {
    drawDead(context, x, y, size, shades, kind === KIND.proven);
  } else if (kind === KIND.silent) {
    drawSilent(context, x, y, size, shades);
  } else if (kind === KIND.unknown) {
    context.fillStyle = colour.muted;
    if (lit) context.fillRect(x, y, size, size);
    outline(context, x, y, size, colour.line, 1);
  } else {
    context.fillStyle = rateColour(rate, decided);
    context.fillRect(x, y, size, size);
    if (kind === KIND.alwaysOn) drawRing(context, x, y, size);
    if (kind === KIND.stuckHigh) drawBar(context, x, y, size);
  }
}

const KEYS = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: (grid) => -grid.place.columns,
  ArrowDown: (grid) => grid.place.columns,
  PageUp: (grid) => -8 * grid.place.columns,
  PageDown: (grid) => 8 * grid.place.columns,
  Home: () => -Infinity,
  End: () => Infinity,
};

export class Grid {
  /* onSelect(unit) is called for a click or key. */
  constructor(canvas, onSelect) {
    this.canvas = canvas;
    this.onSelect = onSelect;
    this.visible = false;
    this.selected = null;
    this.units = 0;
    this.cells = null;  /* {kinds, rates, decided}, by unit */
    this.marked = null; /* Uint8Array: 1 for units to stand out, or null */
    canvas.addEventListener('click', (event) => this.click(event));
    canvas.addEventListener('pointermove',
      (event) => (canvas.title = this.unitAt(event) === null ? '' : `unit ${this.unitAt(event)}`));
    canvas.addEventListener('keydown', (event) => this.press(event));
  }

  /* Takes its room before there are cells to draw. */
  reserve(units) {
    if (units === this.units) return;
    this.units = units;
    this.draw();
  }

  set(cells) {
    this.cells = cells;
    this.draw();
  }

  show(visible) {
    this.visible = visible;
    this.draw();
  }

  click(event) {
    const unit = this.unitAt(event);
    if (unit !== null) this.onSelect(unit);
  }

  /* The unit under the pointer, or null. */
  unitAt(event) {
    if (!this.place) return null;
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - MARGIN) / this.place.cell);
    const row = Math.floor((event.clientY - box.top - MARGIN) / this.place.cell);
    const unit = row * this.place.columns + column;
    return column >= 0 && column < this.place.columns && unit >= 0 && unit < this.units ? unit
                                                                                        : null;
  }

  press(event) {
    const step = KEYS[event.key];
    const chooses = event.key === 'Enter' || event.key === ' ';
    if ((!step && !chooses) || !this.place) return;
    event.preventDefault();
    const unit =
      this.selected === null || chooses ? (this.selected ?? 0) : this.selected + step(this);
    this.onSelect(Math.max(0, Math.min(this.units - 1, unit)));
  }

  /* Sizes the canvas; without pixels while nobody sees it. */
  measure() {
    const {canvas} = this;
    const density = this.visible ? window.devicePixelRatio || 1 : 0;
    this.place = layout(this.units, canvas.parentElement.clientWidth - 2 * MARGIN);
    const {columns, rows, cell} = this.place;
    const [width, height] = [columns * cell + 2 * MARGIN, rows * cell + 2 * MARGIN];
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    return density;
  }

  draw() {
    if (!this.units || !this.canvas.parentElement?.clientWidth) return;
    const density = this.measure();
    if (!density || !this.cells) return;
    const context = this.canvas.getContext('2d');
    context.scale(density, density);
    context.translate(MARGIN, MARGIN);
    this.paint(context, themeColours());
  }

  paint(context, colour) {
    const {columns, cell} = this.place;
    const size =
      cell >= SHAPE_PIXELS ? cell - Math.max(1, Math.round(cell / 10)) : cell - (cell > 3 ? 1 : 0);
    const {kinds, rates, decided} = this.cells;
    for (let unit = 0; unit < this.units; unit++) {
      const [x, y] = [(unit % columns) * cell, Math.floor(unit / columns) * cell];
      const lit = Boolean(this.marked?.[unit]);
      context.globalAlpha = this.marked && !lit ? 0.16 : 1;
      drawCell(context, x, y, size, {kind: kinds[unit], rate: rates?.[unit], decided, lit}, colour);
    }
    context.globalAlpha = 1;
    if (this.selected !== null) this.paintSelection(context, size, colour);
  }

  paintSelection(context, size, colour) {
    const {columns, cell} = this.place;
    const [x, y] = [(this.selected % columns) * cell, Math.floor(this.selected / columns) * cell];
    outline(context, x - 1, y - 1, size + 2, colour.card, 4);
    outline(context, x - 1, y - 1, size + 2, colour.ink, 2);
  }
}

/* A pad to draw an image on, one cell per pixel: with the pointer, or with arrow keys and space. */

const STEPS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1]
};

export class Pad {
  /* onStroke() is called when a stroke has ended. */
  constructor(canvas, onStroke) {
    this.canvas = canvas;
    this.onStroke = onStroke;
    this.cursor = null;
    this.reset(8, 8, 0, 1);
    canvas.addEventListener('pointerdown', (event) => this.begin(event));
    canvas.addEventListener('pointermove', (event) => this.last && this.moveTo(event));
    canvas.addEventListener('pointerup', () => this.end());
    canvas.addEventListener('pointercancel', () => this.end());
    canvas.addEventListener('keydown', (event) => this.press(event));
    canvas.addEventListener('blur', () => this.setCursor(null));
  }

  reset(rows, columns, min, max) {
    Object.assign(this, {rows, columns, min, max});
    this.clear();
  }

  clear() {
    this.values = new Float32Array(this.rows * this.columns).fill(this.min);
    this.draw();
  }

  /* Whole numbers where the range has several of them, as pixels usually are. */
  rounded() {
    const whole = this.max - this.min >= 8;
    return Array.from(
      this.values, (value) => (whole ? Math.round(value) : Number(value.toFixed(3))));
  }

  begin(event) {
    event.preventDefault();
    this.canvas.focus();
    this.canvas.setPointerCapture(event.pointerId);
    this.erases = event.button === 2 || event.shiftKey;
    this.last = this.pointOf(event);
    this.dab(...this.last);
    this.draw();
  }

  pointOf(event) {
    const box = this.canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * this.columns,
      ((event.clientY - box.top) / box.height) * this.rows
    ];
  }

  /* Dabs along the way, because the pointer may have jumped. */
  moveTo(event) {
    const [fromX, fromY] = this.last;
    const [toX, toY] = this.pointOf(event);
    const steps = Math.ceil(4 * Math.hypot(toX - fromX, toY - fromY));
    for (let i = 1; i <= steps; i++)
      this.dab(fromX + ((toX - fromX) * i) / steps, fromY + ((toY - fromY) * i) / steps);
    this.last = [toX, toY];
    this.draw();
  }

  end() {
    if (!this.last) return;
    this.last = null;
    this.onStroke();
  }

  /* A soft round brush: a pixel gets what the distance of its centre leaves. */
  dab(x, y) {
    const scale = Math.max(1, this.columns / 14);
    for (let row = 0; row < this.rows; row++)
      for (let column = 0; column < this.columns; column++) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y) / scale;
        this.blend(row * this.columns + column, Math.max(0, Math.min(1, (1.1 - distance) / 0.6)));
      }
  }

  blend(i, ink) {
    const {min, max, values} = this;
    if (this.erases)
      values[i] = Math.min(values[i], max - ink * (max - min));
    else
      values[i] = Math.max(values[i], min + ink * (max - min));
  }

  setCursor(cursor) {
    this.cursor = cursor;
    this.draw();
  }

  press(event) {
    const step = STEPS[event.key];
    if (!step && event.key !== ' ') return;
    event.preventDefault();
    const [column, row] = this.cursor ?? [Math.floor(this.columns / 2), Math.floor(this.rows / 2)];
    if (step) {
      this.setCursor([
        Math.max(0, Math.min(this.columns - 1, column + step[0])),
        Math.max(0, Math.min(this.rows - 1, row + step[1]))
      ]);
      return;
    }
    const i = row * this.columns + column;
    this.values[i] = this.values[i] > (this.min + this.max) / 2 ? this.min : this.max;
    this.setCursor([column, row]);
    this.onStroke();
  }

  draw() {
    const {canvas, rows, columns} = this;
    const cell =
      Math.max(4, Math.floor(480 / columns)); /* of the canvas, which the style sheet scales */
    canvas.width = columns * cell;
    canvas.height = rows * cell;
    const context = canvas.getContext('2d');
    const style = getComputedStyle(canvas);
    this.paint(context, cell, style.color, style.outlineColor);
  }

  paint(context, cell, ink, accent) {
    context.fillStyle = ink;
    this.values.forEach((value, i) => {
      const [x, y] = [(i % this.columns) * cell, Math.floor(i / this.columns) * cell];
      context.globalAlpha =
        0.06 + 0.94 * Math.max(0, Math.min(1, (value - this.min) / (this.max - this.min)));
      context.fillRect(x + 0.5, y + 0.5, cell - 1, cell - 1);
    });
    context.globalAlpha = 1;
    if (!this.cursor) return;
    context.strokeStyle = accent;
    context.lineWidth = 4;
    context.strokeRect(this.cursor[0] * cell + 2, this.cursor[1] * cell + 2, cell - 4, cell - 4);
  }
}

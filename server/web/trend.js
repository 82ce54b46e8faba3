/* Small charts of what the polls brought. */
import {el, setNumber, setText, svg} from './dom.js';

const SPAN_MS = 15 * 60 * 1000, SHORTEST_MS = 60 * 1000;
const WIDTH = 300, HEIGHT = 56;

/* The points as a path, broken where a value is missing. */
function pathOf(points, x, y) {
  let path = '', pen = 'M';
  for (const {at, value} of points) {
    if (value === null)
      pen = 'M';
    else {
      path += `${pen}${x(at).toFixed(1)},${y(value).toFixed(1)}`;
      if (pen === 'M') path += 'h0'; /* a single point is a dot */
      pen = 'L';
    }
  }
  return path;
}

/* The next of 1, 2, 5, 10, … that no value exceeds; least keeps a line near 0 down there. */
function ceilingOf(series, least) {
  let most = least;
  for (const points of series)
    for (const {value} of points)
      if (value !== null && value > most) most = value;
  const power = 10 ** Math.floor(Math.log10(most) + 1e-9);
  return [1, 2, 5, 10]
    .map((step) => Number((step * power).toPrecision(1)))
    .find((ceiling) => ceiling >= most * (1 - 1e-9));
}

export class Trend {
  /* lines: names of its series, the first of them the headline; format(value): a number's text;
   * least: the chart reaches at least so high; floor: of a logarithmic scale, 0 for a linear one.
   */
  constructor({id, title, lines, format, least, floor = 0}, onHover) {
    Object.assign(this, {lines, format, least, floor, points: lines.map(() => []), cursor: null});
    this.values = lines.map((name) => el('b', {'data-line': name}));
    this.note = el('small', {class: 'muted'});
    this.top = el('small', {class: 'top'});
    this.paths = lines.map((_, i) => svg('path', {class: `line line${i}`}));
    this.mark = svg('line', {class: 'mark', y1: 0, y2: HEIGHT, visibility: 'hidden'});
    this.chart = svg('svg',
      {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true'},
      ...this.paths, this.mark);
    this.chart.addEventListener('pointermove', (event) => onHover(this.timeAt(event)));
    this.chart.addEventListener('pointerleave', () => onHover(null));
    const heads =
      lines.map((name, i) => el('span', {class: `head head${i}`},
                  ...(lines.length > 1 ? [el('small', {}, name)] : []), this.values[i]));
    this.element = el('article', {class: 'trend', id}, el('h2', {}, title),
      el('p', {class: 'heads'}, ...heads), this.note,
      el('div', {class: 'plot'}, this.top,
        floor ? el('small', {class: 'floor'}, `log, from ${format(floor)}`) : '', this.chart));
  }

  clear() {
    this.points = this.lines.map(() => []);
    setText(this.note, '');
    this.draw(Date.now());
  }

  /* Nothing is known from here on until the next values. */
  interrupt(at, note) {
    this.add(at, [], note);
  }

  /* A value for each line, null where there is none. */
  add(at, values, note) {
    this.points.forEach((points, i) => {
      points.push({at, value: values[i] ?? null});
      while (points[0].at < at - SPAN_MS) points.shift();
    });
    setText(this.note, note);
    this.draw(at);
  }

  draw(now) {
    const first = this.points[0][0]?.at ?? now;
    const ceiling = ceilingOf(this.points, this.least);
    this.end = now;
    this.span = Math.max(SHORTEST_MS, now - first);
    const x = (at) => WIDTH - 3 - ((now - at) / this.span) * (WIDTH - 6);
    const y = (value) => HEIGHT - 3 - this.height(value, ceiling) * (HEIGHT - 6);
    this.x = x;
    this.paths.forEach((path, i) => path.setAttribute('d', pathOf(this.points[i], x, y)));
    setText(this.top, this.format(ceiling));
    this.showValues();
  }

  /* From 0 at the bottom to 1 at the ceiling. */
  height(value, ceiling) {
    const {floor} = this;
    if (!floor) return value / ceiling;
    return Math.log(Math.max(value, floor) / floor) / Math.log(ceiling / floor);
  }

  timeAt(event) {
    const box = this.chart.getBoundingClientRect();
    return this.end - this.span * (1 - (event.clientX - box.left) / box.width);
  }

  /* The values at a time, or the newest. */
  hover(at) {
    this.cursor = at;
    this.showValues();
  }

  showValues() {
    const points = this.points[0];
    let i = points.length - 1;
    while (this.cursor !== null && i > 0 && points[i].at > this.cursor) i--;
    this.values.forEach(
      (element, line) => setNumber(element, this.points[line][i]?.value ?? null, this.format));
    this.mark.setAttribute('visibility', this.cursor === null || i < 0 ? 'hidden' : 'visible');
    if (i < 0) return;
    this.mark.setAttribute('x1', this.x(points[i].at));
    this.mark.setAttribute('x2', this.x(points[i].at));
  }
}

/* An example to try: drawn or written, posted as any client would, its outputs as bars. */
import {infer} from './api.js';
import {byId, count, el, number, percent, setText} from './dom.js';
import {Pad} from './pad.js';

const LARGEST_PAD = 32, SMALLEST_PAD = 4;
const SHOWN_OUTPUTS = 20, BEST_OUTPUTS = 10;

const product = (sizes) => sizes.reduce((all, size) => all * size, 1);

/* The dimensions of one row: the first of a shape is the batch, where it is -1. */
const rowShape = ({shape}) => (shape[0] === -1 ? shape.slice(1) : shape);

/* [rows, columns] of an input that is taken for one grey image: small, with one declared range for
 * all pixels, and square where it is flat. null for others. */
export function imageShape(model) {
  const [input] = model.inputs;
  if (model.inputs.length !== 1 || typeof input.min !== 'number' || typeof input.max !== 'number')
    return null;
  const sizes = rowShape(input).filter((size) => size !== 1);
  const side = Math.round(Math.sqrt(product(sizes)));
  const shape = sizes.length === 2                   ? sizes
    : sizes.length === 1 && side * side === sizes[0] ? [side, side]
                                                     : null;
  return shape?.every((size) => size >= SMALLEST_PAD && size <= LARGEST_PAD) &&
      input.max > input.min
    ? shape
    : null;
}

const boundOf = (bound, i, otherwise) => (Array.isArray(bound) ? bound[i] : (bound ?? otherwise));

/* Numbers in the declared range, or about 0 where there is none. */
function randomRow(input) {
  return Array.from({length: product(rowShape(input))}, (_, i) => {
    const [min, max] = [boundOf(input.min, i, -1), boundOf(input.max, i, 1)];
    const value = min + Math.random() * (max - min);
    return max - min >= 8 ? Math.round(value) : Number(value.toPrecision(4));
  });
}

function randomText(model) {
  const rows = model.inputs.map((input) => [input.name, randomRow(input)]);
  return rows.length === 1
    ? rows[0][1].join(', ')
    : JSON.stringify(Object.fromEntries(rows.map(([name, row]) => [name, [row]])), null, 1);
}

/* What was written as JSON: itself when it is meant to be, else its words as one row. */
export function inputsOf(text) {
  const written = text.trim();
  if (/^[[{]/.test(written)) return written;
  return `[${written.split(/[\s,;]+/).filter(Boolean).join(',')}]`;
}

const flat = (row) => (Array.isArray(row) ? row.flat(Infinity) : [row]);

/* Which outputs are shown: all, or the largest when there are many. */
function shownOutputs(values) {
  const all = values.map((value, i) => ({value, i}));
  if (all.length <= SHOWN_OUTPUTS) return all;
  return all.filter(({value}) => value !== null)
    .sort((a, b) => b.value - a.value)
    .slice(0, BEST_OUTPUTS);
}

function bars(output, values) {
  const shown = shownOutputs(values);
  const finite = shown.map(({value}) => value).filter((value) => value !== null);
  const [low, high] = [Math.min(0, ...finite), Math.max(0, ...finite)];
  const best = Math.max(...finite);
  return shown.map(({value, i}) => {
    const bar = el('i');
    const share = (x) => `${high > low ? (100 * x) / (high - low) : 0}%`;
    bar.style.left = share(Math.min(0, value ?? 0) - low);
    bar.style.width = share(Math.abs(value ?? 0));
    return el('li', {class: value === best && finite.length > 1 ? 'best' : '', 'data-value': value},
      el('span', {class: 'name'}, output?.labels?.[i] ?? String(i)),
      el('span', {class: 'bar'}, bar),
      el('span', {class: 'value'}, value === null ? 'not finite' : number(value)));
  });
}

export class Example {
  /* onReply(Map of layer name -> active units, or null) when there is a reply, or none any more. */
  constructor(onReply) {
    this.onReply = onReply;
    this.sent = 0; /* requests, of which only the last matters */
    this.form = byId('example');
    this.text = byId('numbers');
    this.pad = new Pad(byId('pad'), () => byId('every-stroke').checked && this.run());
    byId('pad').addEventListener('contextmenu', (event) => event.preventDefault());
    this.form.addEventListener('submit', (event) => (event.preventDefault(), this.run()));
    this.text.addEventListener('input', () => this.countNumbers());
    byId('try').open =
      matchMedia('(min-width: 1081px)').matches; /* else it would hide the layers */
    byId('random').addEventListener('click', () => this.randomise());
    byId('clear').addEventListener('click', () => this.clear());
    byId('unlight').addEventListener('click', () => this.onReply(null));
    for (const radio of this.form.elements.mode)
      radio.addEventListener('change', () => this.showMode());
  }

  draws() {
    return this.form.elements.mode.value === 'draw';
  }

  /* Another model, or the same with another signature. */
  setModel(model) {
    const signature = JSON.stringify([model.name, model.version, model.inputs, model.outputs]);
    if (signature === this.signature) return;
    Object.assign(this, {signature, model});
    this.forget();
    byId('try').hidden = !model.inputs?.length;
    if (byId('try').hidden) return;
    const shape = imageShape(model);
    byId('mode').hidden = !shape;
    this.form.elements.mode.value = shape ? 'draw' : 'write';
    this.text.value = '';
    if (shape) this.pad.reset(...shape, model.inputs[0].min, model.inputs[0].max);
    byId('pad').classList.toggle('fine', Boolean(shape) && shape[1] > 16);
    this.showMode();
  }

  showMode() {
    const drawn = this.draws();
    byId('drawing').hidden = !drawn;
    byId('writing').hidden = drawn;
    if (!drawn && !byId('mode').hidden && !this.text.value)
      this.text.value = this.pad.rounded().join(', ');
    this.countNumbers();
    if (drawn) this.pad.draw();
  }

  countNumbers() {
    const wanted = this.model.inputs
                     .map((input) => `${this.model.inputs.length > 1 ? `${input.name}: ` : ''}${
                            rowShape(input).map(count).join(' × ') || 1}`)
                     .join(', ');
    const written = /^\s*[[{]/.test(this.text.value)
      ? 'JSON'
      : `${count(this.text.value.split(/[\s,;]+/).filter(Boolean).length)} numbers`;
    setText(byId('wanted'), `the model takes ${wanted} numbers; written: ${written}`);
  }

  randomise() {
    if (this.draws()) {
      this.pad.values.set(randomRow(this.model.inputs[0]));
      this.pad.draw();
      this.pad.onStroke();
    } else {
      this.text.value = randomText(this.model);
      this.countNumbers();
    }
  }

  clear() {
    if (this.draws())
      this.pad.clear();
    else
      this.text.value = '';
    this.countNumbers();
    this.forget();
  }

  forget() {
    this.sent++;
    byId('outcome').hidden = true;
    byId('refusal').hidden = true;
    this.onReply(null);
  }

  /* The answer to an older request than the last does not matter any more. */
  async run() {
    const id = ++this.sent;
    const inputs = this.draws() ? JSON.stringify([this.pad.rounded()]) : inputsOf(this.text.value);
    try {
      const reply = await infer(this.model, inputs);
      if (id === this.sent) this.show(reply);
    } catch (error) {
      if (id === this.sent)
        this.refuse(error.status ? error.message : 'the server is not reachable');
    }
  }

  refuse(sentence) {
    byId('outcome').hidden = true;
    byId('refusal').hidden = false;
    setText(byId('refusal'), sentence);
    this.onReply(null);
  }

  show(reply) {
    byId('refusal').hidden = true;
    byId('outcome').hidden = false;
    setText(byId('label'), reply.labels?.[0] ?? '');
    const {queue, compute} = reply.timing_us;
    const sparsity = reply.stats?.sparsity;
    setText(byId('timing'), [
      `queue ${count(queue)} µs, compute ${count(compute)} µs`,
      typeof sparsity === 'number' ? `sparsity ${percent(sparsity)}` : '',
      reply.rows > 1 ? `row 1 of ${count(reply.rows)}` : ''
    ].filter(Boolean).join(' · '));
    this.showOutputs(reply.outputs);
    const layers = reply.stats?.layers?.filter(({active_units: units}) => units) ?? [];
    this.onReply(new Map(layers.map(({name, active_units: units}) => [name, units[0]])));
  }

  showOutputs(outputs) {
    const named = Array.isArray(outputs) ? [[null, outputs]] : Object.entries(outputs);
    byId('outputs').replaceChildren(...named.map(([name, rows]) => {
      const output = this.model.outputs.find((port) => name === null || port.name === name);
      const values = flat(rows[0]);
      const more = values.length > SHOWN_OUTPUTS
        ? `the largest ${BEST_OUTPUTS} of ${count(values.length)}`
        : '';
      return el('figure', {},
        el('figcaption', {}, [name ?? output?.name, more].filter(Boolean).join(', ')),
        el('ol', {class: 'bars'}, ...bars(output, values)));
    }));
  }
}

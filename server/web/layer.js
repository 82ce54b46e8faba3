/* One counted layer: a line of counts, its spectrum of rates, and when it is open the grid of its
 * units. */
import {RATE_FLOOR, rateColour} from './colours.js';
import {count, el, NOT_MEASURED, percent, setNumber, setText, svg} from './dom.js';
import {Grid, KIND} from './grid.js';
import {UnitPanel} from './unit.js';
import {verdictOf, VERDICTS} from './verdicts.js';

const nearScreen = new IntersectionObserver(
  (entries) => entries.forEach((entry) => cards.get(entry.target)?.see(entry.isIntersecting)),
  {rootMargin: '300px 0px'},
);
const cards = new WeakMap(); /* of the elements that are watched */

function activationText({type, ...parameters}) {
  const shown = Object.entries(parameters).filter(([, value]) => typeof value === 'number');
  return shown.length ? `${type}(${shown.map(([name, value]) => `${name} ${value}`).join(', ')})`
                      : type;
}

function markAll(kinds, verdict, kind) {
  for (const unit of verdict?.units ?? []) kinds[unit] = kind;
}

/* The later the stronger; a proof counts where no row has voided it. */
function kindsOf(layer) {
  const kinds = new Uint8Array(layer.units);
  if (!(layer.observations > 0) || !layer.unit_stats.rate)
    kinds.fill(KIND.unknown);
  else {
    markAll(kinds, layer.always_on, KIND.alwaysOn);
    markAll(kinds, layer.stuck_high, KIND.stuckHigh);
    markAll(kinds, layer.silent, KIND.silent);
    markAll(kinds, layer.dead, KIND.dead);
  }
  if (layer.dead_proven && !layer.dead_proven.void) markAll(kinds, layer.dead_proven, KIND.proven);
  return kinds;
}

/* Shares of units by rate: those never active first, those always active last. */
function spectrumOf(layer) {
  if (!(layer.observations > 0) || !layer.rate_histogram) return [];
  const {counts, edges} = layer.rate_histogram;
  const [dead, silent, always] =
    [layer.dead, layer.silent, layer.always_on].map((verdict) => verdict.count);
  const bins = counts.map((units, i) => ({
    units: units - (i === 0 ? dead + silent : 0) - (i === counts.length - 1 ? always : 0),
    look:
      {fill: rateColour(Math.sqrt(Math.max(edges[i], RATE_FLOOR) * edges[i + 1]), layer.decided)},
  }));
  return [
    {units: dead, look: {class: 'never'}}, {units: silent, look: {class: 'never silent'}}, ...bins,
    {units: always, look: {fill: rateColour(1, layer.decided)}}
  ];
}

function maskOf(units, indices) {
  const mask = new Uint8Array(units);
  for (const unit of indices) mask[unit] = 1;
  return mask;
}

export class LayerCard {
  constructor(name, context) {
    this.name = name;
    this.context = context; /* {example(name), select(card, unit), wake()} */
    this.visible = false;
    this.chosen = null; /* the verdict whose units stand out */
    this.shown = {};    /* the elements of its counts, by field */
    this.layer = null;  /* the last answer with units, and the whole that it was part of */
    this.whole = null;
    this.build();
    this.grid = new Grid(this.canvas, (unit) => context.select(this, unit));
    cards.set(this.body, this);
    nearScreen.observe(this.body);
  }

  build() {
    this.toggle = el('button', {
      type: 'button',
      class: 'toggle',
      'aria-expanded': 'false',
      click: () => this.open(!this.isOpen())
    },
      this.name);
    this.activation = el('span', {class: 'muted'});
    this.badge = el('span', {class: 'badge', hidden: true});
    this.lit = el('span', {class: 'lit', hidden: true});
    this.facts = el('div', {class: 'facts'});
    this.facts.append(this.fact('units', 'units'), this.fact('sparsity', 'sparsity'),
      ...VERDICTS.map(([field, name, meaning]) => this.choice(field, name, meaning)));
    this.spectrum = svg(
      'svg', {class: 'spectrum', viewBox: '0 0 1000 10', preserveAspectRatio: 'none', role: 'img'});
    this.canvas =
      el('canvas', {tabindex: 0, role: 'application', 'aria-roledescription': 'grid of units'});
    this.unit = new UnitPanel(
      (unit) => this.context.select(this, unit), () => this.context.select(null, null));
    this.note = el('p', {class: 'muted', hidden: true});
    this.body = el('div', {class: 'body'}, this.note, el('div', {class: 'sheet'}, this.canvas),
      this.unit.element);
    this.element = el('section', {class: 'layer', 'data-layer': this.name},
      el('h3', {}, this.toggle, this.activation, this.badge, this.lit), this.facts, this.spectrum,
      this.body);
    this.body.hidden = true;
  }

  fact(field, name) {
    this.shown[field] = el('b', {'data-field': field});
    return el('span', {class: 'fact'}, el('small', {}, name), this.shown[field]);
  }

  choice(field, name, meaning) {
    this.shown[field] = el('b', {'data-field': field});
    return el('button', {
      type: 'button',
      class: `fact ${field}`,
      'aria-pressed': 'false',
      title: meaning,
      click: () => this.choose(field)
    },
      el('small', {}, name), this.shown[field]);
  }

  isOpen() {
    return !this.body.hidden;
  }

  open(open) {
    this.body.hidden = !open;
    this.grid.draw();
    this.toggle.setAttribute('aria-expanded', String(open));
    this.element.classList.toggle('open', open);
    this.context.wake();
  }

  see(visible) {
    if (visible === this.visible) return;
    this.visible = visible;
    this.grid.show(visible);
    if (visible) this.context.wake();
  }

  /* Whether its units are looked at, so that they must be asked for. */
  wants() {
    return this.isOpen() && this.visible;
  }

  choose(field) {
    this.chosen = this.chosen === field ? null : field;
    if (!this.isOpen()) this.open(true);
    this.mark();
  }

  /* The counts; of a reply with or without units. */
  update(stats, layer) {
    this.stats = stats;
    setText(this.activation, activationText(layer.activation));
    setNumber(this.shown.units, layer.units, count);
    setNumber(this.shown.sparsity, layer.sparsity, percent);
    for (const [field] of VERDICTS) this.updateVerdict(field, verdictOf(stats, layer, field));
    this.shown.drift.parentElement.hidden = !stats.drift;
    this.badge.hidden = layer.decided;
    setText(this.badge,
      stats.level === 'off'
        ? 'statistics are off'
        : `undecided: ${count(stats.samples)} of ${count(stats.min_samples)} rows`);
    this.element.classList.toggle('undecided', !layer.decided);
    this.updateSpectrum(layer);
    this.grid.reserve(layer.units);
    if (layer.unit_stats) this.updateUnits(stats, layer);
  }

  updateVerdict(field, verdict) {
    const shown = this.shown[field];
    const undeclared = field === 'dead_proven' && this.stats.level !== 'off';
    if (verdict)
      setNumber(shown, verdict.count, count);
    else
      setText(shown, undeclared ? 'no range' : NOT_MEASURED);
    shown.classList.toggle('none', !verdict);
    shown.parentElement.classList.toggle('zero', !verdict?.count);
    shown.parentElement.classList.toggle('void', Boolean(verdict?.void));
    shown.parentElement.disabled = !verdict?.count && this.chosen !== field;
  }

  updateSpectrum(layer) {
    let x = 0;
    const rects = spectrumOf(layer).map(({units, look}) => {
      const width = (1000 * Math.max(0, units)) / layer.units;
      const rect = svg('rect', {x, y: 0, width, height: 10, ...look});
      x += width;
      return rect;
    });
    const [dead, silent, always] = ['dead', 'silent', 'always_on'].map((f) => layer[f]?.count ?? 0);
    this.spectrum.replaceChildren(svg('title', {}, 'share of units by firing rate'), ...rects);
    this.spectrum.setAttribute('aria-label',
      `share of units by firing rate: ${dead + silent} never, ${always} always active`);
  }

  updateUnits(stats, layer) {
    this.layer = layer;
    this.whole = stats;
    const measured = Boolean(layer.unit_stats.rate);
    this.note.hidden = measured;
    setText(this.note, `${NOT_MEASURED} at the statistics level “${stats.level}”`);
    this.grid.marked = this.maskNow();
    this.grid.set({kinds: kindsOf(layer), rates: layer.unit_stats.rate, decided: layer.decided});
    this.canvas.dataset.drawn = String(layer.observations);
    this.canvas.setAttribute('aria-label',
      `${layer.name}: ${layer.units} units, ${
        layer.dead?.count ?? 0} dead; arrow keys choose a unit`);
    if (this.grid.selected !== null) this.showUnit();
  }

  maskNow() {
    const example = this.context.example(this.name);
    if (!this.layer) return null;
    if (this.chosen)
      return maskOf(this.layer.units, verdictOf(this.whole, this.layer, this.chosen)?.units ?? []);
    return example ? maskOf(this.layer.units, example) : null;
  }

  /* Which units stand out: those of a verdict, or else those of the example. */
  mark() {
    const example = this.context.example(this.name);
    for (const [field] of VERDICTS)
      this.shown[field].parentElement.setAttribute('aria-pressed', String(this.chosen === field));
    this.lit.hidden = !example;
    if (example) setNumber(this.lit, example.length, (n) => `${count(n)} active for the example`);
    this.grid.marked = this.maskNow();
    this.grid.draw();
    if (this.grid.selected !== null && this.layer) this.showUnit();
  }

  select(unit) {
    this.grid.selected =
      unit === null || !this.layer ? null : Math.max(0, Math.min(this.layer.units - 1, unit));
    if (this.grid.selected === null)
      this.unit.hide();
    else
      this.showUnit();
    this.grid.draw();
  }

  showUnit() {
    const unit = this.grid.selected;
    const example = this.context.example(this.name);
    this.unit.show(this.whole, this.layer, unit, example ? example.includes(unit) : null);
  }

  close() {
    nearScreen.unobserve(this.body);
  }
}

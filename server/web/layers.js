/* The counted layers, and which of them are open, looked at and lit. */
import {byId, el} from './dom.js';
import {LayerCard} from './layer.js';

/* So many units are shown without being asked for. */
const OPEN_UNITS = 8192;

export class Layers {
  /* wake() asks for what is missing now. */
  constructor(list, wake) {
    this.list = list;
    this.wake = wake;
    this.cards = new Map();
    this.names = null;   /* of the layers shown, as JSON; null before the first answer */
    this.example = null; /* Map of layer name -> active units, or null */
    new ResizeObserver(() => this.redraw()).observe(list);
    byId('expand').addEventListener('click', () => this.openAll(true));
    byId('collapse').addEventListener('click', () => this.openAll(false));
  }

  clear() {
    for (const card of this.cards.values()) card.close();
    this.cards.clear();
    this.names = null;
    this.example = null;
    this.list.replaceChildren();
  }

  openAll(open) {
    for (const card of this.cards.values()) card.open(open);
  }

  redraw() {
    for (const card of this.cards.values()) card.grid.draw();
  }

  select(chosen, unit) {
    for (const card of this.cards.values()) card.select(card === chosen ? unit : null);
  }

  add(name) {
    const card = new LayerCard(name, {
      example: (layer) => this.example?.get(layer) ?? null,
      select: (chosen, unit) => this.select(chosen, unit),
      wake: this.wake,
    });
    this.cards.set(name, card);
    this.list.append(card.element);
    return card;
  }

  /* Layers of another model replace all. */
  update(stats) {
    const names = JSON.stringify(stats.layers.map(({name}) => name));
    if (names !== this.names) this.rebuild(stats);
    this.names = names;
    for (const layer of stats.layers) this.cards.get(layer.name).update(stats, layer);
  }

  rebuild(stats) {
    let units = 0;
    this.clear();
    for (const layer of stats.layers) {
      const card = this.add(layer.name);
      if (units === 0 || units + layer.units <= OPEN_UNITS) card.open(true);
      units += layer.units;
    }
    if (!stats.layers.length)
      this.list.append(el('p', {class: 'muted'}, 'This model has no layer that is counted.'));
  }

  updateUnits(stats) {
    for (const layer of stats.layers) this.cards.get(layer.name)?.update(stats, layer);
  }

  wanted() {
    return [...this.cards.values()].filter((card) => card.wants()).map((card) => card.name);
  }

  /* example: Map of layer name -> ascending active units, null for none. */
  light(example) {
    this.example = example;
    for (const card of this.cards.values()) {
      if (example) card.chosen = null;
      card.mark();
    }
  }
}

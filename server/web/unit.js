/* What is known of one unit, below its layer's grid. */
import {count, el, NOT_MEASURED, number, percent, setNumber, setText} from './dom.js';
import {verdictOf, VERDICTS} from './verdicts.js';

const NUMBERS = [
  ['active', 'active', count],
  ['rate', 'rate', percent],
  ['mean', 'mean', number],
  ['mean_abs', 'mean magnitude', number],
  ['max_preactivation', 'max pre-activation', number],
  ['margin', 'margin', number, 'a bias step a little larger would wake the unit on the same data'],
  ['low_tail', 'in its flat tail', count],
  ['high_tail', 'at its upper bound', count],
];

/* These are there for some functions only. */
const OPTIONAL = new Set(['low_tail', 'high_tail']);

function verdictsOf(stats, layer, unit) {
  return VERDICTS.filter(([field]) => verdictOf(stats, layer, field)?.units?.includes(unit));
}

function noteOf(field, stats, layer) {
  if (field === 'dead_proven' && layer.dead_proven.void)
    return 'void: rows outside that range were seen';
  return layer.decided ? ''
                       : `undecided: ${count(stats.samples)} of ${count(stats.min_samples)} rows`;
}

function noVerdict(layer) {
  if (!layer.unit_stats.active) return NOT_MEASURED;
  return layer.observations ? 'no verdict: it fires, and not always'
                            : 'no verdict: no row was counted yet';
}

export class UnitPanel {
  /* onMove(unit) asks for another unit, onClose() for none. */
  constructor(onMove, onClose) {
    this.title = el('h4');
    this.position = el('input', {
      type: 'number',
      min: 0,
      'aria-label': 'unit',
      change: () => onMove(Number(this.position.value))
    });
    this.numbers = el('dl', {class: 'numbers'});
    this.verdicts = el('ul', {class: 'verdicts'});
    this.element = el('div', {class: 'unit', role: 'group', 'aria-live': 'polite', hidden: true},
      el('header', {}, this.title,
        el('button', {
          type: 'button',
          class: 'small',
          'aria-label': 'previous unit',
          click: () => onMove(this.unit - 1)
        },
          '‹'),
        this.position,
        el('button', {
          type: 'button',
          class: 'small',
          'aria-label': 'next unit',
          click: () => onMove(this.unit + 1)
        },
          '›'),
        el('button', {type: 'button', class: 'small close', 'aria-label': 'close', click: onClose},
          '×')),
      this.numbers, this.verdicts);
  }

  hide() {
    this.element.hidden = true;
  }

  /* fired: whether the example activated it, null for no example. */
  show(stats, layer, unit, fired) {
    this.unit = unit;
    this.element.hidden = false;
    setText(this.title, `${layer.name}, unit ${unit}`);
    this.position.max = layer.units - 1;
    if (document.activeElement !== this.position) this.position.value = unit;
    this.numbers.replaceChildren(...this.rows(layer, unit, fired));
    this.verdicts.replaceChildren(...this.judgements(stats, layer, unit));
  }

  rows(layer, unit, fired) {
    const rows = NUMBERS.filter(([field]) => layer.unit_stats[field] || !OPTIONAL.has(field)).map(([
      field, name, format, hint
    ]) => this.row(layer, field, unit, name, format, hint));
    if (layer.unit_stats.active?.[unit] === 0) rows.push(this.bound(layer));
    if (fired !== null)
      rows.push(el('div', {class: 'fired'}, el('dt', {}, 'your example'),
        el('dd', {}, fired ? 'active' : 'inactive')));
    return rows;
  }

  row(layer, field, unit, name, format, hint) {
    const values = layer.unit_stats[field];
    const value = el('dd', {'data-field': field});
    if (!values)
      setText(value, NOT_MEASURED);
    else
      setNumber(value, values[unit], format);
    if (field === 'active' && values)
      value.append(el('small', {}, ` of ${count(layer.observations)}`));
    if (field === 'margin' && values?.[unit] === null && layer.observations)
      setText(value, 'has fired');
    return el('div', {title: hint}, el('dt', {}, name), value);
  }

  bound(layer) {
    const value = el('dd', {'data-field': 'rate_upper_95'});
    setNumber(value, layer.dead?.rate_upper_95, (rate) => `< ${percent(rate)}`);
    return el('div', {title: 'with 95 % confidence it fires less often than this'},
      el('dt', {}, 'rate, 95 % bound'), value);
  }

  judgements(stats, layer, unit) {
    const found = verdictsOf(stats, layer, unit);
    if (!found.length) return [el('li', {}, noVerdict(layer))];
    return found.map(([field, name, meaning]) => {
      const note = noteOf(field, stats, layer);
      return el(
        'li', {'data-verdict': field}, el('b', {}, name), ` ${meaning}${note ? ` (${note})` : ''}`);
    });
  }
}

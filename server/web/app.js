/* The page: which model and window are looked at, the polls, and what is said when they fail. */
import {getMetrics, getModels, getStats, key, Refused, setKey, Unreachable} from './api.js';
import {ago, byId, count, duration, el, NOT_MEASURED, number, percent, setText} from './dom.js';
import {Example} from './example.js';
import {Layers} from './layers.js';
import {difference, modelsOf, parseMetrics, readingOf} from './metrics.js';
import {followTheme} from './theme.js';
import {Trend} from './trend.js';

const POLL_MS = 2000;

const address = new URLSearchParams(location.hash.slice(1));
const chosen = {
  name: address.get('model'),
  version: address.get('version'),
  window: address.get('window') ?? ''
};
const state = {
  models: [],
  model: null,
  reading: null,
  timer: null,
  busy: false,
  again: false,
  era: 0
};

/* The charts */

const perSecond = (value) => number(Number(value.toPrecision(value < 10 ? 2 : 3)));
const trends = {
  dead: {title: 'Dead', lines: ['dead'], format: percent, least: 0.01},
  sparsity: {title: 'Sparsity', lines: ['sparsity'], format: percent, least: 0.01},
  requests: {title: 'Requests / s', lines: ['requests'], format: perSecond, least: 1},
  latency: {title: 'Latency', lines: ['p50', 'p99'], format: duration, least: 1e-3, floor: 1e-5},
  batch: {title: 'Batch', lines: ['rows'], format: perSecond, least: 1},
};
for (const [name, options] of Object.entries(trends)) {
  trends[name] = new Trend({id: `trend-${name}`, ...options},
    (at) => Object.values(trends).forEach((trend) => trend.hover(at)));
  byId('trends').append(trends[name].element);
}

function clearTrends() {
  state.reading = null;
  for (const trend of Object.values(trends)) trend.clear();
}

/* Nothing is known until the next poll that brings numbers. */
function interruptTrends(note) {
  state.reading = null;
  for (const trend of Object.values(trends)) trend.interrupt(Date.now(), note);
}

/* What is shown */

const layers = new Layers(byId('layers'), () => poll());
const example = new Example((active) => {
  byId('unlight').hidden = !active;
  layers.light(active);
});

function complain(id, sentence) {
  byId(id).hidden = !sentence;
  setText(byId(id), sentence);
}

function showReachable(reachable) {
  document.body.classList.toggle('stale', !reachable);
  complain('unreachable',
    reachable
      ? ''
      : `The server is not reachable. The numbers are the last ones known; asking again every ${
          POLL_MS / 1000} s.`);
}

const optionText = (model, all) => `${model.name}${
  all.filter(({name}) => name === model.name).length > 1
    ? `, version ${model.version}`
    : ''}${model.state === 'ready' ? '' : ` (${model.state})`}`;

function showModels(models) {
  const select = byId('model');
  const texts = models.map((model) => optionText(model, models));
  const current = [...select.options].map((option) => option.textContent);
  if (JSON.stringify(texts) !== JSON.stringify(current))
    select.replaceChildren(...texts.map((text, i) => el('option', {value: i}, text)));
  select.selectedIndex = models.indexOf(state.model);
  select.disabled = models.length < 2;
}

/* The model that was chosen, of its versions the one that answers requests that name none, or else
 * the default model. */
function findModel(models) {
  const same = models.filter(({name}) => name === chosen.name);
  return same.find(({version}) => version === chosen.version) ??
    same.findLast((model) => model.state === 'ready') ?? same.at(-1) ??
    models.find((one) => one.default) ?? models[0] ?? null;
}

function chooseModel(models) {
  const model = findModel(models), before = state.model;
  Object.assign(state, {models, model});
  if (model?.name !== before?.name || model?.version !== before?.version) clearTrends();
  if (model?.digest !== before?.digest || model?.name !== before?.name) restart();
  showModels(models);
  if (model) showModel(model);
}

function showModel(model) {
  setText(byId('state'), model.state);
  byId('state').dataset.state = model.state;
  setText(byId('version'), model.version);
  setText(byId('digest'), model.digest ? model.digest.slice(0, 19) : '–');
  byId('digest').title = model.digest ?? '';
  complain('reason', reasonOf(model));
  if (model.inputs) example.setModel(model);
}

function reasonOf(model) {
  if (model.state !== 'ready') return `This model is ${model.state}: ${model.reason ?? '…'}`;
  return model.reason ? `The last load of this model failed: ${model.reason}` : '';
}

/* What was said of other weights. */
function restart() {
  state.era++;
  for (const id of ['samples', 'since', 'outside', 'silent', 'level']) setText(byId(id), '–');
  layers.clear();
  example.forget();
}

function showStats(stats, at) {
  const {totals} = stats;
  setText(byId('level'), stats.level);
  setText(byId('samples'), count(stats.samples));
  byId('samples').dataset.value = stats.samples;
  setText(byId('since'), ago((at - Date.parse(stats.since)) / 1000));
  byId('since').title = stats.since;
  setText(byId('outside'), outsideText(stats));
  setText(byId('silent'), totals.units ? count(totals.silent) : '–');
  complain('drift-error', stats.drift?.error ? `Drift: ${stats.drift.error}` : '');
  const note =
    totals.units ? `${count(totals.dead)} of ${count(totals.units)} units` : undecidedText(stats);
  trends.dead.add(at, [totals.dead_fraction], note);
  trends.sparsity.add(
    at, [totals.sparsity], totals.units ? 'share of inactive observations' : undecidedText(stats));
  layers.update(stats);
}

function outsideText({out_of_range_rows: rows, level}) {
  if (rows !== null) return count(rows);
  return level === 'off' ? NOT_MEASURED : 'no range declared';
}

function undecidedText(stats) {
  if (stats.level === 'off') return `${NOT_MEASURED}: statistics are off`;
  return stats.layers.length
    ? `undecided: ${count(stats.samples)} of ${count(stats.min_samples)} rows`
    : 'no layer is counted';
}

/* The first reading has nothing to be compared with. */
function showMetrics(samples, at) {
  const now = readingOf(samples, state.model.name, at);
  const change = state.reading && difference(state.reading, now);
  state.reading = now;
  trends.requests.add(
    at, [change?.requests], change ? `${perSecond(change.rows)} rows / s` : 'measuring …');
  trends.latency.add(at, [change?.p50, change?.p99],
    change?.p50 === null ? 'no request just now' : 'of inference requests');
  trends.batch.add(at, [change?.batch], 'rows per run');
}

/* Polls */

/* What a key of another scope may not see is said, and the rest is shown. */
async function allowed(asking) {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof Refused && error.status === 403) return error;
    throw error;
  }
}

const forbidden = (...replies) => [...new Set(replies.filter((reply) => reply instanceof Refused)
                                                .map(({message}) => message))]
                                    .join('; ');

async function refresh() {
  const [models, metrics] = await Promise.all([allowed(getModels()), allowed(getMetrics())]);
  const samples = metrics instanceof Refused ? [] : parseMetrics(metrics);
  chooseModel(models instanceof Refused ? modelsOf(samples) : models);
  if (!state.model) return complain('refused', forbidden(models, metrics) || 'No model is served.');
  const {era, model} = state;
  if (model.state !== 'ready') {
    interruptTrends(model.state);
    return complain('refused', forbidden(models, metrics));
  }
  const stats = await allowed(getStats(model, chosen.window, {detail: 'summary'}));
  if (era !== state.era) return undefined;
  complain('refused', forbidden(models, metrics, stats));
  const at = Date.now();
  if (!(metrics instanceof Refused)) showMetrics(samples, at);
  if (!(stats instanceof Refused)) showStats(stats, at);
  return stats instanceof Refused ? undefined : refreshUnits(model, era);
}

/* The units of the layers on the screen. */
async function refreshUnits(model, era) {
  const replies = await Promise.all(
    layers.wanted().map((layer) => getStats(model, chosen.window, {detail: 'units', layer})));
  if (era === state.era)
    for (const stats of replies) layers.updateUnits(stats);
}

function fail(error) {
  if (error instanceof Unreachable) {
    interruptTrends('not reachable');
    showReachable(false);
  } else if (error instanceof Refused) {
    showReachable(true);
    if (error.status === 401)
      askKey(error.message);
    else
      complain('refused', error.message);
  } else {
    throw error;
  }
}

/* One at a time; who asks meanwhile gets another right after. */
async function poll() {
  if (document.hidden || byId('key-dialog').open) return;
  if (state.busy) {
    state.again = true;
    return;
  }
  clearTimeout(state.timer);
  state.busy = true;
  try {
    await refresh();
    showReachable(true);
  } catch (error) {
    fail(error);
  } finally {
    state.busy = false;
    state.timer = setTimeout(poll, state.again ? 0 : POLL_MS);
    state.again = false;
  }
}

/* Keys */

function askKey(sentence) {
  setText(byId('key-sentence'), sentence);
  byId('key').value = '';
  if (!byId('key-dialog').open) byId('key-dialog').showModal();
}

function useKey(value) {
  setKey(value);
  byId('forget-key').hidden = !value;
  if (byId('key-dialog').open)
    byId('key-dialog').close();
  else
    poll();
}

byId('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useKey(byId('key').value.trim());
});
byId('key-dialog').addEventListener('cancel', (event) => event.preventDefault());
/* A browser closes it all the same when Escape is pressed again; the server asks again, too. */
byId('key-dialog').addEventListener('close', () => poll());
byId('forget-key').addEventListener('click', () => useKey(null));
byId('forget-key').hidden = !key();

/* Choices */

function remember() {
  const values = new URLSearchParams();
  if (state.model) values.set('model', state.model.name);
  if (state.model && state.models.filter(({name}) => name === state.model.name).length > 1)
    values.set('version', state.model.version);
  if (chosen.window) values.set('window', chosen.window);
  history.replaceState(null, '', `#${values}`);
}

byId('model').addEventListener('change', () => {
  const model = state.models[byId('model').selectedIndex];
  Object.assign(chosen, {name: model.name, version: model.version});
  chooseModel(state.models);
  remember();
  poll();
});

for (const radio of byId('windows').elements.window) {
  radio.checked = radio.value === chosen.window;
  radio.addEventListener('change', () => {
    chosen.window = radio.value;
    state.era++;
    clearTrends();
    remember();
    poll();
  });
}

document.addEventListener('visibilitychange', () => {
  clearTimeout(state.timer);
  state.reading = null;
  if (document.hidden) return;
  interruptTrends('asking …');
  poll();
});

followTheme(() => {
  layers.redraw();
  example.pad.draw();
});
poll();

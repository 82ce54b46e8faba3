/* Prometheus' text format, as far as the page needs it, and what two polls of it say. */

const LINE = /^(relud_[a-z_]+|process_start_time_seconds)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

const unescaped = (text) => text.replace(/\\(.)/g, (_, letter) => (letter === 'n' ? '\n' : letter));

function labelsOf(text = '') {
  const labels = {};
  for (const [, name, value] of text.matchAll(LABEL)) labels[name] = unescaped(value);
  return labels;
}

/* [{name, labels, value}] */
export function parseMetrics(text) {
  const samples = [];
  for (const line of text.split('\n')) {
    const found = LINE.exec(line);
    if (found) samples.push({name: found[1], labels: labelsOf(found[2]), value: Number(found[3])});
  }
  return samples;
}

/* The models that the metrics know, for a key that may not ask for /models. */
export function modelsOf(samples) {
  return samples.filter((sample) => sample.name === 'relud_model_info').map(({labels}, i) => ({
    name: labels.model,
    version: labels.version,
    digest: labels.digest,
    state: 'ready',
    default: i === 0
  }));
}

/* A model's counters at one moment, histograms as ascending [bound, how many up to there]. */
export function readingOf(samples, model, at) {
  const reading = {at, started: 0, latency: [], requests: 0, rows: 0, runs: 0, runRows: 0};
  for (const {name, labels, value} of samples) {
    if (name === 'process_start_time_seconds') reading.started = value;
    if (labels.model !== model) continue;
    if (name === 'relud_request_duration_seconds_bucket')
      reading.latency.push([labels.le === '+Inf' ? Infinity : Number(labels.le), value]);
    else if (name === 'relud_request_duration_seconds_count')
      reading.requests = value;
    else if (name === 'relud_rows_total')
      reading.rows = value;
    else if (name === 'relud_batch_rows_count')
      reading.runs = value;
    else if (name === 'relud_batch_rows_sum')
      reading.runRows = value;
  }
  return reading;
}

/* As Prometheus' histogram_quantile: linear inside the bucket that holds the rank, the last finite
 * bound beyond; null when nothing was counted. */
export function quantile(q, buckets) {
  const total = buckets.length ? buckets[buckets.length - 1][1] : 0;
  if (!(total > 0)) return null;
  const rank = q * total;
  const i = buckets.findIndex(([, upTo]) => upTo >= rank);
  if (buckets[i][0] === Infinity) return i > 0 ? buckets[i - 1][0] : null;
  const [lower, before] = i > 0 ? buckets[i - 1] : [0, 0];
  const inside = buckets[i][1] - before;
  return inside > 0 ? lower + ((buckets[i][0] - lower) * (rank - before)) / inside : buckets[i][0];
}

/* What happened between two readings; null when they are not of the same process. */
export function difference(before, now) {
  const seconds = (now.at - before.at) / 1000;
  if (before.started !== now.started || now.requests < before.requests || !(seconds > 0))
    return null;
  const buckets =
    now.latency.map(([bound, upTo], i) => [bound, upTo - (before.latency[i]?.[1] ?? 0)]);
  const runs = now.runs - before.runs;
  return {
    requests: (now.requests - before.requests) / seconds,
    rows: (now.rows - before.rows) / seconds,
    p50: quantile(0.5, buckets),
    p99: quantile(0.99, buckets),
    batch: runs > 0 ? (now.runRows - before.runRows) / runs : null,
  };
}

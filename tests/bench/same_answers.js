// same_answers.js MODEL OTHER [ROWS.csv]: how far the answers of ONNX Runtime to both are apart at most, over the rows of
// a file or 64 random ones, and what one row takes in each: by hand, after relud compact.
'use strict';

const fs = require('fs');
const ort = require('onnxruntime-node');

const RANDOM_ROWS = 64;
const RUNS = 2001;

function randomRows(shapes) {
  let state = 1;
  const next = () => ((state = (state * 1664525 + 1013904223) >>> 0) / 2 ** 31 - 1);
  return Array.from({ length: RANDOM_ROWS }, () =>
    shapes.map((dims) => Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, next)));
}

function fileRows(path) {
  return fs.readFileSync(path, 'utf8').trim().split('\n').map((line) => [Float32Array.from(line.split(','), Number)]);
}

function feeds(session, shapes, row) {
  return Object.fromEntries(session.inputNames.map((name, i) => [name, new ort.Tensor('float32', row[i], shapes[i])]));
}

async function main(paths, data) {
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, graphOptimizationLevel: 'all' };
  const sessions = await Promise.all(paths.map((path) => ort.InferenceSession.create(path, options)));
  const shapes = sessions[0].inputMetadata.map((input) => input.shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1)));
  const rows = data ? fileRows(data) : randomRows(shapes);
  let apart = 0;
  for (const row of rows) {
    const [a, b] = await Promise.all(sessions.map((session) => session.run(feeds(session, shapes, row))));
    for (const name of sessions[0].outputNames)
      a[name].data.forEach((value, i) => { apart = Math.max(apart, Math.abs(value - b[name].data[i])); });
  }
  const times = sessions.map(() => []);
  for (let run = 0; run < RUNS; run++)
    for (const [i, session] of sessions.entries()) {
      const fed = feeds(session, shapes, rows[run % rows.length]);
      const begun = process.hrtime.bigint();
      await session.run(fed);
      times[i].push(Number(process.hrtime.bigint() - begun) / 1e3);
    }
  const medians = times.map((list) => list.sort((x, y) => x - y)[RUNS >> 1]);
  console.log(`rows ${rows.length}, largest difference ${apart}, median us of a row ${medians.map((t) => t.toFixed(2)).join(' -> ')}`);
}

main(process.argv.slice(2, 4), process.argv[4]).catch((error) => {
  console.error(error);
  process.exit(1);
});

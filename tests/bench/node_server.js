// node_server.js MODEL [PORT]: what one would serve a model with in Node.js: onnxruntime-node behind the
// http module. POST {"inputs": rows} is answered with {"outputs": rows}. One thread computes.
'use strict';

const http = require('node:http');
const ort = require('onnxruntime-node');

const HEADERS = { 'Content-Type': 'application/json' };

class Refusal extends Error {}

function toTensor(rows, features) {
  if (!Array.isArray(rows) || rows.length === 0) throw new Refusal('expected rows');
  const data = new Float32Array(rows.length * features);
  for (let r = 0, at = 0; r < rows.length; r++, at += features) {
    if (rows[r].length !== features) throw new Refusal(`row ${r}: expected ${features} numbers`);
    data.set(rows[r], at);
  }
  return new ort.Tensor('float32', data, [rows.length, features]);
}

function toRows({ data, dims: [rows, features] }) {
  const out = new Array(rows);
  for (let r = 0; r < rows; r++) {
    out[r] = Array.from(data.subarray(r * features, (r + 1) * features));
  }
  return out;
}

async function main(path, port) {
  const session = await ort.InferenceSession.create(path, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  });
  const input = session.inputNames[0];
  const output = session.outputNames[0];
  const features = session.inputMetadata[0].shape[1];

  function send(response, status, value) {
    const body = JSON.stringify(value);
    response.writeHead(status, { ...HEADERS, 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
  }

  async function infer(pieces, response) {
    try {
      const body = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
      const { inputs } = JSON.parse(body.toString());
      const results = await session.run({ [input]: toTensor(inputs, features) });
      send(response, 200, { outputs: toRows(results[output]) });
    } catch (error) {
      const theirs = error instanceof Refusal || error instanceof SyntaxError;
      send(response, theirs ? 400 : 500, { error: error.message });
    }
  }

  const server = http.createServer({ keepAliveTimeout: 75000 }, (request, response) => {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece));
    request.on('end', () => infer(pieces, response));
  });
  server.listen(port, '127.0.0.1', () => {
    const { address, port: chosen } = server.address();
    console.error(`node: listening on http://${address}:${chosen}`);
  });
}

main(process.argv[2], Number(process.argv[3] ?? 0)).catch((error) => {
  console.error(error);
  process.exit(1);
});

// node_call.js MODEL: what one call of onnxruntime-node costs that computes nothing: microseconds for a
// model that returns the one number it takes, one per line, a slice each.
'use strict';

const ort = require('onnxruntime-node');

const SLICES = 24;
const CALLS = 2000;

async function main(path) {
  const session = await ort.InferenceSession.create(path, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
  });
  for (let slice = 0; slice < SLICES; slice++) {
    const begun = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++) {
      await session.run({ x: new ort.Tensor('float32', Float32Array.of(i), [1, 1]) });
    }
    console.log(Number(process.hrtime.bigint() - begun) / CALLS / 1e3);
  }
}

main(process.argv[2]).catch((error) => {
  console.error(error);
  process.exit(1);
});

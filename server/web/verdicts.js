/* The verdicts in the order they are shown: the field of /stats, a short name, and what it means.
 */
export const VERDICTS = [
  ['dead', 'dead', 'never active so far, and no gradient passes: it cannot learn its way back'],
  ['dead_proven', 'proven', 'cannot be active for any input in the declared range'],
  ['silent', 'silent', 'never active so far, but its function leaks, so that it can still learn'],
  ['dormant', 'dormant', 'its mean magnitude is at most 0.025 of its layer’s mean'],
  ['rare', 'rare', 'active in less than 1 % of the observations'],
  [
    'always_on', 'always on',
    'active in every observation: a linear unit, for piecewise linear functions'
  ],
  [
    'stuck_high', 'stuck high',
    'at its upper bound in every observation, where no gradient passes either'
  ],
  [
    'saturated', 'saturated',
    'in a flat tail of its function (slope below 0.001) in 99 % of the observations'
  ],
  ['drift', 'drifted', 'fires more or less often than in the baseline'],
];

/* A layer's verdict as {count, units}; null where the level does not measure it. Drift is told
 * beside the layers. */
export function verdictOf(stats, layer, field) {
  if (field !== 'drift') return layer[field] ?? null;
  return stats.drift?.layers?.find(({name}) => name === layer.name)?.shifted ?? null;
}

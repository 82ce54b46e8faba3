/* What the page asks the server. Paths are relative, so that it works behind a prefix, too. The key
 * is kept for this tab only. */

const KEY = 'relud-key';
const PATIENCE_MS = 20000;

export const key = () => sessionStorage.getItem(KEY);

export function setKey(value) {
  if (value)
    sessionStorage.setItem(KEY, value);
  else
    sessionStorage.removeItem(KEY);
}

/* An answer that is not 200: the server's own sentence. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

/* No answer. */
export class Unreachable extends Error {}

async function ask(path, options = {}) {
  const headers = {...options.headers};
  if (key()) headers.Authorization = `Bearer ${key()}`;
  try {
    const reply =
      await fetch(path, {...options, headers, signal: AbortSignal.timeout(PATIENCE_MS)});
    return {status: reply.status, text: await reply.text()};
  } catch (error) {
    throw new Unreachable(String(error));
  }
}

function sentenceOf(reply) {
  try {
    return JSON.parse(reply.text).error;
  } catch {
    return `the server answered ${reply.status}`;
  }
}

async function textOf(path, options) {
  const reply = await ask(path, options);
  if (reply.status !== 200) throw new Refused(reply.status, sentenceOf(reply));
  return reply.text;
}

const jsonOf = async (path, options) => JSON.parse(await textOf(path, options));

function query(model, more) {
  const values = new URLSearchParams({model: model.name, version: model.version});
  for (const [name, value] of Object.entries(more))
    if (value) values.set(name, value);
  return values;
}

export const getModels = async () => (await jsonOf('models')).models;
export const getMetrics = () => textOf('metrics');
export const getStats = (model, window, more) => jsonOf(`stats?${query(model, {window, ...more})}`);

/* inputs is JSON as text, and not looked at: the server says what is wrong with it. */
export const infer = (model, inputs) => jsonOf(`infer?${query(model, {})}`, {
  method: 'POST',
  headers: {'Content-Type': 'application/json'},
  body: `{"stats":"units","inputs":${inputs}}`,
});

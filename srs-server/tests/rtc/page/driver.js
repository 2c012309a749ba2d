// Takes scripts from the test one after another, runs each, and posts what it returns.

import * as media from "./media.js";

const control = new URLSearchParams(location.search).get("control") ?? location.origin;
const AsyncFunction = (async () => {}).constructor;
/** What scripts leave for later ones. */
const kept = {};

async function run(source) {
  const names = Object.keys(media);
  const body = new AsyncFunction("kept", ...names, source);
  return body(kept, ...names.map((name) => media[name]));
}

async function main() {
  for (;;) {
    const response = await fetch(`${control}/next`);
    if (response.status !== 200) continue;
    const source = await response.text();
    let outcome;
    try {
      outcome = { result: (await run(source)) ?? null };
    } catch (error) {
      outcome = { error: `${error.stack ?? error}` };
    }
    await fetch(`${control}/done`, { method: "POST", body: JSON.stringify(outcome) });
  }
}

main();

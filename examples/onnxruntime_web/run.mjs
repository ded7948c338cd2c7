// Runs every case of a folder of `softops conformance dump FOLDER` and saves the outputs beside the inputs:
//
//     node run.mjs FOLDER

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { open, version } from "./model.mjs";
import { readNpz, writeNpz } from "./npz.mjs";

const [folder] = process.argv.slice(2);
if (!folder) {
  console.error("expected a folder that softops conformance dump wrote (got none); node run.mjs FOLDER");
  process.exit(2);
}
const { cases, layout } = JSON.parse(await readFile(join(folder, "index.json"), "utf8"));
if (layout !== "npz") {
  console.error(`expected a folder of the layout npz (got ${layout}); dump it without --layout`);
  process.exit(2);
}

const left = new Map(); // why what was left out, and how many cases that were
let [path, model, refused, written] = ["", null, null, 0];
for (const entry of cases) {
  try {
    if (path !== entry.model) {
      await model?.close();
      [path, model, refused] = [entry.model, null, null];
      model = await open(join(folder, path)).catch((error) => (refused = error) && null);
    }
    if (refused) throw refused;
    const outputs = await model.run(readNpz(await readFile(join(folder, entry.inputs))));
    await writeFile(join(folder, entry.outputs), writeNpz(outputs));
    written += 1;
  } catch (error) {
    const why = String(error.message ?? error).split("\n")[0].slice(0, 160);
    left.set(why, (left.get(why) ?? 0) + 1);
  }
}
for (const [why, count] of [...left].sort(([, a], [, b]) => b - a).slice(0, 10)) console.log(`left out, ${count}: ${why}`);
console.log(`onnxruntime-web ${version}: ${written} of ${cases.length} cases`);
console.log(`now: softops conformance check ${folder} --name "onnxruntime-web ${version} wasm"`);

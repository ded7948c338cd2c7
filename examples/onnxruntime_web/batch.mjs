// onnxruntime-web as a program that `softops conformance` starts once and asks for case after case:
//
//     softops conformance --runtime "cmd: node examples/onnxruntime_web/batch.mjs {folder}"

import { readFile, writeFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { open } from "./model.mjs";
import { readNpz, writeNpz } from "./npz.mjs";

let [path, model] = ["", null];

async function answer(line) {
  const { model: asked, inputs, outputs } = JSON.parse(line);
  if (asked !== path) {
    await model?.close();
    [path, model] = ["", null];
    model = await open(asked);
    path = asked; // one path is one model
  }
  await writeFile(outputs, writeNpz(await model.run(readNpz(await readFile(inputs)))));
}

for await (const line of createInterface({ input: process.stdin })) {
  try {
    await answer(line);
    console.log("ok");
  } catch (error) {
    const text = String(error.message ?? error).split("\n")[0]; // an answer is one line
    console.log(/no tensors of|not find an implementation|NOT_IMPLEMENTED/.test(text) ? "unsupported" : "error", text);
  }
}

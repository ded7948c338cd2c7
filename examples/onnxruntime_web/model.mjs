// A model in onnxruntime-web's WebAssembly, on one thread: NumPy's arrays in, NumPy's arrays out.

import { readFile } from "node:fs/promises";
import * as ort from "onnxruntime-web";

ort.env.wasm.numThreads = 1; // more of them need workers, which Node has not as browsers have them

const TYPES = {
  f2: "float16",
  f4: "float32",
  f8: "float64",
  i1: "int8",
  i2: "int16",
  i4: "int32",
  i8: "int64",
  u1: "uint8",
  u2: "uint16",
  u4: "uint32",
  u8: "uint64",
  b1: "bool",
};
const NAMES = { ...Object.fromEntries(Object.entries(TYPES).map(([dtype, type]) => [type, dtype])), string: "U" };

export const version = ort.env.versions.web;

export async function open(path) {
  const session = await ort.InferenceSession.create(new Uint8Array(await readFile(path)), {
    executionProviders: ["wasm"],
    logSeverityLevel: 4, // what fails is thrown
  });
  const kinds = Object.fromEntries(session.inputMetadata.map((input) => [input.name, input.type]));
  return {
    async run(arrays) {
      const feeds = {};
      for (const [name, { dtype, shape, data }] of Object.entries(arrays)) {
        if (kinds[name] !== TYPES[dtype]) throw new Error(`no tensors of ${kinds[name]}`); // bfloat16, as its bits
        feeds[name] = new ort.Tensor(TYPES[dtype], data, shape);
      }
      const outputs = Object.entries(await session.run(feeds));
      return Object.fromEntries(
        outputs.map(([name, { type, dims, data }]) => [name, { dtype: NAMES[type], shape: dims, data }]),
      );
    },
    close: () => session.release(),
  };
}

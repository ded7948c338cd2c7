// Runs digits.onnx on the 8 × 8 image that is drawn: the label, and a bar for each probability.

import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";

const SIDE = 8;
const INK = 16; // the pixels of the set are counts from 0 to 16
const element = (id) => document.getElementById(id);
const state = element("state");
const canvas = element("image");
const brush = canvas.getContext("2d");
const pixels = new Float32Array(SIDE * SIDE);
let [session, digits, turn, busy, again] = [null, [], 0, false, false];

function paint() {
  const image = brush.createImageData(SIDE, SIDE);
  pixels.forEach((ink, i) => image.data.set([...Array(3).fill(255 - (255 * ink) / INK), 255], 4 * i));
  brush.putImageData(image, 0, 0);
}

async function classify() {
  if (busy) return void (again = true); // one run after the other
  busy = true;
  do {
    again = false;
    const features = new ort.Tensor("float32", pixels.slice(), [1, pixels.length]);
    show(await session.run({ [session.inputNames[0]]: features }));
  } while (again);
  busy = false;
}

function show(outputs) {
  element("label").textContent = outputs.label.data[0];
  const rows = Array.from(outputs.top_k_labels.data, (name, i) => [name, outputs.top_k_values.data[i]]);
  element("bars").replaceChildren(
    ...rows.map(([name, probability]) => {
      const [item, label, track, bar, number] = ["li", "span", "span", "span", "span"].map((tag) => document.createElement(tag));
      label.textContent = name;
      track.className = "track";
      bar.style.width = `${100 * probability}%`;
      track.append(bar);
      number.className = "number";
      number.textContent = `${(100 * probability).toFixed(1)} %`;
      item.append(label, track, number);
      return item;
    }),
  );
}

function draw(event) {
  if (event.type === "pointermove" && event.buttons === 0) return;
  event.preventDefault();
  const box = canvas.getBoundingClientRect();
  const [x, y] = [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
      const i = SIDE * row + column;
      pixels[i] = Math.max(pixels[i], INK * Math.min(1, Math.max(0, 1.3 - distance)));
    }
  }
  changed();
}

function changed() {
  paint();
  classify().catch(fail);
}

function fail(error) {
  state.textContent = `It does not work: ${error.message ?? error}`;
}

try {
  ort.env.wasm.numThreads = 1; // several need a server that isolates the page
  ort.env.wasm.wasmPaths = new URL("./node_modules/onnxruntime-web/dist/", import.meta.url).href;
  session = await ort.InferenceSession.create("digits.onnx", { executionProviders: ["wasm"] });
  digits = await (await fetch("digits.json")).json();
  state.textContent = `digits.onnx in onnxruntime-web ${ort.env.versions.web}: draw a digit, or look at those it was not trained on.`;
  const next = () => {
    pixels.set(digits[turn++ % digits.length].pixels);
    changed();
  };
  element("next").addEventListener("click", next);
  element("clear").addEventListener("click", () => (pixels.fill(0), changed()));
  for (const kind of ["pointerdown", "pointermove"]) canvas.addEventListener(kind, draw);
  next();
} catch (error) {
  fail(error);
}

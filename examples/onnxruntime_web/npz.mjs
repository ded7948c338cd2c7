// NumPy's files of arrays, as softops writes them: .npy files in C order in a zip that is not compressed.

import { crc32 } from "node:zlib";

const DTYPES = {
  f2: Uint16Array, // float16 as its bits
  f4: Float32Array,
  f8: Float64Array,
  i1: Int8Array,
  i2: Int16Array,
  i4: Int32Array,
  i8: BigInt64Array,
  u1: Uint8Array,
  u2: Uint16Array,
  u4: Uint32Array,
  u8: BigUint64Array,
  b1: Uint8Array,
};

// The arrays of an .npz by name, each {dtype, shape, data}, dtype as NumPy writes it without the byte order: "f4".
export function readNpz(file) {
  const arrays = {};
  let place = file.readUInt32LE(file.length - 22 + 16); // the central directory; there is no comment behind its end
  while (file.readUInt32LE(place) === 0x02014b50) {
    const [size, name] = [file.readUInt32LE(place + 20), file.readUInt16LE(place + 28)];
    const start = file.readUInt32LE(place + 42);
    if (file.readUInt16LE(place + 10) !== 0) throw new Error("expected an .npz that is not compressed");
    const data = start + 30 + file.readUInt16LE(start + 26) + file.readUInt16LE(start + 28);
    const key = file.toString("utf8", place + 46, place + 46 + name).replace(/\.npy$/, "");
    arrays[key] = readNpy(file.subarray(data, data + size));
    place += 46 + name + file.readUInt16LE(place + 30) + file.readUInt16LE(place + 32);
  }
  return arrays;
}

export function readNpy(file) {
  const wide = file[6] > 1; // version 2 has a longer length
  const start = wide ? 12 : 10;
  const end = start + (wide ? file.readUInt32LE(8) : file.readUInt16LE(8));
  const header = file.toString("latin1", start, end);
  const dtype = /'descr': '[<|=]([a-z]\d+)'/.exec(header)?.[1];
  if (!(dtype in DTYPES) || /'fortran_order': True/.test(header)) throw new Error(`an array of another kind: ${header}`);
  const shape = [.../'shape': \(([^)]*)\)/.exec(header)[1].matchAll(/\d+/g)].map(([length]) => Number(length));
  const bytes = file.subarray(end); // copied: a typed array starts at a multiple of its items' size
  return { dtype, shape, data: new DTYPES[dtype](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)) };
}

// The .npz of arrays by name, each {dtype, shape, data}; of dtype "U" the data is an array of strings.
export function writeNpz(arrays) {
  const parts = [];
  const entries = [];
  let place = 0;
  for (const [name, array] of Object.entries(arrays)) {
    const [key, body] = [Buffer.from(`${name}.npy`), writeNpy(array)];
    const common = Buffer.alloc(26); // from the version to the length of the extra field
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x800, 2); // names in UTF-8
    common.writeUInt32LE(crc32(body), 10);
    common.writeUInt32LE(body.length, 14);
    common.writeUInt32LE(body.length, 18);
    common.writeUInt16LE(key.length, 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(place, 10);
    entries.push(Buffer.from([0x50, 0x4b, 1, 2, 20, 0]), common, rest, key);
    parts.push(Buffer.from([0x50, 0x4b, 3, 4]), common, key, body);
    place += 4 + common.length + key.length + body.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length / 4, 8);
  end.writeUInt16LE(entries.length / 4, 10);
  end.writeUInt32LE(entries.reduce((sum, entry) => sum + entry.length, 0), 12);
  end.writeUInt32LE(place, 16);
  return Buffer.concat([...parts, ...entries, end]);
}

function writeNpy({ dtype, shape, data }) {
  let [descr, body] = [`<${dtype}`, data];
  if (dtype === "U") {
    const rows = Array.from(data, (text) => Array.from(text, (letter) => letter.codePointAt(0)));
    const width = Math.max(1, ...rows.map((row) => row.length));
    descr = `<U${width}`;
    body = new Uint32Array(rows.flatMap((row) => [...row, ...Array(width - row.length).fill(0)]));
  } else if (body.BYTES_PER_ELEMENT === 1) {
    descr = `|${dtype}`;
  }
  const shown = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shown}), }`;
  const header = Buffer.from(text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11) + "\n", "latin1");
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  return Buffer.concat([start, header, Buffer.from(body.buffer, body.byteOffset, body.byteLength)]);
}

// SPDX-License-Identifier: Apache-2.0
// The values of a dataset as h5wasm reads them, raw and little-endian, into TARGET:
//   node h5wasm_decode.mjs NODE_MODULES FILE DATASET TARGET
import { writeFileSync } from "node:fs";
import { open } from "./h5wasm_open.mjs";

const [, , modules, path, name, target] = process.argv;
const file = await open(modules, path);
const values = file.get(name).value;
writeFileSync(target, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
file.close();

// SPDX-License-Identifier: Apache-2.0
// One of our files as h5wasm sees it, the HDF5 library of H5Web:
//   node h5wasm_view.mjs NODE_MODULES FILE FOLDER
// goes from the root to the default data as NeXus says, writes its values to FOLDER/images and the
// mask to FOLDER/mask (raw, little-endian), and says as JSON what else it found.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { open } from "./h5wasm_open.mjs";

const [, , modules, path, folder] = process.argv;
const file = await open(modules, path);
const text = (object, name) => object.attrs[name].value;
const entry = `/${text(file, "default")}`;
const group = `${entry}/${text(file.get(entry), "default")}`;
const name = `${group}/${text(file.get(group), "signal")}`;
const images = file.get(name);
const detector = `${entry}/instrument/detector`;
const write = (target, values) => writeFileSync(join(folder, target), new Uint8Array(
    values.buffer, values.byteOffset, values.byteLength));
write("images", images.value);
write("mask", file.get(`${detector}/pixel_mask`).value);

const linked = file.get(group).keys().filter((key) => /^data_[0-9]+$/.test(key))
    .map((key) => file.get(`${group}/${key}`).shape[0]);
const values = ["beam_center_x", "beam_center_y", "distance", "x_pixel_size"];
console.log(JSON.stringify({
    default: name,
    shape: images.shape,
    linked: linked.reduce((sum, rows) => sum + rows, 0),
    detector: Object.fromEntries(values.map((key) => [key, file.get(`${detector}/${key}`).value])),
    wavelength: file.get(`${entry}/instrument/beam/incident_wavelength`).value,
}));
file.close();

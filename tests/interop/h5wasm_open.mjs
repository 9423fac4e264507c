// SPDX-License-Identifier: Apache-2.0
// Opens a file with the h5wasm and the h5wasm-plugins of a node_modules folder; errors are thrown.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

export async function open(modules, path) {
    const library = pathToFileURL(resolve(modules, "h5wasm/dist/node/hdf5_hl.js"));
    const { default: h5wasm } = await import(library);
    const module = await h5wasm.ready;
    module.insert_plugin_search_path(resolve(modules, "h5wasm-plugins/plugins"), 0);
    module.activate_throwing_error_handler();
    return new h5wasm.File(path, "r");
}

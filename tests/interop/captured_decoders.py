# SPDX-License-Identifier: Apache-2.0
"""Every compressed array of the captured detector messages (images, masks, flatfields) decoded by
us and by others, which must agree to the last pixel:

  ours       codec_tool
  stock      the HDF5 filters that hdf5plugin brings
  h5dump     with Debian's own filter plugins (packages bitshuffle and hdf5-filter-plugin)
  h5wasm     with h5wasm-plugins, where they are installed (SLUICE_NODE_MODULES)

What we encode of it anew reads the same through the stock filters.

    captured_decoders.py CODEC_TOOL

Environment: SLUICE_SHARED. Exit status 77 when the messages, a Python module or h5dump with its
plugins is missing."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
try:
    import cbor2
    import h5py
    import numpy as np
    from codec_interop import FILTERS, Codec, through_filter
except ImportError as missing:
    print(f"SKIPPED: {missing} (Debian: python3-cbor2 python3-h5py python3-hdf5plugin)")
    sys.exit(SKIP)

HERE = os.path.dirname(os.path.abspath(__file__))
SHARED = os.environ.get("SLUICE_SHARED", os.path.join(HERE, "..", "..", "..", "shared"))
NODE_MODULES = os.environ.get("SLUICE_NODE_MODULES", "node_modules")
DTYPES = {64: "u1", 69: "<u2", 70: "<u4", 85: "<f4"}


def compressed_arrays(item):
    """Yields (encoding, dtype, shape, payload) of every compressed array in a message."""
    if isinstance(item, dict):
        for value in item.values():
            yield from compressed_arrays(value)
    elif isinstance(item, list):
        for value in item:
            yield from compressed_arrays(value)
    elif isinstance(item, cbor2.CBORTag) and item.tag == 40:
        shape, typed = item.value
        if isinstance(typed.value, cbor2.CBORTag) and typed.value.tag == 56500:
            algorithm, _, payload = typed.value.value
            yield algorithm, np.dtype(DTYPES[typed.tag]), tuple(shape), payload
    elif isinstance(item, cbor2.CBORTag):
        yield from compressed_arrays(item.value)


def captured():
    """{(encoding, dtype, shape): [payload]} of all messages."""
    kinds = {}
    messages = sorted(glob.glob(os.path.join(SHARED, "data", "stream2", "*", "*.cbor")))
    for path in messages:
        with open(path, "rb") as file:
            for encoding, dtype, shape, payload in compressed_arrays(cbor2.load(file)):
                kinds.setdefault((encoding, dtype, shape), []).append(payload)
    return kinds


def store(path, kind, payloads):
    """One dataset `x` whose chunks are the payloads as they came."""
    encoding, dtype, shape = kind
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", (len(payloads), *shape), dtype, chunks=(1, *shape),
                                   **FILTERS[encoding])
        for row, payload in enumerate(payloads):
            data.id.write_direct_chunk((row, 0, 0), payload)


def by_h5dump(path, target):
    environment = {key: value for key, value in os.environ.items() if key != "HDF5_PLUGIN_PATH"}
    return subprocess.run(["h5dump", "-d", "x", "-b", "LE", "-o", target, path], timeout=120,
                          capture_output=True, text=True, check=False, env=environment)


def by_h5wasm(path, target):
    return subprocess.run(["node", os.path.join(HERE, "h5wasm_decode.mjs"), NODE_MODULES, path, "x",
                           target], timeout=120, capture_output=True, text=True, check=False)


def main():
    kinds = captured()
    if not kinds:
        print(f"SKIPPED: no captured messages in {SHARED} (SLUICE_SHARED)")
        return SKIP
    if shutil.which("h5dump") is None:
        print("SKIPPED: no h5dump (Debian: hdf5-tools)")
        return SKIP
    others = {"h5dump": by_h5dump}
    if shutil.which("node") and os.path.isdir(os.path.join(NODE_MODULES, "h5wasm-plugins")):
        others["h5wasm"] = by_h5wasm
    else:
        print(f"without h5wasm: it is not in {NODE_MODULES} (npm install h5wasm h5wasm-plugins)")
    count = 0
    with tempfile.TemporaryDirectory() as folder:
        codec = Codec(folder)
        path, target = os.path.join(folder, "x.h5"), os.path.join(folder, "decoded")
        for kind, payloads in kinds.items():
            encoding, dtype, shape = kind
            ours = [codec.decode(encoding, dtype, shape, payload) for payload in payloads]
            for pixels, payload in zip(ours, payloads):
                stock = through_filter(encoding, dtype, shape, payload)
                assert pixels.tobytes() == stock.tobytes(), f"stock filter: {kind}"
                again = through_filter(encoding, dtype, shape, codec.encode(encoding, pixels))
                assert pixels.tobytes() == again.tobytes(), f"encoded anew: {kind}"
            store(path, kind, payloads)
            for name, decode in others.items():
                done = decode(path, target)
                if name == "h5dump" and ("filter" in done.stderr or "plugin" in done.stderr):
                    print("SKIPPED: h5dump has no such filter plugin (Debian: bitshuffle, "
                          "hdf5-filter-plugin)")
                    return SKIP
                assert done.returncode == 0, f"{name}: {done.stderr}"
                with open(target, "rb") as file:
                    assert file.read() == b"".join(p.tobytes() for p in ours), f"{name}: {kind}"
                os.remove(target)
            count += len(payloads)
            print(f"{len(payloads)} of {encoding} {dtype} {shape}")
    print(f"{count} captured payloads: ours, the stock filters, {' and '.join(others)} agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())

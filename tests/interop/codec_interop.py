# SPDX-License-Identifier: Apache-2.0
"""The codec against the stock HDF5 filters, both ways (against captured detector messages:
captured_decoders.py).

    codec_interop.py CODEC_TOOL

Ours to theirs: chunks that our encoder made are stored as they are and read through the filters.
Theirs to ours: chunks that the filters made are read raw and decoded by our decoder.
Images of every kind are read by h5dump too, where it and the plugin are there (Debian: hdf5-tools,
bitshuffle).
Exit status 77 when a Python module is missing."""
import os
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
try:
    import h5py
    import hdf5plugin
    import numpy as np
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(SKIP)

TOOL = sys.argv[1]
SHAPES = [(1, 1), (1, 7), (3, 5), (2, 4), (9, 1), (64, 65), (31, 133), (514, 1030)]
DTYPES = ["u1", "<u2", "<u4", "<u8"]
LEVELS = ["scalar", "avx2", "avx512"]  # a processor without one takes the next lower
FILTERS = {"bslz4": hdf5plugin.Bitshuffle(nelems=0, cname="lz4"), "lz4": hdf5plugin.LZ4(nbytes=0)}
# Other block sizes than ours, as other programs choose them.
OTHERS = {
    "bslz4": [hdf5plugin.Bitshuffle(nelems=n, cname="lz4") for n in (8, 64, 4096)],
    "lz4": [hdf5plugin.LZ4(nbytes=n) for n in (64, 1000, 1 << 16)],
}


def contents(shape, dtype, seed):
    """Empty, noise that cannot shrink, a detector's counts with masked pixels, few of them with hot
    pixels and a masked frame, all masked, and two ramps."""
    random = np.random.default_rng(seed)
    limit = np.iinfo(dtype).max
    counts = random.poisson(1.7, shape).astype(dtype)
    counts[random.random(shape) < 0.01] = limit
    few = random.poisson(0.05, shape).astype(dtype)
    few[random.random(shape) < 0.001] = limit // 2 + 1
    few[:2] = few[:, -3:] = limit
    rows, columns = np.indices(shape)
    return {
        "zeros": np.zeros(shape, dtype),
        "noise": random.integers(0, limit, shape, dtype=dtype, endpoint=True),
        "counts": counts,
        "few": few,
        "masked": np.full(shape, limit, dtype),
        "ramp": columns.astype(dtype),
        "slope": ((rows + columns) // 4).astype(dtype),
    }


class Codec:
    """Runs our codec on bytes."""

    def __init__(self, folder):
        self.source = os.path.join(folder, "in")
        self.target = os.path.join(folder, "out")

    def run(self, verb, encoding, element_bytes, data, *more, instructions="auto"):
        with open(self.source, "wb") as file:
            file.write(data)
        command = [TOOL, verb, encoding, str(element_bytes), self.source, self.target, *more]
        environment = dict(os.environ, SLUICE_INSTRUCTIONS=instructions)
        result = subprocess.run(command, capture_output=True, text=True, env=environment)
        if result.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: {result.stderr.strip()}")
        with open(self.target, "rb") as file:
            return file.read()

    def encode(self, encoding, array, instructions="auto"):
        return self.run("encode", encoding, array.itemsize, array.tobytes(),
                        instructions=instructions)

    def decode(self, encoding, dtype, shape, data):
        dtype = np.dtype(dtype)
        decoded_bytes = int(np.prod(shape)) * dtype.itemsize
        pixels = self.run("decode", encoding, dtype.itemsize, data, str(decoded_bytes))
        return np.frombuffer(pixels, dtype).reshape(shape)


def new_dataset(file, shape, dtype, options):
    return file.create_dataset("x", shape, dtype, chunks=shape, **options)


def in_memory():
    return h5py.File("x", "w", driver="core", backing_store=False)


def through_filter(encoding, dtype, shape, chunk):
    """What the stock filter makes of a chunk."""
    with in_memory() as file:
        dataset = new_dataset(file, shape, dtype, FILTERS[encoding])
        dataset.id.write_direct_chunk((0,) * len(shape), chunk)
        return dataset[()]


def made_by_filter(array, options):
    with in_memory() as file:
        dataset = new_dataset(file, array.shape, array.dtype, options)
        dataset[()] = array
        mask, chunk = dataset.id.read_direct_chunk((0,) * array.ndim)
        assert mask == 0, "the filter was skipped"
        return chunk


def test_both_ways(codec):
    cases = 0
    for encoding, stock in FILTERS.items():
        for dtype in DTYPES:
            for number, shape in enumerate(SHAPES):
                for name, array in contents(shape, dtype, number).items():
                    what = f"{encoding} {dtype} {shape} {name}"
                    ours = codec.encode(encoding, array)
                    read = through_filter(encoding, dtype, shape, ours)
                    assert np.array_equal(read, array), f"ours to theirs: {what}"
                    for options in [stock] + (OTHERS[encoding] if array.size < 5000 else []):
                        theirs = made_by_filter(array, options)
                        read = codec.decode(encoding, dtype, shape, theirs)
                        assert np.array_equal(read, array), f"theirs to ours: {what} {options}"
                        cases += 1
                    if encoding == "bslz4":
                        # The same block size as the stock filter's default: the same framing.
                        theirs = made_by_filter(array, stock)
                        assert ours[:12] == theirs[:12], f"header: {what}"
                        for level in LEVELS:
                            assert codec.encode(encoding, array, level) == ours, f"{level}: {what}"
    return cases


def test_h5dump(codec, folder):
    """A file of our chunks as h5dump prints it."""
    if not shutil.which("h5dump"):
        print("SKIPPED: h5dump is not installed")
        return
    path, printed = os.path.join(folder, "x.h5"), os.path.join(folder, "x.bin")
    shape, dtype = (131, 257), "<u2"
    for name, array in contents(shape, dtype, 1).items():
        with h5py.File(path, "w") as file:
            dataset = new_dataset(file, shape, dtype, FILTERS["bslz4"])
            dataset.id.write_direct_chunk((0, 0), codec.encode("bslz4", array))
        command = ["h5dump", "-d", "/x", "-b", "LE", "-o", printed, path]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode != 0 and "filter" in result.stderr:
            print("SKIPPED: h5dump has no bitshuffle plugin")
            return
        assert result.returncode == 0, result.stderr
        assert np.array_equal(np.fromfile(printed, dtype).reshape(shape), array), f"h5dump: {name}"


def main():
    with tempfile.TemporaryDirectory() as folder:
        codec = Codec(folder)
        print(f"{test_both_ways(codec)} chunks agree with the stock filters both ways")
        test_h5dump(codec, folder)


if __name__ == "__main__":
    main()

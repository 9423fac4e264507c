# SPDX-License-Identifier: Apache-2.0
"""A writer of our file layout made of h5py and the stock filters, nothing of ours: SWMR files that
grow, with columns, key last, roll-over and masters. The readers' tests drive it as a process of its
own, which they may kill:

    swmr_set.py SPEC     one JSON command a line on stdin, "ok" a line on stdout

Commands: {"write": [ids]}, {"flush": true}, {"close": file index}, {"state": "writing|done|failed"},
{"refuse": [ids]}, {"corrupt": id} (a checksum that is wrong), {"sleep": seconds}.
SPEC: directory, name, channels (names), shape, dtype, per_file, filter (bslz4|lz4|none), masked,
saturation, columns (false: images only), beam (its centre, x and y)."""
import ctypes
import json
import os
import sys
import time

import h5py
import hdf5plugin
import numpy as np

FILTERS = {"bslz4": dict(hdf5plugin.Bitshuffle(nelems=0, cname="lz4")),
           "lz4": dict(hdf5plugin.LZ4(nbytes=0)), "none": {}}
XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits.restype = ctypes.c_uint64
XXHASH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
COLUMNS = {"image_id": "u8", "frame_status": "u1", "start_time": "f8", "arrival_time": "i8"}


def spec(**changes):
    base = {"directory": ".", "name": "run", "channels": ["data"], "shape": [37, 301],
            "dtype": "uint16", "per_file": 10, "filter": "bslz4", "masked": True,
            "saturation": 1000, "columns": True}
    base.update(changes)
    return base


def no_data(dtype):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return np.nan
    return np.iinfo(dtype).max if dtype.kind == "u" else np.iinfo(dtype).min


def pixels(s, image, channel):
    """The pixels of a plane: known from their number alone."""
    dtype, shape = np.dtype(s["dtype"]), tuple(s["shape"])
    rng = np.random.default_rng([image, s["channels"].index(channel), 7])
    if dtype.kind == "f":
        p = rng.normal(image, 100, shape).astype(dtype)
        p[rng.random(shape) < .02] = np.inf
    else:
        info = np.iinfo(dtype)
        p = rng.poisson(2, shape).astype(dtype)
        spots = rng.random(shape) < .01
        p[spots] = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)[spots]
    p[rng.random(shape) < .03] = no_data(dtype)
    if image % 11 == 10:
        p[:] = no_data(dtype)
    if image % 11 == 9:
        p[:] = 0
    return p


def mask(s, channel):
    m = np.zeros(s["shape"], np.uint32)
    if s["masked"]:
        rng = np.random.default_rng([s["channels"].index(channel), 3])
        m[rng.random(m.shape) < .05] = 1
        m[5:7] = 16
        m[9] = 1 << 31  # a virtual pixel: valid
    return m


def dataset_name(s, channel):
    return channel if len(s["channels"]) > 1 else "data"


def text(o, name, value):
    value = value.encode()
    t = h5py.h5t.C_S1.copy()
    t.set_size(len(value) + 1)
    a = h5py.h5a.create(o.id, name.encode(), t, h5py.h5s.create(h5py.h5s.SCALAR))
    a.write(np.array(value, dtype=f"S{len(value) + 1}"))


class File:
    def __init__(self, s, index):
        self.s, self.index, self.rows = s, index, 0
        self.per = s["per_file"]
        self.base = index * self.per
        self.status = np.zeros(self.per, np.uint8)
        self.cells, self.corrupt = {}, set()
        self.path = os.path.join(s.get("data_directory") or s["directory"],
                                 f"{s['name']}_data_{index + 1:06d}.h5")
        f = self.f = h5py.File(self.path, "x", libver=("v110", "v110"))
        g = f.create_group("entry/data")
        y, x = s["shape"]
        self.images, self.checksums, self.columns = {}, {}, {}
        for c in s["channels"]:
            d = g.create_dataset(dataset_name(s, c), (0, y, x), maxshape=(max(self.per, 2), y, x),
                                 chunks=(1, y, x), dtype=s["dtype"], fillvalue=no_data(s["dtype"]),
                                 **FILTERS[s["filter"]])
            d.attrs["image_nr_low"] = np.int32(self.base + 1)
            d.attrs["image_nr_high"] = np.int32(self.base + self.per)
            text(d, "channel", c)
            self.images[c] = d
            if s["columns"]:
                name = "checksum" if len(s["channels"]) == 1 else "checksum_" + c
                self.checksums[c] = self.column(g, name, "u8")
        if s["columns"]:
            for name, kind in COLUMNS.items():
                self.columns[name] = self.column(g, name, kind)
            self.finished = f.create_dataset("entry/finished", (1,), maxshape=(2,), chunks=(1,),
                                             dtype="i4")
        f.swmr_mode = True

    def column(self, group, name, kind):
        return group.create_dataset(name, (0,), maxshape=(self.per,), chunks=(min(64, self.per),),
                                    dtype=kind)

    def grow(self, rows):
        if rows <= self.rows:
            return
        self.rows = rows
        for d in list(self.images.values()) + list(self.checksums.values()):
            d.resize(rows, 0)
        for d in self.columns.values():
            d.resize(rows, 0)

    def write(self, image):
        row = image - self.base
        self.grow(row + 1)
        for c, d in self.images.items():
            d[row] = pixels(self.s, image, c)
        self.cells[row] = time.time_ns()
        self.status[row] = 1

    def flush(self):
        self.f.flush()
        if not self.s["columns"]:
            return
        for row, stamp in self.cells.items():
            self.columns["arrival_time"][row] = stamp
            self.columns["frame_status"][row] = 1
            self.columns["start_time"][row] = row * .01
            for c, d in self.images.items():
                chunk = bytes(d.id.read_direct_chunk((row, 0, 0))[1])
                value = XXHASH.XXH3_64bits(chunk, len(chunk))
                self.checksums[c][row] = value ^ (row in self.corrupt)
        self.f.flush()
        for row in self.cells:
            self.columns["image_id"][row] = self.base + row + 1
        self.cells.clear()
        self.f.flush()

    def close(self, full):
        if full:
            self.grow(self.per)
        self.flush()
        if self.s["columns"]:
            for row in range(self.rows):
                if self.status[row] != 1:
                    self.columns["frame_status"][row] = max(self.status[row], 2)
            self.finished[0] = 1
        self.f.close()


class Set:
    def __init__(self, s):
        self.s, self.files, self.closed = s, {}, set()

    def file(self, index):
        if index not in self.files:
            self.files[index] = File(self.s, index)
            self.masters("writing")
        return self.files[index]

    def masters(self, state):
        for i, c in enumerate(self.s["channels"]):
            stem = self.s["name"] + ("" if i == 0 else "_" + c)
            final = os.path.join(self.s["directory"], stem + "_master.h5")
            with h5py.File(final + ".tmp", "w", libver=("v110", "v110")) as m:
                text(m, "sluice_state", state)
                g = m.create_group("entry/data")
                for k in sorted(self.files):
                    path = self.files[k].path
                    g[f"data_{k + 1:06d}"] = h5py.ExternalLink(
                        path if self.s.get("data_directory") else os.path.basename(path),
                        "/entry/data/" + dataset_name(self.s, c))
                d = m.create_group("entry/instrument/detector")
                d["pixel_mask"] = mask(self.s, c)
                if self.s["saturation"] is not None:
                    d["saturation_value"] = np.int64(self.s["saturation"])
                if self.s.get("beam"):
                    d["beam_center_x"], d["beam_center_y"] = self.s["beam"]
            os.rename(final + ".tmp", final)

    def do(self, command):
        for image in command.get("write", []):
            self.file(image // self.s["per_file"]).write(image)
        for image in command.get("refuse", []):
            self.file(image // self.s["per_file"]).status[image % self.s["per_file"]] = 3
        if "corrupt" in command:
            image = command["corrupt"]
            self.file(image // self.s["per_file"]).corrupt.add(image % self.s["per_file"])
        if "flush" in command:
            for k, f in self.files.items():
                if k not in self.closed:
                    f.flush()
        if "close" in command:
            self.close(command["close"])
        if "state" in command:
            for k in list(self.files):
                self.close(k)
            self.masters(command["state"])
        time.sleep(command.get("sleep", 0))

    def close(self, k):
        if k not in self.closed:
            self.closed.add(k)
            self.files[k].close(k != max(self.files))


def main():
    writer = Set(json.loads(sys.argv[1]))
    for line in sys.stdin:
        writer.do(json.loads(line))
        print("ok", flush=True)


if __name__ == "__main__":
    main()

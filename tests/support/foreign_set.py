# SPDX-License-Identifier: Apache-2.0
"""File sets as other programs write them, made with h5py and the stock filters: what `sluice stats`
and `sluice verify` have to read without any of our columns.

  area_detector(...)   one file, /entry/data/data [n, y, x] under two names, NDAttributes
  dectris(...)         NAME_master.h5 with links data_000001 ..., NAME_data_00000k.h5, nimages x ntrigger
  virtual(...)         NXmx file with /entry/data/data over files NAME_00000k.h5:/data (odin's names)

Each returns the pixels [n, y, x] that went in."""
import os

import h5py
import hdf5plugin
import numpy as np

import swmr_set

DETECTOR = "/entry/instrument/detector"
FILTERS = {
    "none": {}, "deflate": {"compression": "gzip", "compression_opts": 3},
    "shuffle+deflate": {"compression": "gzip", "shuffle": True},
    "bslz4": dict(hdf5plugin.Bitshuffle(nelems=0, cname="lz4")),
    "lz4": dict(hdf5plugin.LZ4(nbytes=0))}


def stack(shape, dtype):
    """Images that are known from their number: those of swmr_set, or big-endian ones."""
    s = swmr_set.spec(shape=list(shape[1:]), dtype=np.dtype(dtype).newbyteorder("=").name)
    return np.stack([swmr_set.pixels(s, k, "data") for k in range(shape[0])]).astype(dtype)


def area_detector(path, shape=(7, 37, 53), dtype="uint16", filter_name="deflate", chunks=None,
                  holes=()):
    images = stack(shape, dtype)
    with h5py.File(path, "w") as f:
        g = f.create_group(DETECTOR)
        more = {} if chunks is False else {"chunks": chunks or (1,) + shape[1:]}
        d = g.create_dataset("data", shape, dtype, **more, **FILTERS[filter_name])
        for k in range(len(images)):
            if k not in holes:
                d[k] = images[k]
        f.create_group("entry/data")["data"] = d
        n = f.create_group("entry/instrument/NDAttributes")
        n["NDArrayUniqueId"] = np.arange(1, shape[0] + 1)
        n["NDArrayTimeStamp"] = np.arange(shape[0]) * .01
    return images


def mask_of(shape):
    m = np.zeros(shape, np.uint32)
    m[3:5] = 1
    m[:, 7] = 1 << 31
    return m


def master(file, shape, nimages, ntrigger=1, saturation=1000):
    g = file.create_group(DETECTOR)
    g["pixel_mask"] = mask_of(shape)
    g["saturation_value"] = np.int64(saturation)
    s = g.create_group("detectorSpecific")
    s["nimages"], s["ntrigger"] = nimages, ntrigger


def dectris(directory, name="series_12", shape=(10, 41, 50), per_file=4, dtype="uint32",
            filter_name="bslz4", ntrigger=2):
    images = stack(shape, dtype)
    path = os.path.join(directory, name)
    with h5py.File(path + "_master.h5", "w", libver="latest") as m:
        g = m.create_group("entry/data")
        for k in range(0, shape[0], per_file):
            part = images[k:k + per_file]
            number = f"{k // per_file + 1:06d}"
            with h5py.File(f"{path}_data_{number}.h5", "w", libver="latest") as f:
                d = f.create_dataset("entry/data/data", data=part, chunks=(1,) + shape[1:],
                                     **FILTERS[filter_name])
                d.attrs["image_nr_low"] = k + 1
                d.attrs["image_nr_high"] = k + len(part)
            g["data_" + number] = h5py.ExternalLink(f"{name}_data_{number}.h5", "/entry/data/data")
        master(m, shape[1:], shape[0] // ntrigger, ntrigger)
    return images


def virtual(directory, name="run", shape=(11, 29, 33), dtype="int32", filter_name="lz4",
            block=2, writers=2):
    """Blocks of images go to the files in turn, as odin's file writers take them."""
    images = stack(shape, dtype)
    layout = h5py.VirtualLayout(shape, dtype)
    for w in range(writers):
        own = [k for k in range(shape[0]) if k // block % writers == w]
        base = f"{name}_{w + 1:06d}.h5"
        with h5py.File(os.path.join(directory, base), "w", libver="latest") as f:
            f.create_dataset("data", data=images[own], chunks=(1,) + shape[1:],
                             **FILTERS[filter_name])
        source = h5py.VirtualSource(base, "data", (len(own),) + shape[1:], dtype)
        for at in range(0, len(own), block):
            part = own[at:at + block]
            layout[part[0]:part[-1] + 1] = source[at:at + len(part)]
    with h5py.File(os.path.join(directory, name + ".nxs"), "w", libver="latest") as f:
        f.create_virtual_dataset("entry/data/data", layout, fillvalue=-1)
        master(f, shape[1:], shape[0])
    return images

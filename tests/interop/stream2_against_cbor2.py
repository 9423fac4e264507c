# SPDX-License-Identifier: Apache-2.0
"""Our Stream V2 decoder against an independent one, on every captured message.

    stream2_against_cbor2.py STREAM2_DUMP

The messages are decoded with cbor2 and the stock HDF5 filters (hdf5plugin, through h5py's chunk
interface) and by our decoder (stream2_dump); every field and every pixel must agree. Exit status 77
when the captured messages or a Python module are missing. SLUICE_SHARED says where they lie."""
import datetime
import glob
import io
import json
import os
import subprocess
import sys

SKIP = 77
try:
    import cbor2
    import h5py
    import hdf5plugin
    import numpy as np
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(SKIP)

DUMP = sys.argv[1]
DTYPES = {64: "u1", 69: "<u2", 70: "<u4", 71: "<u8", 72: "i1", 77: "<i2", 78: "<i4", 79: "<i8",
          85: "<f4", 86: "<f8"}
FILTERS = {"bslz4": hdf5plugin.Bitshuffle(nelems=0, cname="lz4"), "lz4": hdf5plugin.LZ4(nbytes=0)}
LARGE = ("pixel_mask", "flatfield", "countrate_correction_lookup_table")
failures = 0


def check(what, ours, theirs):
    global failures
    if ours != theirs:
        failures += 1
        print(f"DIFFERS {what}: ours {str(ours)[:200]} theirs {str(theirs)[:200]}")


def decompress(algorithm, data, shape, dtype):
    """The bytes through the stock filter: written as a chunk, read as an array."""
    with h5py.File(io.BytesIO(), "w") as file:
        dataset = file.create_dataset("d", shape, dtype, chunks=shape, **FILTERS[algorithm])
        dataset.id.write_direct_chunk((0,) * len(shape), data)
        return dataset[()]


def typed(tag, shape=None):
    """(array, algorithm, payload bytes) of a typed array."""
    dtype = np.dtype(DTYPES[tag.tag])
    if isinstance(tag.value, bytes):
        array = np.frombuffer(tag.value, dtype)
        return (array if shape is None else array.reshape(shape)), "none", len(tag.value)
    algorithm, _, data = tag.value.value
    return decompress(algorithm, data, tuple(shape), dtype), algorithm, len(data)


def array40(tag):
    shape, elements = tag.value
    return typed(elements, shape)


def pixel_sum(array):
    """What stream2_dump prints: over all pixels' bits, modulo 2^64."""
    flat = np.ascontiguousarray(array).ravel()
    bits = flat.view(f"u{flat.dtype.itemsize}").astype(np.uint64)
    weights = np.arange(flat.size, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return int((bits * weights).sum(dtype=np.uint64))


def quotient(pair):
    return pair[0] / pair[1]


def moment(text):
    """A date as cbor2 gives it; that the text itself is kept is for the unit tests."""
    return datetime.datetime.fromisoformat(text)


def compare_image(name, ours, message):
    check(f"{name} image_id", ours["image_id"], message["image_id"])
    check(f"{name} series_date", moment(ours["series_date"]), message["series_date"])
    for key in ("start_time", "stop_time", "real_time"):
        check(f"{name} {key}", ours[key], quotient(message[key]))
    check(f"{name} user_data", json.loads(ours["user_data"]), message["user_data"])
    check(f"{name} channels", [p["channel"] for p in ours["planes"]], list(message["data"]))
    for plane, tag in zip(ours["planes"], message["data"].values()):
        array, algorithm, payload = array40(tag)
        where = f"{name} {plane['channel']}"
        check(f"{where} shape", (plane["height"], plane["width"]), array.shape)
        check(f"{where} dtype", plane["dtype"], array.dtype.name)
        check(f"{where} encoding", plane["encoding"], algorithm)
        check(f"{where} payload", plane["payload_bytes"], payload)
        check(f"{where} pixels", plane["pixel_sum"], pixel_sum(array))
    return len(ours["planes"])


def compare_start(name, ours, message):
    renamed = {"width": "image_size_x", "height": "image_size_y", "dtype": "image_dtype"}
    check(f"{name} arm_date", moment(ours["arm_date"]), message["arm_date"])
    for key in ("width", "height", "dtype", "number_of_images", "detector_description",
                "detector_serial_number", "sensor_material", "sensor_thickness", "beam_center_x",
                "beam_center_y", "pixel_size_x", "pixel_size_y", "detector_translation",
                "incident_energy", "incident_wavelength", "count_time", "frame_time",
                "saturation_value"):
        check(f"{name} {key}", ours[key], message[renamed.get(key, key)])
    check(f"{name} flags", ours["applied"],
          [int(message[key]) for key in ("flatfield_enabled", "pixel_mask_enabled",
                                         "countrate_correction_enabled",
                                         "virtual_pixel_interpolation_enabled")])
    check(f"{name} axes", ours["axes"],
          {axis: [v["start"], v["increment"]] for axis, v in message["goniometer"].items()})
    check(f"{name} channels", [c["name"] for c in ours["channels"]], message["channels"])
    for channel in ours["channels"]:
        key = channel["name"]
        check(f"{name} {key} threshold", channel["threshold_energy"],
              message["threshold_energy"].get(key))
        for kind in ("pixel_mask", "flatfield"):
            tag = message.get(kind, {}).get(key)
            check(f"{name} {key} {kind}", channel.get(kind),
                  None if tag is None else pixel_sum(array40(tag)[0]))
    table = message.get("countrate_correction_lookup_table")
    table = np.zeros(0, "u4") if table is None else typed(table)[0]
    check(f"{name} table size", ours["countrate_table_count"], table.size)
    check(f"{name} table", ours["countrate_table"], pixel_sum(table))
    text = json.loads(ours["start_message"])
    text["arm_date"] = moment(text["arm_date"])
    check(f"{name} text", text,
          {key: value for key, value in message.items() if key not in LARGE})


def main():
    source = os.environ.get("SLUICE_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
    shared = os.environ.get("SLUICE_SHARED") or os.path.join(source, "..", "shared")
    sets = sorted(glob.glob(os.path.join(shared, "data", "stream2", "*")))
    if not sets:
        print(f"SKIPPED: no captured messages in {shared} (set SLUICE_SHARED)")
        return SKIP
    for folder in sets:
        files = sorted(glob.glob(os.path.join(folder, "*.cbor")))
        result = subprocess.run([DUMP, *files], capture_output=True, text=True, check=False)
        check(f"{folder} status", (result.returncode, result.stderr), (0, ""))
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        check(f"{folder} messages", len(lines), len(files))
        kinds = [line["type"] for line in lines]
        check(f"{folder} order", kinds, ["start"] + ["image"] * (len(files) - 2) + ["end"])
        planes = 0
        for file, ours in zip(files, lines):
            with open(file, "rb") as stream:
                message = cbor2.load(stream)
            name = os.path.join(os.path.basename(folder), os.path.basename(file))
            check(f"{name} probe", ours["probe"], True)
            for key in ("type", "series_id", "series_unique_id"):
                check(f"{name} {key}", ours[key], message[key])
            if message["type"] == "image":
                planes += compare_image(name, ours, message)
            elif message["type"] == "start":
                compare_start(name, ours, message)
        check(f"{folder} planes", planes, 3 * (len(files) - 2))
        print(f"{os.path.basename(folder)}: {len(lines)} messages, {planes} planes compared")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

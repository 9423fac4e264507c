# SPDX-License-Identifier: Apache-2.0
"""The captured EIGER2 messages through real sockets: every pixel of every plane equals what cbor2
and the stock HDF5 filters find in the messages, and the metadata equal the start message field by
field."""
import json
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import cbor2  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

DETECTOR = "/entry/instrument/detector"
SPECIFIC = DETECTOR + "/detectorSpecific"
DTYPES = {64: "u1", 69: "<u2", 70: "<u4", 85: "<f4"}
# Start fields whose value stands in one dataset as it is.
PLAIN = {
    "beam_center_x": DETECTOR + "/beam_center_x", "beam_center_y": DETECTOR + "/beam_center_y",
    "count_time": DETECTOR + "/count_time", "frame_time": DETECTOR + "/frame_time",
    "pixel_size_x": DETECTOR + "/x_pixel_size", "pixel_size_y": DETECTOR + "/y_pixel_size",
    "detector_description": DETECTOR + "/description",
    "detector_serial_number": DETECTOR + "/serial_number",
    "sensor_material": DETECTOR + "/sensor_material",
    "sensor_thickness": DETECTOR + "/sensor_thickness",
    "saturation_value": DETECTOR + "/saturation_value",
    "incident_energy": "/entry/instrument/beam/incident_energy",
    "incident_wavelength": "/entry/instrument/beam/incident_wavelength",
    "image_size_x": SPECIFIC + "/x_pixels_in_detector",
    "image_size_y": SPECIFIC + "/y_pixels_in_detector",
    "number_of_images": SPECIFIC + "/number_of_images",
    "series_id": SPECIFIC + "/series_id", "series_unique_id": SPECIFIC + "/series_unique_id",
    "flatfield_enabled": DETECTOR + "/flatfield_applied",
    "pixel_mask_enabled": DETECTOR + "/pixel_mask_applied",
    "countrate_correction_enabled": DETECTOR + "/countrate_correction_applied",
    "virtual_pixel_interpolation_enabled": DETECTOR + "/virtual_pixel_interpolation_applied",
}
OF_CHANNEL = ("pixel_mask", "flatfield", "threshold_energy")
ELSEWHERE = {"type", "arm_date", "channels", "countrate_correction_lookup_table", "goniometer",
             "detector_translation", "image_dtype", "user_data", *OF_CHANNEL}


def value(dataset):
    v = dataset[()]
    return v.decode() if isinstance(v, bytes) else v


def typed(tag):
    data = tag.value
    dtype = np.dtype(DTYPES[tag.tag])
    if isinstance(data, cbor2.CBORTag):
        algorithm, size, payload = data.value
        total = int.from_bytes(payload[:8], "big")
        return e2e.decode(payload, algorithm, (1, total // dtype.itemsize), dtype).ravel()
    return np.frombuffer(data, dtype)


def array(tag):
    shape, inner = tag.value
    return typed(inner).reshape(shape)


class Roundtrip(e2e.Case):
    def replay(self, name, **settings):
        messages = e2e.capture(name)
        ingest = self.ingest(settings=[f"{k.replace('__', '.')}={v}" for k, v in settings.items()])
        self.detector.send(*messages)
        self.assertEqual(ingest.wait(), 0, "".join(ingest.log))
        (summary,) = ingest.summaries
        return messages, summary

    def check_pixels(self, messages, summary):
        images = messages[1:-1]
        self.assert_counts(summary, expected=len(images), received=len(images),
                           written=len(images), lost=0, ended_by="end", state="done")
        files = e2e.Files(summary)
        for k, message in enumerate(images):
            for channel, want in e2e.captured_pixels(message).items():
                got = files.images[channel][k]
                self.assertEqual(got.dtype, want.dtype)
                np.testing.assert_array_equal(got, want, f"image {k} {channel}")
        sent = sum(len(m) for m in messages[:-1])
        self.assertEqual(summary["bytes_received"], sent)
        return files

    def check_columns(self, messages, files):
        for k, message in enumerate(messages[1:-1]):
            m = cbor2.loads(message)
            for name in ("start_time", "stop_time", "real_time"):
                numerator, denominator = m[name]
                self.assertAlmostEqual(files.columns[name][k], numerator / denominator, 12)
            self.assertEqual(json.loads(files.columns["user_data"][k]), m["user_data"])
            self.assertGreater(files.columns["arrival_time"][k], 1.7e18)
            self.assertGreaterEqual(files.columns["write_time"][k], files.columns["arrival_time"][k])

    def masters(self, summary, start):
        """(channel, open master, open nxs) of every channel."""
        base = summary["master"][:-len("_master.h5")]
        for k, channel in enumerate(start["channels"]):
            name = base if k == 0 else f"{base}_{channel}"
            with h5py.File(name + "_master.h5", "r") as m, h5py.File(name + ".nxs", "r") as n:
                yield channel, m, n

    def check_metadata(self, start, channel, f, rows):
        other = json.loads(value(f[SPECIFIC + "/start_message"]))
        for key, path in PLAIN.items():
            want = start[key]
            got = value(f[path])
            if isinstance(want, float):
                self.assertTrue(math.isclose(got, want, rel_tol=1e-12), key)
            else:
                self.assertEqual(got, want, key)
        self.assertEqual(value(f["/entry/definition"]), "NXmx")
        self.assertEqual(value(f["/entry/sample/name"]), start["user_data"]["sample"])
        self.assertEqual(value(f["/entry/start_time"])[:10], "2023-02-10")
        self.assertEqual(value(f[SPECIFIC + "/series_date"])[:10], "2023-02-10")
        self.assertEqual(value(f[DETECTOR + "/bit_depth_image"]),
                         np.dtype(start["image_dtype"]).itemsize * 8)
        self.assertAlmostEqual(value(f[DETECTOR + "/distance"]),
                               abs(start["detector_translation"][2]), 12)
        self.assertEqual(value(f[SPECIFIC + "/nimages"]), rows)
        energy = start["threshold_energy"].get(channel)
        if energy is None:
            self.assertNotIn("threshold_energy", f[DETECTOR])
        else:
            self.assertAlmostEqual(value(f[DETECTOR + "/threshold_energy"]), energy, 9)
        shape = (start["image_size_y"], start["image_size_x"])
        mask = start.get("pixel_mask", {}).get(channel)
        np.testing.assert_array_equal(f[DETECTOR + "/pixel_mask"][()],
                                      array(mask) if mask else np.zeros(shape, "u4"))
        self.assertEqual(f[SPECIFIC + "/pixel_mask"], f[DETECTOR + "/pixel_mask"])
        self.assertIsNone(f[DETECTOR + "/pixel_mask"].chunks)
        flatfield = start.get("flatfield", {}).get(channel)
        if flatfield:
            np.testing.assert_array_equal(f[DETECTOR + "/flatfield"][()], array(flatfield))
        table = start.get("countrate_correction_lookup_table")
        if table:
            got = f[DETECTOR + "/countrate_correction_lookup_table"][()]
            np.testing.assert_array_equal(got, typed(table))
        for axis, scan in start["goniometer"].items():
            got = f["/entry/sample/transformations/" + axis][()]
            np.testing.assert_allclose(got, scan["start"] + np.arange(rows) * scan["increment"],
                                       rtol=0, atol=1e-9)
        # What has no place of its own is in start_message.
        for key, want in start.items():
            if key not in PLAIN and key not in ELSEWHERE:
                self.assertEqual(other[key], want, key)
        for key in ("user_data", "detector_translation", "image_dtype", "goniometer"):
            self.assertEqual(other[key], start[key], key)

    def check_set(self, name):
        messages, summary = self.replay(name)
        files = self.check_pixels(messages, summary)
        self.check_columns(messages, files)
        start = cbor2.loads(messages[0])
        rows = len(messages) - 2
        for channel, master, nxs in self.masters(summary, start):
            for f, dataset in ((master, "images"), (nxs, "data")):
                self.check_metadata(start, channel, f, rows)
                virtual = f["/entry/data/" + dataset]
                self.assertEqual(virtual.shape, files.images[channel].shape)
                np.testing.assert_array_equal(virtual[()], files.images[channel])
                self.assertEqual(f["/entry/data"].attrs["signal"].decode(), dataset)
            np.testing.assert_array_equal(master["/entry/data/data_000001"][()],
                                          files.images[channel])
            self.assertNotIn("data", master["/entry/data"])

    def test_eiger2_bslz4_16_bit(self):
        self.check_set("eiger2_r500k_bslz4_16bit")

    def test_eiger2_bslz4_8_bit(self):
        self.check_set("eiger2_r500k_bslz4_8bit")

    def test_eiger2_lz4_16_bit(self):
        self.check_set("eiger2_r500k_lz4_16bit")

    def test_rolled_over(self):
        messages, summary = self.replay("eiger2_r500k_bslz4_16bit", writer__images_per_file=3)
        self.assertEqual(len(summary["files"]), 4)
        self.check_pixels(messages, summary)
        start = cbor2.loads(messages[0])
        for channel, master, nxs in self.masters(summary, start):
            self.assertEqual(master["/entry/data/images"].shape[0], 10)
            np.testing.assert_array_equal(nxs["/entry/data/data"][9],
                                          e2e.captured_pixels(messages[10])[channel])
            self.assertEqual([master[f"/entry/data/data_{i:06d}"].shape[0] for i in (1, 2, 3, 4)],
                             [3, 3, 3, 1])

    def test_every_type_and_encoding(self):
        """Made messages: ten types, three encodings, odd shapes, one channel; one gap each, which
        reads as the type's no-data value in file and master."""
        cases = [(dtype, encoding, shape) for dtype in e2e.TYPED_TAG
                 for encoding in ("none", "lz4", "bslz4")
                 for shape in ((1, 1), (3, 5), (31, 33), (64, 64), (7, 1171))]
        ingest = self.ingest(len(cases))
        sent = []
        for n, (dtype, encoding, shape) in enumerate(cases):
            rng = np.random.default_rng(n)
            planes = rng.poisson(3, (3, *shape)).astype(dtype)
            if np.dtype(dtype).kind != "u":
                planes = -planes
            if np.dtype(dtype).kind == "f":
                planes.flat[::2] = np.nan
            sent.append(planes)
            ids = {"series_id": n, "unique_id": f"s{n}"}
            self.detector.send(
                e2e.start(shape, dtype, 4, **ids),
                *(e2e.image(k, {"threshold_1": p}, encoding=encoding, **ids)
                  for k, p in zip((0, 1, 3), planes)), e2e.end(n, f"s{n}"))
        self.assertEqual(ingest.wait(120), 3, "".join(ingest.log[-20:]))
        for (dtype, encoding, shape), planes, summary in zip(cases, sent, ingest.summaries):
            with self.subTest(dtype=dtype, encoding=encoding, shape=shape):
                self.assert_counts(summary, written=3, lost_ranges=[[2, 2]])
                gap = np.full((1, *shape), e2e.no_data(dtype), dtype)
                want = np.concatenate([planes[:2], gap, planes[2:]])
                got = e2e.Files(summary).images["data"]
                self.assertEqual(got.dtype, want.dtype)
                np.testing.assert_array_equal(got, want)
                with h5py.File(summary["master"], "r") as f:
                    np.testing.assert_array_equal(f["/entry/data/images"][()], want)


if __name__ == "__main__":
    e2e.main()

# SPDX-License-Identifier: Apache-2.0
"""`sluice stats` on files of other writers against numpy: areaDetector, DECTRIS, odin and NXmx
layouts, other filters, several images or parts of one in a chunk, contiguous, big-endian, one image.

usage: foreign_stats.py SLUICE [unittest arguments]"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

try:
    import h5py
    import hdf5plugin  # noqa: F401
    import numpy as np
except ImportError as missing:
    print(f"SKIP: {missing} (Debian: python3-h5py python3-hdf5plugin python3-numpy)")
    sys.exit(77)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
import foreign_set  # noqa: E402
import plane_reference  # noqa: E402

SLUICE = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "sluice"
NO_PLUGINS = {**os.environ, "HDF5_PLUGIN_PATH": "/nonexistent"}
LACKS_ALL = ["image_id", "checksum", "pixel_mask"]


class ForeignStats(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(self.folder, "scan_0001.h5")

    def stats(self, path, environment=None):
        done = subprocess.run([SLUICE, "stats", path, "--json"], capture_output=True, text=True,
                              timeout=60, env=environment or NO_PLUGINS)
        lines = [json.loads(x) for x in done.stdout.splitlines()]
        summary = lines.pop()["summary"] if lines else None
        return lines, summary, done.stderr, done.returncode

    def check(self, images, lines, mask=None, saturation=None, bad=()):
        mask = np.zeros(images.shape[1:], np.uint32) if mask is None else mask
        self.assertEqual([x["image"] for x in lines], list(range(len(images))))
        for line in lines:
            if line["image"] in bad:
                continue
            want = plane_reference.plane(images[line["image"]].astype(
                images.dtype.newbyteorder("=")), mask, saturation, line["image"], line["channel"])
            for key in ("invalid", "min", "max", "zero", "saturated"):
                self.assertEqual(line[key], want[key], (key, line, want))
            if images.dtype.kind != "f":
                self.assertEqual(line["sum"], want["sum"])
                for key in ("mean", "std", "com_x", "com_y"):
                    self.assertTrue(plane_reference.close(line[key], want[key]), (key, line, want))
            else:
                self.assertTrue(plane_reference.close(line["sum"], want["sum"], 1e3), line)

    def whole(self, images, path=None, lacks=LACKS_ALL, **more):
        lines, summary, error, code = self.stats(path or self.path)
        self.assertEqual(code, 0, error)
        self.check(images, lines, **more)
        self.assertEqual(summary["not_checked"], lacks)
        for word in lacks:
            self.assertIn(word.replace("pixel_", "pixel "), error)
        self.assertEqual((summary["state"], summary["bad"], summary["lost"]), ("complete", 0, 0))

    def test_area_detector_files_of_every_filter_and_chunk_shape(self):
        for filter_name in ("deflate", "shuffle+deflate", "lz4", "bslz4", "none"):
            for chunks in (None, (3, 37, 53), (1, 16, 20), (2, 8, 53), (7, 37, 53)):
                with self.subTest(filter=filter_name, chunks=chunks):
                    images = foreign_set.area_detector(self.path, filter_name=filter_name,
                                                       chunks=chunks)
                    self.whole(images)

    def test_contiguous_images(self):
        self.whole(foreign_set.area_detector(self.path, filter_name="none", chunks=False))

    def test_every_pixel_type_in_both_byte_orders(self):
        for dtype in (">u2", ">i4", ">f4", ">f8", ">u8", "<i1", "<i2", "<u4", "<i8", "<f8", "<u1"):
            with self.subTest(dtype=dtype):
                self.whole(foreign_set.area_detector(self.path, dtype=dtype, chunks=(2, 37, 53)))

    def test_one_image_without_a_stack(self):
        images = foreign_set.stack((1, 20, 30), "uint16")
        with h5py.File(self.path, "w") as f:
            f["entry/data/data"] = images[0]
        self.whole(images)

    def test_images_wherever_they_lie(self):
        images = foreign_set.stack((3, 20, 30), "uint16")
        for place in ("data", "exchange/data", "measurement/scan1/eiger", "entry/instrument/detector/data"):
            with self.subTest(place=place):
                with h5py.File(self.path, "w") as f:
                    f[place] = images
                    f["entry/title"] = "x"
                self.whole(images)
        with h5py.File(self.path, "w") as f:
            f["raw/stack"] = images
            f["entry/data/data"] = h5py.SoftLink("/raw/stack")
        self.whole(images)

    def test_a_filter_that_is_not_installed_is_named(self):
        with h5py.File(self.path, "w") as f:
            created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            created.set_chunk((1, 20, 30))
            created.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (2, 2, 2))
            space = h5py.h5s.create_simple((3, 20, 30))
            f.create_group("entry/data")
            d = h5py.h5d.create(f.id, b"entry/data/data", h5py.h5t.STD_U16LE, space, created)
            for k in range(3):
                d.write_direct_chunk((k, 0, 0), bytes(100))
        lines, summary, _, code = self.stats(self.path)
        self.assertEqual((code, summary["bad"]), (1, 3))
        self.assertIn("filter 32001", lines[0]["reason"])
        self.assertIn("not installed", lines[0]["reason"])

    def test_images_that_were_never_written_are_lost_not_zero(self):
        for chunks in (None, (1, 16, 20)):
            images = foreign_set.area_detector(self.path, chunks=chunks, holes=(2, 5))
            lines, summary, _, code = self.stats(self.path)
            self.assertEqual(code, 0)
            gone = [x for x in lines if x.get("status") == "lost"]
            self.assertEqual([x["image"] for x in gone], [2, 5])
            self.assertIn("never written", gone[0]["reason"])
            self.assertEqual((summary["lost"], summary["images"]), (2, len(images) - 2))
            self.check(images, lines, bad=(2, 5))

    def test_the_dectris_layout_by_any_of_its_files(self):
        for filter_name in ("bslz4", "lz4"):
            images = foreign_set.dectris(self.folder, filter_name=filter_name)
            for name in ("series_12_master.h5", "series_12_data_000002.h5"):
                self.whole(images, os.path.join(self.folder, name), ["image_id", "checksum"],
                           mask=foreign_set.mask_of(images.shape[1:]), saturation=1000)

    def test_a_virtual_dataset_over_interleaved_files(self):
        images = foreign_set.virtual(self.folder)
        self.whole(images, os.path.join(self.folder, "run.nxs"), ["image_id", "checksum"],
                   mask=foreign_set.mask_of(images.shape[1:]), saturation=1000)
        own = [k for k in range(len(images)) if k // 2 % 2 == 1]
        self.whole(images[own], os.path.join(self.folder, "run_000002.h5"))

    def test_rows_of_a_missing_or_short_source_are_bad_not_fill(self):
        images = foreign_set.virtual(self.folder)
        path = os.path.join(self.folder, "run.nxs")
        theirs = [k for k in range(len(images)) if k // 2 % 2 == 1]
        with h5py.File(os.path.join(self.folder, "run_000002.h5"), "r+") as f:
            kept = f["data"][:3]
            del f["data"]
            f["data"] = kept
        lines, summary, _, code = self.stats(path)
        self.assertEqual((code, summary["bad"]), (1, 3))  # 6 and 7, mapped as one, and 10
        os.remove(os.path.join(self.folder, "run_000002.h5"))
        lines, summary, _, code = self.stats(path)
        bad = [x for x in lines if x.get("status") == "bad"]
        self.assertEqual((code, [x["image"] for x in bad]), (1, theirs))
        self.assertIn("run_000002.h5 is not there", bad[0]["reason"])
        self.check(images, lines, foreign_set.mask_of(images.shape[1:]), 1000, bad=theirs)

    def test_a_damaged_chunk_is_bad_by_every_way(self):
        for filter_name, chunks in (("lz4", None), ("lz4", (3, 37, 53)), ("bslz4", (1, 16, 20)),
                                    ("deflate", None)):
            with self.subTest(filter=filter_name, chunks=chunks):
                images = foreign_set.area_detector(self.path, filter_name=filter_name, chunks=chunks)
                with h5py.File(self.path, "r+") as f:
                    d = f["entry/data/data"]
                    mask, stored = d.id.read_direct_chunk((3, 0, 0))
                    stored = bytearray(stored)
                    stored[len(stored) // 2:] = os.urandom(len(stored) - len(stored) // 2)
                    d.id.write_direct_chunk((3, 0, 0), bytes(stored), mask)
                lines, summary, _, code = self.stats(self.path)
                bad = [x["image"] for x in lines if x.get("status") == "bad"]
                self.assertEqual(code, 1)
                self.assertEqual(bad, [3, 4, 5] if chunks and chunks[0] == 3 else [3])
                self.check(images, lines, bad=bad)

    def test_a_chunk_that_claims_more_than_it_can_hold_is_refused(self):
        foreign_set.area_detector(self.path, filter_name="lz4", chunks=(3, 37, 53))
        with h5py.File(self.path, "r+") as f:
            head = (1 << 40).to_bytes(8, "big") + (1 << 20).to_bytes(4, "big")
            f["entry/data/data"].id.write_direct_chunk((0, 0, 0), head + bytes(50))
        lines, summary, _, code = self.stats(self.path)
        self.assertEqual((code, summary["bad"]), (1, 3))


if __name__ == "__main__":
    unittest.main(verbosity=2)

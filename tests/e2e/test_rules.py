# SPDX-License-Identifier: Apache-2.0
"""What ingest really writes, held against the rules of docs/file-format.md (tests/support/
file_rules.py), against the reference set object by object, and shown to h5ls and h5dump."""
import os
import shutil
import signal
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "support"), os.path.join(HERE, "..", "interop")]
import sluice_e2e as e2e  # noqa: E402
import file_rules  # noqa: E402
import h5py  # noqa: E402
import master_vs_golden  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (30, 44)
GOLDEN = os.path.join(e2e.SHARED, "reference", "golden_files.py")


def pixels(image_id, dtype="u2", channel=0):
    return np.random.default_rng(1000 * channel + image_id).poisson(9, SHAPE).astype(dtype)


class RulesCase(e2e.Case):
    def record(self, ids, images, dtype="u2", channels=("threshold_1",), encoding="bslz4",
               settings=(), start=None, end=True):
        """A series of these ids; summary and exit code. Without end it is stopped by SIGTERM."""
        ingest = self.ingest(1 if end else 0, settings)
        if start is None:
            start = e2e.start(SHAPE, dtype, images, channels)
        ids = list(ids)
        self.detector.send(*([start] if start else []))
        for i in ids:
            planes = {c: pixels(i, dtype, k) for k, c in enumerate(channels)}
            self.detector.send(e2e.image(i, planes, encoding=encoding))
        if end:
            self.detector.send(e2e.end())
        else:
            ingest.wait_counter("source_images", len(ids))
            ingest.signal(signal.SIGTERM)
        code = ingest.wait()
        return ingest.summaries[0], code

    def masters(self, summary):
        """The masters of all channels."""
        folder = os.path.dirname(summary["master"])
        return sorted(os.path.join(folder, name) for name in os.listdir(folder)
                      if name.endswith("_master.h5"))

    def assert_rules(self, summary, channels=1):
        masters = self.masters(summary)
        self.assertEqual(len(masters), channels)
        for master in masters:
            self.assertEqual(file_rules.check_set(master), [])


class Rules(RulesCase):
    def test_captured_sets(self):
        for name in ("eiger2_r500k_bslz4_16bit", "eiger2_r500k_bslz4_8bit",
                     "eiger2_r500k_lz4_16bit"):
            with self.subTest(name):
                messages = e2e.capture(name)
                ingest = self.ingest(settings=["writer.images_per_file=2",
                                               f"writer.name={name}/s"])
                self.detector.send(*messages)
                self.assertEqual(ingest.wait(), 0)
                (s,) = ingest.summaries
                self.assertGreater(len(s["files"]), 1)
                channels = len(e2e.cbor2.loads(messages[0])["channels"])
                self.assert_rules(s, channels)

    def test_one_image(self):
        for per_file in (1000, 1, 0):
            with self.subTest(per_file):
                s, code = self.record([0], 1, settings=[f"writer.images_per_file={per_file}",
                                                        f"writer.name=s{per_file}"])
                self.assertEqual(code, 0)
                self.assertEqual(file_rules.check_set(s["master"]), [])

    def test_one_image_a_file(self):
        s, code = self.record(range(4), 4, settings=["writer.images_per_file=1"])
        self.assertEqual((code, len(s["files"])), (0, 4))
        self.assert_rules(s)

    def test_stopped_early(self):
        s, code = self.record(range(7), 100, end=False)
        self.assertEqual((code, s["ended_by"]), (3, "stop"))
        self.assert_rules(s)

    def test_stopped_early_in_a_later_file(self):
        s, _ = self.record(range(7), 100, end=False, settings=["writer.images_per_file=3"])
        self.assertEqual(len(s["files"]), 3)
        self.assert_rules(s)

    def test_lost_images(self):
        s, code = self.record([1, 2, 5, 6, 9], 12, settings=["writer.images_per_file=4"])
        self.assertEqual((code, s["images_lost"]), (3, 7))
        self.assert_rules(s)

    def test_a_whole_file_lost(self):
        s, _ = self.record([0, 1, 2, 9, 10], 20, settings=["writer.images_per_file=3"])
        self.assertEqual(len(s["files"]), 4)
        self.assert_rules(s)

    def test_files_that_closed_before_their_last_image(self):
        s, _ = self.record([0, 1, 3, 4, 6, 7, 9], 12, settings=[
            "writer.images_per_file=3", "writer.files_open_max=1"])
        self.assert_rules(s)

    def test_several_channels(self):
        names = ("threshold_1", "threshold_2", "difference")
        start = e2e.start(SHAPE, "u2", 7, names, threshold_energy={
            "threshold_1": 6000.0, "threshold_2": 9000.0})
        s, code = self.record(range(7), 7, channels=names, start=start,
                              settings=["writer.images_per_file=3"])
        self.assertEqual(code, 0)
        self.assert_rules(s, 3)
        for number, (name, energy) in enumerate(zip(names, (6000.0, 9000.0, None))):
            path = s["master"].replace("_master", f"_{name}_master") if number else s["master"]
            want = np.array([pixels(i, channel=number) for i in range(7)])
            for file, signal in ((path, "images"), (path.replace("_master.h5", ".nxs"), "data")):
                with h5py.File(file, "r") as f:
                    np.testing.assert_array_equal(f["/entry/data"][signal][()], want)
                    found = f.get("/entry/instrument/detector/threshold_energy")
                    self.assertEqual(found and found[()], energy)
            for linked, dataset in file_rules.linked_files(path):
                self.assertEqual(dataset, "/entry/data/" + name)
                with h5py.File(linked, "r") as f:
                    self.assertEqual(f[dataset].attrs["channel"], name.encode())

    def test_rolled_over(self):
        s, code = self.record(range(8), 8, settings=["writer.images_per_file=4"])
        self.assertEqual((code, len(s["files"])), (0, 2))
        self.assert_rules(s)

    def test_missed_start(self):
        s, code = self.record(range(5), 5, start=b"", settings=["writer.images_per_file=3"])
        self.assertEqual(code, 0)
        self.assertIn("_nostart", s["master"])
        self.assert_rules(s)

    def test_pixel_types_and_encodings(self):
        for dtype in ("u1", "u2", "u4", "f4"):
            for encoding in ("bslz4", "lz4", "none"):
                with self.subTest(f"{dtype} {encoding}"):
                    s, code = self.record([0, 1, 3], 4, dtype=dtype, encoding=encoding,
                                          settings=[f"writer.name={dtype}_{encoding}"])
                    self.assertEqual((code, s["images_written"]), (3, 3))
                    self.assertEqual(file_rules.check_set(s["master"]), [])

    def test_no_number_of_images_in_one_file(self):
        start = e2e.start(SHAPE, "u2", None)
        s, code = self.record(range(5), 5, start=start, settings=["writer.images_per_file=0"])
        self.assertEqual((code, len(s["files"])), (0, 1))
        self.assert_rules(s)
        self.assertLess(os.stat(s["files"][0]).st_blocks * 512, 1 << 20, "it is not sparse")


class BrokenRules(RulesCase):
    """The checks of data files fail where a rule is broken; those of masters are held to the same
    in tests/interop/master_vs_golden.py."""

    def made_anew(self, name, dataset="/entry/data/data", **how):
        """Puts a dataset of other properties in the place of one of ours."""
        def change(file):
            old = file[dataset]
            options = {"data": old[()], "maxshape": old.maxshape, "chunks": old.chunks,
                       "fillvalue": old.fillvalue, **how}
            attributes = {key: (old.attrs[key], old.attrs.get_id(key).dtype) for key in old.attrs}
            del file[dataset]
            new = file.create_dataset(dataset, **options)
            for key, (value, dtype) in attributes.items():
                new.attrs.create(key, value, dtype=dtype)
        return name, change

    def with_attribute(self, name, key, value):
        return name, lambda file: file["/entry/data/data"].attrs.__setitem__(key, value)

    def cell(self, name, column, row, value):
        return name, lambda file: file["/entry/data/" + column].__setitem__(row, value)

    def test_every_broken_rule_of_a_data_file_is_noticed(self):
        s, _ = self.record([0, 1, 3, 4], 5)
        (path,) = s["files"]
        self.assertEqual(file_rules.check_data_file(path), [])
        stock = {"compression": 32008}
        cases = [
            self.made_anew("unlimited: neggia", maxshape=(None, *SHAPE)),
            self.made_anew("neggia rejects the single-chunk index", data=np.zeros((1, *SHAPE), "u2"),
                           maxshape=(1, *SHAPE)),
            self.made_anew("chunks are not", chunks=(1, SHAPE[0], SHAPE[1] // 2)),
            self.made_anew("image shape may grow", maxshape=(5, SHAPE[0] + 1, SHAPE[1])),
            self.made_anew("fill value 0", fillvalue=0),
            self.made_anew("bitshuffle values", compression_opts=(64, 2), **stock),
            self.made_anew("filter 1", compression="gzip"),
            self.made_anew("more than one filter", compression_opts=(0, 2), shuffle=True, **stock),
            self.made_anew("type int32, not u1", "/entry/data/frame_status",
                           data=np.ones(5, "i4"), fillvalue=0),
            self.made_anew("frame_status: shape", "/entry/data/frame_status",
                           data=np.ones(4, "u1"), maxshape=(5,), chunks=(2,)),
            self.made_anew("/entry/finished is not 1", "/entry/finished", data=np.zeros(1, "i4")),
            self.with_attribute("image_nr_high 4", "image_nr_high", np.int32(4)),
            self.with_attribute("no attribute image_nr_low of 32 bits", "image_nr_low", np.int64(1)),
            self.with_attribute("not NUL-terminated", "channel", np.bytes_("threshold_1")),
            self.cell("image_id of a written row", "image_id", 1, 7),
            self.cell("image_id of a row without image", "image_id", 2, 3),
            self.cell("frame_status outside", "frame_status", 2, 0),
            self.cell("rows do not end at a written image", "frame_status", 4, 2),
            ("no column write_time", lambda file: file.__delitem__("/entry/data/write_time")),
            ("no column checksum", lambda file: file.__delitem__("/entry/data/checksum")),
            ("unit is not s", lambda file: file["/entry/data/start_time"].attrs.__setitem__(
                "units", np.bytes_("ms"))),
            ("/entry/data is not NXdata", lambda file: file["/entry/data"].attrs.__delitem__(
                "NX_class")),
            ("user_data: variable-length", lambda file: file["/entry/data"].create_dataset(
                "user_data", data=["{}"] * 5)),
        ]
        for expected, change in cases:
            with self.subTest(expected):
                broken = os.path.join(self.directory, "broken.h5")
                shutil.copyfile(path, broken)
                with h5py.File(broken, "r+", libver=("v110", "v110")) as file:
                    change(file)
                said = file_rules.check_data_file(broken)
                self.assertTrue([line for line in said if expected in line], said)

    def test_a_set_whose_files_do_not_fit_together_is_noticed(self):
        s, _ = self.record(range(7), 7, settings=["writer.images_per_file=3"])
        self.assert_rules(s)
        with h5py.File(s["files"][1], "r") as file:
            low = file["/entry/data/data"].attrs["image_nr_low"]
        self.assertEqual(low, 4)
        os.rename(s["files"][1], s["files"][1] + ".away")
        self.assertTrue([line for line in file_rules.check_set(s["master"]) if "not there" in line])
        shutil.copyfile(s["files"][2], s["files"][1])  # one image where three belong
        said = "\n".join(file_rules.check_set(s["master"]))
        for expected in ("image_nr_low is not 4", "differ in images", "nimages 7, but",
                         "which has 1"):
            self.assertIn(expected, said)

    def test_a_superblock_of_other_bounds_is_noticed(self):
        path = os.path.join(self.directory, "old.h5")
        with h5py.File(path, "w", libver=("earliest", "v108")) as file:
            file.create_dataset("/entry/data/data", (2, *SHAPE), "u2", chunks=(1, *SHAPE))
        said = file_rules.check_data_file(path)
        self.assertTrue([line for line in said if "superblock version 0" in line], said)


class AgainstTheReference(RulesCase):
    """The same images under a start message that says what the reference's author wrote."""

    def golden(self, dtype, stop):
        if not os.path.exists(GOLDEN):
            raise unittest.SkipTest(f"no {GOLDEN} (SLUICE_SHARED)")
        return master_vs_golden.golden(self.directory, dtype, stop)

    def start(self, dtype, shape):
        mask = np.zeros(shape, "u4")
        mask[256:258] = 1
        fields = {"goniometer": {"omega": {"start": 0.0, "increment": 0.1}},
                  "pixel_mask": {"threshold_1": e2e.plane(mask, "none")}}
        fields.update({name + "_enabled": True for name in (
            "flatfield", "pixel_mask", "countrate_correction", "virtual_pixel_interpolation")})
        return e2e.start(shape, dtype, 10, **fields)

    def run_one(self, dtype, stop=10):
        theirs = self.golden(dtype, stop)
        ingest = self.ingest(1 if stop == 10 else 0, [
            "writer.images_per_file=6", "writer.name=ours", "metadata.instrument_name=BL1",
            "metadata.source_name=Test Light Source", "metadata.source_short_name=TLS",
            "metadata.sample_name=xtal1"])
        with h5py.File(f"{self.directory}/gold_master.h5", "r") as f:
            images = f["/entry/data/images"][()]
        self.detector.send(self.start(dtype, images[0].shape))
        for i, image in enumerate(images):
            self.detector.send(e2e.image(i, {"threshold_1": image}))
        if stop == 10:
            self.detector.send(e2e.end())
        else:
            ingest.wait_counter("source_images", stop)
            ingest.signal()
        self.assertEqual(ingest.wait(), 0 if stop == 10 else 3)
        (s,) = ingest.summaries
        self.assertEqual(file_rules.check_set(s["master"]), [])
        ours = [s["master"], s["master"].replace("_master.h5", ".nxs"), *s["files"]]
        gold = [f"{self.directory}/gold_master.h5", f"{self.directory}/gold.nxs",
                *(path for path, _ in theirs)]
        self.assertEqual(len(ours), len(gold))
        for a, b in zip(ours, gold):
            with h5py.File(a, "r") as f, h5py.File(b, "r") as g:
                master_vs_golden.AgainstTheReference.compare(self, f, g)
                for name, item in g["/entry/data"].items():
                    if item.ndim == 3:
                        np.testing.assert_array_equal(f["/entry/data"][name][()], item[()])

    def test_a_finished_set_of_16_bits(self):
        self.run_one("uint16")

    def test_a_finished_set_of_32_bits(self):
        self.run_one("uint32")

    def test_a_set_that_was_stopped(self):
        self.run_one("uint16", 8)


class Tools(RulesCase):
    """h5ls and h5dump of Debian, with its filter plugins."""

    def run_tool(self, *command):
        if shutil.which(command[0]) is None:
            raise unittest.SkipTest(f"{command[0]} is not here (Debian: hdf5-tools)")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, f"{command}: {done.stderr}")
        self.assertEqual(done.stderr, "")
        return done.stdout

    def dump(self, path, dataset, dtype):
        """A dataset as h5dump sees it."""
        out = f"{self.directory}/dump"
        try:
            self.run_tool("h5dump", "-d", dataset, "-b", "LE", "-o", out, path)
        except AssertionError as failure:
            if "filter" in str(failure) or "plugin" in str(failure):
                raise unittest.SkipTest("h5dump has no such filter plugin (Debian: bitshuffle, "
                                        "hdf5-filter-plugin)") from None
            raise
        return np.fromfile(out, dtype).reshape((-1, *SHAPE))

    def test_structure_of_every_file(self):
        s, _ = self.record(range(7), 7, channels=("threshold_1", "threshold_2"),
                           settings=["writer.images_per_file=3"])
        names = [n for n in os.listdir(self.directory) if n.endswith((".h5", ".nxs"))]
        self.assertEqual(len(names), 4 + 3)
        for name in names:
            path = f"{self.directory}/{name}"
            header, listing = self.run_tool("h5dump", "-H", path), self.run_tool("h5ls", "-r", path)
            self.assertIn('GROUP "data"', header)
            self.assertIn("/entry/data", listing)
            if "_data_" in name:
                for column in ("image_id", "frame_status", "checksum_threshold_2"):
                    self.assertIn(f'DATASET "{column}"', header)
                    self.assertRegex(listing, rf"/entry/data/{column} +Dataset")

    def test_values_through_the_filter_plugins(self):
        for encoding in ("bslz4", "lz4", "none"):
            for dtype in ("u2", "u4"):
                with self.subTest(f"{encoding} {dtype}"):
                    s, _ = self.record([0, 1, 3, 4], 5, dtype=dtype, encoding=encoding, settings=[
                        "writer.images_per_file=3", f"writer.name={encoding}_{dtype}"])
                    want = np.array([pixels(i, dtype) if i != 2 else
                                     np.full(SHAPE, e2e.no_data(dtype)) for i in range(5)], dtype)
                    data = [self.dump(path, "/entry/data/data", dtype) for path in s["files"]]
                    np.testing.assert_array_equal(np.concatenate(data), want)
                    master, nxs = s["master"], s["master"].replace("_master.h5", ".nxs")
                    for path, dataset in ((master, "/entry/data/images"), (nxs, "/entry/data/data")):
                        np.testing.assert_array_equal(self.dump(path, dataset, dtype), want)
                    linked = self.dump(master, "/entry/data/data_000002", dtype)
                    np.testing.assert_array_equal(linked, want[3:])


if __name__ == "__main__":
    e2e.main()

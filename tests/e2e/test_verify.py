# SPDX-License-Identifier: Apache-2.0
"""`sluice verify` on sets of ours: sound ones of every kind, ones that are being written, what a
killed writer leaves, and each kind of damage, made with h5py on a copy of a sound set."""
import ctypes
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402


SHAPE = (37, 301)
DETECTOR = "entry/instrument/detector/"


def pixels(number, channel):
    return np.random.default_rng([number, len(channel)]).poisson(3, SHAPE).astype("uint16")


def verify(*arguments):
    """Exit code, findings, verdicts."""
    done = subprocess.run([e2e.SLUICE, "verify", "--json", *arguments], capture_output=True,
                          text=True, timeout=60)
    lines = [json.loads(x) for x in done.stdout.splitlines()]
    return (done.returncode, [x for x in lines if "verify" not in x],
            [x["verify"] for x in lines if "verify" in x])


def write_set(case, channels, images, lost=(), settings=(), announced=None, encoding="bslz4",
              name="run"):
    i = case.ingest(settings=["writer.images_per_file=4", f"writer.name={name}", *settings])
    d = case.detector
    d.send(e2e.start(SHAPE, "uint16", announced or images, channels))
    for k in range(images):
        if k not in lost:
            d.send(e2e.image(k, {c: pixels(k, c) for c in channels}, encoding=encoding))
    d.send(e2e.end())
    i.wait()
    return i.wait_summaries(1)[0]


class Sound(e2e.Case):
    def intact(self, path, images, lost=0, masters=2, notes=0):
        code, findings, verdicts = verify(path)
        v = verdicts[0]
        self.assertEqual((code, v["verdict"]), (0, "intact"), findings)
        self.assertEqual((v["images"], v["lost"], v["masters"], v["notes"], v["faults"]),
                         (images, lost, masters, notes, 0), findings)
        self.assertEqual(v["checksums"], v["planes"])
        return findings

    def test_images_made_of_a_series_lie_beside_it(self):
        write_set(self, ("one", "two"), 3)
        mean = os.path.join(self.directory, "run_mean.h5")
        subprocess.run([e2e.SLUICE, "stats", os.path.join(self.directory, "run_master.h5"),
                        "--json", "--running", mean], check=True, capture_output=True, timeout=60)
        self.assertIn("stats --running", self.intact(mean, 0, masters=0, notes=1)[0]["text"])
        with h5py.File(mean, "r+") as f:  # any other file without images is a fault
            del f["entry/one/variance"]
        self.assertEqual(verify(mean)[0], 1)

    def test_every_file_of_a_set_finds_all_of_it(self):
        write_set(self, ["threshold_1", "threshold_2", "difference"], 10)
        files = sorted(glob.glob(self.directory + "/run*"))
        self.assertEqual(len(files), 9)
        for path in files:
            self.intact(path, 10, masters=6)
        code, _, verdicts = verify(*files)  # as a shell's * gives them: one set
        self.assertEqual((code, len(verdicts)), (0, 1))

    def test_a_link_to_a_master_in_another_directory_finds_the_set(self):
        write_set(self, ["threshold_1"], 6)
        with tempfile.TemporaryDirectory() as other:
            for name in ("run_master.h5", "run.nxs"):
                link = f"{other}/last_{name}"
                os.symlink(f"{self.directory}/{name}", link)
                self.intact(link, 6)
                done = subprocess.run([e2e.SLUICE, "stats", "--json", link], capture_output=True,
                                      text=True, timeout=60)
                self.assertEqual((done.returncode, len(done.stdout.splitlines())), (0, 7),
                                 done.stderr)
            os.symlink(f"{self.directory}/nothing_master.h5", f"{other}/dead_master.h5")
            self.assertEqual(verify(f"{other}/dead_master.h5")[0], 1)

    def test_lost_images_are_stated_and_are_no_fault(self):
        write_set(self, ["threshold_1"], 14, lost=(2, 5, 6, 7, 8, 9, 10, 13))
        findings = self.intact(self.directory + "/run_master.h5", 6, lost=8, notes=4)
        self.assertEqual([f["note"] for f in findings], ["lost"] * 4)
        self.assertEqual(findings[0]["image"], 2)
        self.assertIn("images 8 to 10", findings[2]["text"])
        self.assertIn("14 images were announced", findings[3]["text"])

    def test_raw_and_lz4_chunks_one_image_and_a_missed_start(self):
        for k, (encoding, images) in enumerate((("none", 5), ("lz4", 9), ("bslz4", 1))):
            write_set(self, ["threshold_1"], images, encoding=encoding, name=f"s{k}")
            self.intact(f"{self.directory}/s{k}.nxs", images)
        i = self.ingest(settings=["writer.name=later"])
        for k in range(3):
            self.detector.send(e2e.image(k, {"threshold_1": pixels(k, "threshold_1")}))
        self.detector.send(e2e.end())
        i.wait()
        self.intact(self.directory + "/later_nostart_data_000001.h5", 3)

    def test_a_series_that_is_being_written_and_one_whose_writer_was_killed(self):
        path = self.directory + "/run_master.h5"
        i = self.ingest(settings=["writer.images_per_file=4", "writer.name=run"])
        self.detector.send(e2e.start(SHAPE, "uint16", 100))
        for k in range(6):
            self.detector.send(e2e.image(k, {"threshold_1": pixels(k, "threshold_1")}))
        i.wait_counter("writer_images_visible", 6)
        code, findings, verdicts = verify(path)
        self.assertEqual((code, verdicts[0]["verdict"], verdicts[0]["images"]),
                         (0, "unfinished", 6), findings)
        self.assertEqual([f.get("note") for f in findings], ["unfinished"])
        self.assertIn(f"process {i.process.pid} is writing", findings[0]["text"])
        i.signal(signal.SIGKILL)
        i.process.wait()
        code, findings, verdicts = verify(path)
        self.assertEqual((code, verdicts[0]["verdict"], verdicts[0]["images"]),
                         (1, "abandoned", 6), findings)
        self.assertEqual([f.get("fault") for f in findings], ["abandoned"])
        self.assertIn("2 images are visible", findings[0]["text"])
        # and damage in what it left is told apart
        with open(self.directory + "/run_data_000001.h5", "r+b") as f:
            f.truncate(5000)
        code, findings, verdicts = verify(path)
        self.assertEqual((code, verdicts[0]["verdict"]), (1, "damaged"))
        self.assertIn("open", verdicts[0]["kinds"])

    def test_a_series_whose_files_come_and_go_while_it_is_looked_at(self):
        channels = ["one", "two"]
        i = self.ingest(settings=["writer.images_per_file=2", "writer.name=run"])
        self.detector.send(e2e.start(SHAPE, "uint16", 1000, channels))
        for k in range(48):
            self.detector.send(e2e.image(k, {c: pixels(k, c) for c in channels}))
            if k % 8 == 7:  # files are full and closed, masters lag behind
                i.wait_counter("writer_images_visible", k + 1)
                code, findings, verdicts = verify(self.directory + "/run_two_master.h5")
                self.assertEqual((code, verdicts[0]["verdict"]), (0, "unfinished"), findings)
        i.signal(signal.SIGKILL)
        i.process.wait()
        code, findings, verdicts = verify(self.directory + "/run_data_000001.h5")
        self.assertNotEqual(verdicts[0]["verdict"], "damaged", findings)
        self.assertEqual(verdicts[0]["images"], 48)

    def test_the_options_do_what_they_say(self):
        write_set(self, ["threshold_1"], 9, lost=(1, 3, 5))
        path = self.directory + "/run_master.h5"
        code, findings, verdicts = verify(path, "--quick")
        self.assertEqual((code, verdicts[0]["checksums"], verdicts[0]["images"]), (0, 0, 6))
        self.assertEqual(findings[-1]["note"], "not_checked")
        code, findings, verdicts = verify(path, "--max", "1")
        self.assertEqual((code, len(findings), verdicts[0]["notes"]), (0, 1, 3))
        self.assertEqual(len(verify(path, "--quiet")[1]), 0)
        run = lambda *a: subprocess.run([e2e.SLUICE, "verify", *a], capture_output=True,  # noqa: E731
                                        text=True, timeout=60)
        out = run(path)
        self.assertEqual(out.returncode, 0)
        self.assertIn("run: intact: 3 data files, 2 masters, 6 images, 3 lost", out.stdout)
        self.assertEqual(out.stderr, "")  # progress is for terminals
        for bad in ((), ("--max", "x", path), ("--frobnicate", path)):
            self.assertEqual(run(*bad).returncode, 2, bad)
        out = run(self.directory + "/nothing_master.h5")
        self.assertEqual(out.returncode, 1)
        self.assertIn("nothing_master.h5", out.stderr)


class Damaged(e2e.Case):
    """Two channels, 10 images in 3 files, image 5 lost; each test damages a copy."""

    @classmethod
    def setUpClass(cls):
        cls.sound = tempfile.TemporaryDirectory(prefix="sluice-e2e-")
        maker = Sound()
        maker.setUp()
        try:
            write_set(maker, ["one", "two"], 10, lost=(5,))
            for path in glob.glob(maker.directory + "/run*"):
                os.chmod(shutil.copy(path, cls.sound.name), 0o644)
        finally:
            maker.tearDown()

    @classmethod
    def tearDownClass(cls):
        cls.sound.cleanup()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="sluice-e2e-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for path in glob.glob(self.sound.name + "/run*"):
            shutil.copy(path, self.folder)

    def tearDown(self):
        pass

    def path(self, name):
        return os.path.join(self.folder, "run" + name)

    def file(self, name):
        return h5py.File(self.path(name), "r+", libver=("v110", "v110"))

    def faults(self):
        code, findings, verdicts = verify(self.path("_master.h5"), "--max", "0")
        faults = [f for f in findings if "fault" in f]
        self.assertEqual((code, verdicts[0]["verdict"], verdicts[0]["faults"]),
                         (1, "damaged", len(faults)), findings)
        return faults

    def one(self, kind, file, dataset=None, image=None, text=""):
        """Exactly this one fault is found."""
        faults = self.faults()
        self.assertEqual(len(faults), 1, faults)
        f = faults[0]
        self.assertEqual((f["fault"], f["file"], f["image"]), (kind, self.path(file), image), f)
        if dataset:
            self.assertEqual(f["dataset"], dataset)
        self.assertIn(text, f["text"])

    def has(self, kind, dataset=None, text=""):
        faults = self.faults()
        self.assertTrue(any(f["fault"] == kind and text in f["text"] and
                            dataset in (None, f["dataset"]) for f in faults), faults)

    def test_the_copy_itself_is_intact(self):
        code, findings, verdicts = verify(self.path("_master.h5"))
        self.assertEqual((code, verdicts[0]["verdict"]), (0, "intact"), findings)

    def test_a_flipped_byte_in_a_chunk(self):
        with h5py.File(self.path("_data_000002.h5"), "r") as f:
            info = f["entry/data/two"].id.get_chunk_info(1)
        with open(self.path("_data_000002.h5"), "r+b") as f:
            f.seek(info.byte_offset + info.size // 2)
            byte = f.read(1)[0]
            f.seek(-1, 1)
            f.write(bytes([byte ^ 0x10]))
        self.one("checksum", "_data_000002.h5", "/entry/data/two", 4 + info.chunk_offset[0],
                 "its column says")

    def test_a_wrong_checksum_of_a_sound_chunk(self):
        with self.file("_data_000001.h5") as f:
            f["entry/data/checksum_one"][2] ^= np.uint64(1)
        self.one("checksum", "_data_000001.h5", "/entry/data/one", 2, "; it decodes")

    def test_a_chunk_that_does_not_decode_though_its_checksum_is_right(self):
        xxhash = ctypes.CDLL("libxxhash.so.0")
        xxhash.XXH3_64bits.restype = ctypes.c_uint64
        chunk = b"\0" * 40
        with self.file("_data_000001.h5") as f:
            f["entry/data/one"].id.write_direct_chunk((3, 0, 0), chunk)
            f["entry/data/checksum_one"][3] = xxhash.XXH3_64bits(chunk, ctypes.c_size_t(40))
        faults = self.faults()
        self.assertEqual(faults[0]["fault"], "chunk")
        self.assertEqual((faults[0]["image"], faults[0]["dataset"]), (3, "/entry/data/one"))
        self.assertIn("does not decode", faults[0]["text"])

    def test_a_chunk_that_is_not_there(self):
        with self.file("_data_000003.h5") as f:
            f["entry/data/one"].resize(1, 0)
            f["entry/data/one"].resize(2, 0)
        self.one("chunk", "_data_000003.h5", "/entry/data/one", 9, "no chunk")

    def test_a_wrong_key_and_a_wrong_frame_status(self):
        with self.file("_data_000001.h5") as f:
            f["entry/data/image_id"][1] = 7
        self.one("key", "_data_000001.h5", "/entry/data/image_id", 1, "it has to be 2 or 0")
        shutil.copy(self.sound.name + "/run_data_000001.h5", self.folder)
        with self.file("_data_000001.h5") as f:
            f["entry/data/frame_status"][1] = 2
        self.one("key", "_data_000001.h5", "/entry/data/frame_status", 1, "frame_status is 2")

    def test_a_gap_that_is_not_marked_or_holds_something(self):
        with self.file("_data_000002.h5") as f:
            f["entry/data/frame_status"][1] = 0
        self.one("gap", "_data_000002.h5", "/entry/data/frame_status", 5, "neither lost")
        with self.file("_data_000002.h5") as f:
            f["entry/data/frame_status"][1] = 2
            f["entry/data/one"][1] = 0
        self.one("gap", "_data_000002.h5", "/entry/data/one", 5, "has a chunk")

    def test_a_file_that_is_gone(self):
        os.remove(self.path("_data_000002.h5"))
        faults = self.faults()
        self.assertTrue(all(f["fault"] == "missing" for f in faults), faults)
        self.assertIn("run_data_000002.h5, which is not there", faults[0]["text"])
        self.assertEqual(faults[0]["dataset"], "/entry/data/data_000002")
        self.assertEqual(len({f["file"] for f in faults}), 4)  # every master of the set

    def test_a_master_that_is_gone(self):
        os.remove(self.path("_two.nxs"))
        self.one("missing", "_two.nxs")

    def test_a_truncated_file_and_one_without_its_beginning(self):
        size = os.path.getsize(self.path("_data_000001.h5"))
        for bytes_left in (size - 1, size // 2, 100, 0):
            shutil.copy(self.sound.name + "/run_data_000001.h5", self.folder)
            os.truncate(self.path("_data_000001.h5"), bytes_left)
            faults = self.faults()
            self.assertEqual((faults[0]["fault"], faults[0]["file"]),
                             ("open", self.path("_data_000001.h5")))
            self.assertIn(f"{bytes_left} bytes", faults[0]["text"])
        shutil.copy(self.sound.name + "/run_data_000001.h5", self.folder)
        with open(self.path("_data_000001.h5"), "r+b") as f:
            f.write(bytes(16))
        self.has("open", text="not an HDF5 file")

    def test_a_damaged_master(self):
        with open(self.path("_master.h5"), "r+b") as f:
            f.truncate(3000)
        self.has("open")

    def test_a_wrong_number_of_images(self):
        with self.file("_master.h5") as f:
            f[DETECTOR + "detectorSpecific/nimages"][()] = 11
        self.one("master", "_master.h5", "/" + DETECTOR + "detectorSpecific/nimages", None,
                 "it says 11 images, there are 10")

    def test_a_virtual_dataset_that_maps_wrongly(self):
        def remap(starts, rows=(4, 4, 2), total=10):
            with self.file("_two.nxs") as f:
                fill = f["entry/data/data"].fillvalue
                del f["entry/data/data"]
                layout = h5py.VirtualLayout((total,) + SHAPE, "uint16")
                for k, (start, n) in enumerate(zip(starts, rows)):
                    layout[start:start + n] = h5py.VirtualSource(
                        f"run_data_{k + 1:06d}.h5", "/entry/data/two", (n,) + SHAPE)
                f.create_virtual_dataset("entry/data/data", layout, fillvalue=fill)
        remap((4, 0, 8))
        self.has("master", "/entry/data/data", "it maps images 4 to 7")
        remap((0, 4, 8), (4, 4, 1), 9)
        self.has("master", "/entry/data/data", "the virtual dataset has 9 images, the files 10")
        remap((0, 4, 8), (4, 4, 3), 11)
        self.has("missing", "/entry/data/data", "has 2 images, 3 are mapped")
        with self.file("_two.nxs") as f:
            del f["entry/data/data"]
            layout = h5py.VirtualLayout((10,) + SHAPE, "uint16")
            for k, n in enumerate((4, 4, 2)):
                layout[4 * k:4 * k + n] = h5py.VirtualSource(
                    f"run_data_{k + 1:06d}.h5", "/entry/data/one", (n,) + SHAPE)
            f.create_virtual_dataset("entry/data/data", layout)
        self.has("master", "/entry/data/data", "it leads to /entry/data/one")

    def test_a_link_that_leads_elsewhere(self):
        with self.file("_master.h5") as f:
            del f["entry/data/data_000003"]
            f["entry/data/data_000003"] = h5py.ExternalLink("run_data_000003.h5", "/entry/data/x")
        self.one("missing", "_master.h5", "/entry/data/data_000003", None, "has no /entry/data/x")

    def test_a_closed_file_that_does_not_say_finished(self):
        with self.file("_data_000003.h5") as f:
            f["entry/finished"][0] = 0
        self.one("structure", "_data_000003.h5", "/entry/finished")

    def test_images_stored_by_other_rules(self):
        with self.file("_data_000003.h5") as f:
            g = f["entry/data"]
            images, attributes = g["one"][:], dict(g["one"].attrs)
            del g["one"]
            d = g.create_dataset("one", data=images, chunks=(2,) + SHAPE, maxshape=(None,) + SHAPE)
            d.attrs["image_nr_low"] = attributes["image_nr_low"]
            d.attrs["image_nr_high"] = np.int32(17)
        faults = [f["text"] for f in self.faults() if f["fault"] == "structure"]
        for text in ("a chunk is not one image", "no limit", "fill value", "image_nr_high 17"):
            self.assertTrue(any(text in f for f in faults), (text, faults))

    def test_columns_that_are_short_or_missing(self):
        with self.file("_data_000002.h5") as f:
            del f["entry/data/stop_time"]
            f["entry/data/real_time"].resize(3, 0)
        found = {(f["dataset"], f["text"]) for f in self.faults()}
        self.assertEqual(found, {
            ("/entry/data/stop_time", "the column is not there"),
            ("/entry/data/real_time", "the column has 3 rows, image_id 4")})

    def test_masters_that_programs_would_not_read(self):
        with self.file("_master.h5") as f:
            mask = f[DETECTOR + "pixel_mask"][:]
            del f[DETECTOR + "pixel_mask"]
            f.create_dataset(DETECTOR + "pixel_mask", data=mask, chunks=(10, 10))
            f[DETECTOR + "eiger_fw_version"] = 1
            del f[DETECTOR + "bit_depth_readout"]
            f["entry/sample"].attrs["note"] = "of variable length"
            f.create_group("entry/more").attrs["NX_class"] = np.bytes_("NXdata")
            f["entry/data/data"] = h5py.SoftLink("images")
        faults = self.faults()
        self.assertEqual({f["fault"] for f in faults}, {"structure"})
        texts = [f"{f['dataset']} {f['text']}" for f in faults]
        for text in ("pixel_mask it is not contiguous", "eiger_fw_version dxtbx",
                     "bit_depth_readout it is not there", "/entry/sample@note a text of variable",
                     "not exactly one NXdata", "it holds both `data`"):
            self.assertTrue(any(text in t for t in texts), (text, texts))


if __name__ == "__main__":
    e2e.main()

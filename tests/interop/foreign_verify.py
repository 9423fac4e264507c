# SPDX-License-Identifier: Apache-2.0
"""`sluice verify` on files of other writers, sound and damaged: what is found, and what is said to
be not checked.

usage: foreign_verify.py SLUICE [unittest arguments]"""
import json
import os
import random
import re
import signal
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

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")
sys.path.insert(0, SUPPORT)
import foreign_set  # noqa: E402
import swmr_set  # noqa: E402

SLUICE = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "sluice"
NO_PLUGINS = {**os.environ, "HDF5_PLUGIN_PATH": "/nonexistent",
              "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":abort_on_error=1"}
SEED = int(os.environ.get("SLUICE_SEED", "0")) or random.randrange(1, 1 << 31)
MUTATIONS = 60
NIMAGES = "/entry/instrument/detector/detectorSpecific/nimages"


def verify(path):
    done = subprocess.run([SLUICE, "verify", "--json", "--max", "0", path], capture_output=True,
                          text=True, timeout=60, env=NO_PLUGINS)
    lines = [json.loads(x) for x in done.stdout.splitlines()]
    return done.returncode, lines[:-1], lines[-1]["verify"] if lines else done.stderr


class ForeignVerify(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def intact(self, name, images, unchecked):
        code, findings, verdict = verify(self.path(name))
        self.assertEqual((code, verdict["verdict"], verdict["images"], verdict["planes"]),
                         (0, "intact", images, images), findings)
        self.assertEqual(len(findings), len(unchecked), findings)
        for word, finding in zip(unchecked, findings):
            self.assertEqual(finding["note"], "not_checked")
            self.assertIn(word, finding["text"])

    def damaged(self, name, kind, dataset=None, image=None, text="", count=1):
        code, findings, verdict = verify(self.path(name))
        faults = [f for f in findings if "fault" in f]
        self.assertEqual((code, verdict["verdict"], len(faults)), (1, "damaged", count), findings)
        self.assertEqual(faults[0]["fault"], kind)
        self.assertEqual(faults[0]["image"], image)
        self.assertIn(dataset, (None, faults[0]["dataset"]))
        self.assertIn(text, faults[0]["text"])

    def flip(self, name, dataset, number):
        """Damages the middle of a stored chunk."""
        with h5py.File(self.path(name), "r") as f:
            info = f[dataset].id.get_chunk_info(number)
        with open(self.path(name), "r+b") as f:
            f.seek(info.byte_offset + info.size // 2)
            f.write(os.urandom(info.size // 4))
        return info.chunk_offset

    def test_sound_sets_and_what_they_do_not_say(self):
        for filter_name in ("deflate", "lz4", "none"):
            for chunks in (None, (3, 37, 53), (1, 16, 20), False):
                if chunks is False and filter_name != "none":
                    continue
                foreign_set.area_detector(self.path("a.h5"), filter_name=filter_name, chunks=chunks)
                self.intact("a.h5", 7, ["no image_id", "no checksums", "no pixel mask"])
        foreign_set.dectris(self.folder)
        for name in ("series_12_master.h5", "series_12_data_000001.h5"):
            self.intact(name, 10, ["no image_id", "no checksums"])
        foreign_set.virtual(self.folder)
        self.intact("run.nxs", 11, ["no image_id", "no checksums"])

    def test_damaged_chunks_are_named(self):
        for filter_name, chunks, count in (("deflate", None, 1), ("lz4", (3, 37, 53), 3),
                                           ("bslz4", (1, 16, 20), 1)):
            with self.subTest(filter=filter_name):
                foreign_set.area_detector(self.path("a.h5"), filter_name=filter_name, chunks=chunks)
                at = self.flip("a.h5", "entry/data/data", 1)
                self.damaged("a.h5", "chunk", "/entry/data/data", at[0], count=count)
        foreign_set.dectris(self.folder)
        at = self.flip("series_12_data_000002.h5", "entry/data/data", 2)
        self.damaged("series_12_master.h5", "chunk", "/entry/data/data", 4 + at[0])

    def test_chunks_that_were_never_written(self):
        foreign_set.area_detector(self.path("a.h5"), holes=(2, 5))
        self.damaged("a.h5", "gap", "/entry/data/data", 2, "never written", count=2)

    def test_truncated_and_missing_files(self):
        foreign_set.dectris(self.folder)
        master = "series_12_master.h5"
        part = self.path("series_12_data_000002.h5")
        os.truncate(part, os.path.getsize(part) - 100)
        code, findings, verdict = verify(self.path(master))
        self.assertEqual((code, verdict["verdict"]), (1, "damaged"))
        self.assertIn("open", {f.get("fault") for f in findings if f["file"] == part})
        os.remove(part)
        code, findings, _ = verify(self.path(master))
        self.assertEqual(code, 1)
        missing = [f for f in findings if f.get("fault") == "missing"]
        self.assertEqual([f["dataset"] for f in missing], ["/entry/data/data_000002"])
        foreign_set.area_detector(self.path("a.h5"))
        os.truncate(self.path("a.h5"), 3000)
        code, findings, verdict = verify(self.path("a.h5"))
        self.assertEqual(code, 1)

    def test_a_virtual_dataset_without_its_source(self):
        foreign_set.virtual(self.folder)
        os.remove(self.path("run_000002.h5"))
        code, findings, verdict = verify(self.path("run.nxs"))
        faults = [f for f in findings if "fault" in f]
        self.assertEqual((code, {f["fault"] for f in faults}), (1, {"missing"}), findings)
        self.assertIn("run_000002.h5 is not there", faults[0]["text"])

    def test_a_virtual_dataset_with_holes(self):
        images = foreign_set.virtual(self.folder)
        with h5py.File(self.path("run.nxs"), "r+", libver="latest") as f:
            del f["entry/data/data"]
            layout = h5py.VirtualLayout((12,) + images.shape[1:], "i4")
            layout[0:4] = h5py.VirtualSource("run_000001.h5", "data", (6,) + images.shape[1:])[0:4]
            f.create_virtual_dataset("entry/data/data", layout)
            f[NIMAGES][()] = 12
        code, findings, _ = verify(self.path("run.nxs"))
        gaps = [f for f in findings if f.get("fault") == "gap"]
        self.assertEqual(code, 1)
        self.assertTrue(any("8 images are mapped to no file" in g["text"] for g in gaps), findings)

    def test_a_wrong_number_of_images(self):
        foreign_set.dectris(self.folder)
        with h5py.File(self.path("series_12_master.h5"), "r+", libver="latest") as f:
            f[NIMAGES][()] = 6
        self.damaged("series_12_master.h5", "master", NIMAGES, None, "12 images (with ntrigger)")
        foreign_set.virtual(self.folder)
        with h5py.File(self.path("run.nxs"), "r+", libver="latest") as f:
            f[NIMAGES][()] = 10
        self.damaged("run.nxs", "master", NIMAGES, None, "10 images, there are 11")

    def test_a_link_to_images_of_another_shape(self):
        foreign_set.dectris(self.folder)
        with h5py.File(self.path("series_12_data_000003.h5"), "r+", libver="latest") as f:
            del f["entry/data/data"]
            f["entry/data/data"] = np.zeros((2, 5, 5), "u4")
        code, findings, _ = verify(self.path("series_12_master.h5"))
        self.assertEqual(code, 1)
        self.assertIn("5 x 5", str([f["text"] for f in findings if f.get("fault") == "master"]))

    def test_a_file_that_its_writer_left_open_without_swmr(self):
        script = ("import h5py, numpy, os, sys, time\n"
                  f"f = h5py.File({self.path('a.h5')!r}, 'w', libver='v110')\n"
                  "f['entry/data/data'] = numpy.zeros((3, 5, 5), 'u2')\n"
                  "f.flush(); print('ok', flush=True); time.sleep(60)\n")
        writer = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
        self.assertEqual(writer.stdout.readline(), b"ok\n")
        code, findings, verdict = verify(self.path("a.h5"))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        self.assertEqual((code, verdict["verdict"]), (0, "unfinished"), findings)
        code, findings, verdict = verify(self.path("a.h5"))
        self.assertEqual((code, verdict["verdict"]), (1, "abandoned"), findings)

    def test_a_growing_set_of_another_swmr_writer(self):
        s = swmr_set.spec(directory=self.folder, columns=False, per_file=5)
        writer = subprocess.Popen(
            [sys.executable, os.path.join(SUPPORT, "swmr_set.py"), json.dumps(s)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for command in ({"write": list(range(7)), "flush": True},):
            writer.stdin.write(json.dumps(command) + "\n")
            writer.stdin.flush()
            self.assertEqual(writer.stdout.readline(), "ok\n")
        code, findings, verdict = verify(self.path("run_master.h5"))
        writer.kill()
        writer.communicate()
        self.assertEqual((code, verdict["verdict"], verdict["images"]), (0, "unfinished", 7),
                         findings)
        code, findings, verdict = verify(self.path("run_data_000001.h5"))
        self.assertEqual((code, verdict["verdict"], verdict["images"]), (1, "abandoned", 7),
                         findings)

    def test_damaged_metadata_under_the_mark_of_a_writer_is_said_and_not_waited_for(self):
        foreign_set.dectris(self.folder)
        path = self.path("series_12_master.h5")
        with open(path, "r+b") as f:
            f.seek(11)
            f.write(b"\5")  # open for SWMR writing; the superblock's checksum is now wrong
        code, findings, verdict = verify(path)
        self.assertEqual((code, verdict["verdict"]), (1, "damaged"), findings)
        self.assertEqual([f["file"] for f in findings if f.get("fault") == "open"], [path])

    def test_a_file_on_which_hdf5_crashes_is_damaged_and_the_next_one_is_looked_at(self):
        foreign_set.area_detector(self.path("a.h5"))
        foreign_set.virtual(self.folder)
        with open(self.path("run.nxs"), "r+b") as f:
            data = f.read()
            # the rank of a mapping's selection: HDF5 1.10 copies as many numbers to its stack
            rank = re.search(b"data\0\2\0{3}\1\0{7}\x20\0{3}(?=\3)", data).end()
            f.seek(rank)
            f.write(b"\xc8")
        done = subprocess.run([SLUICE, "verify", "--json", self.path("run.nxs"), self.path("a.h5")],
                              capture_output=True, text=True, timeout=120, env=NO_PLUGINS)
        self.assertEqual(done.returncode, 1)
        lines = [json.loads(x) for x in done.stdout.splitlines()]
        verdicts = [x["verify"]["verdict"] for x in lines if "verify" in x]
        old = h5py.version.hdf5_version_tuple < (1, 12)
        self.assertEqual(verdicts, ["damaged", "intact"] if old else ["intact"], done.stderr)
        if old:
            self.assertEqual((lines[0]["fault"], lines[0]["file"]), ("open", self.path("run.nxs")))
            self.assertIn("HDF5 crashed on it (", lines[0]["text"])
        done = subprocess.run([SLUICE, "stats", self.path("run.nxs")], capture_output=True,
                              text=True, timeout=120, env=NO_PLUGINS)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("HDF5 crashed on it" if old else "run.nxs", done.stderr)

    def test_random_damage_never_ends_without_a_verdict(self):
        print(f"SLUICE_SEED={SEED}", file=sys.stderr)
        rng = random.Random(SEED)
        foreign_set.area_detector(self.path("a.h5"), shape=(3, 20, 21))
        foreign_set.dectris(self.folder, shape=(4, 20, 21), per_file=2)
        foreign_set.virtual(self.folder, shape=(4, 20, 21))
        names = sorted(os.listdir(self.folder))
        for k in range(MUTATIONS):
            path = self.path(names[k % len(names)])
            with open(path, "rb") as f:
                sound = f.read()
            bad = bytearray(sound)
            for _ in range(rng.choice((1, 3, 20))):
                bad[rng.randrange(min(len(bad), 6000))] = rng.randrange(256)
            with open(path, "wb") as f:
                f.write(bad)
            for verb in ("verify", "stats"):
                done = subprocess.run([SLUICE, verb, path], capture_output=True, text=True,
                                      timeout=240, env=NO_PLUGINS)
                self.assertIn(done.returncode, (0, 1), (k, path, done.stderr))
                self.assertTrue(done.stdout or done.stderr, (k, path))
            with open(path, "wb") as f:
                f.write(sound)

    def test_what_is_no_detector_file_at_all(self):
        with h5py.File(self.path("x.h5"), "w") as f:
            f["numbers"] = np.arange(10)
        code, findings, verdict = verify(self.path("x.h5"))
        self.assertEqual(code, 1)
        self.assertIn("no images", str(findings))
        with open(self.path("y.h5"), "wb") as f:
            f.write(os.urandom(3000))
        code, findings, error = verify(self.path("y.h5"))
        self.assertEqual((code, findings), (1, []))
        self.assertIn("not an HDF5 file", error)


if __name__ == "__main__":
    unittest.main(verbosity=2)

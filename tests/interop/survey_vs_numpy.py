# SPDX-License-Identifier: Apache-2.0
"""Regions, histogram, radial profile, brightest pixels and the images of the series of `sluice
stats` against numpy, on files written with h5py and by `sluice ingest` from captured messages.

usage: survey_vs_numpy.py SLUICE [unittest arguments]"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
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
import survey_reference as want  # noqa: E402
import swmr_set  # noqa: E402

SLUICE = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "sluice"
TYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32",
         "float64"]
ROIS = {"spot": (3, 4, 17, 9), "all": (0, 0, 301, 37), "pixel": (300, 36, 1, 1)}
BEAM = (120.25, 17.5)


class Live:
    """A file that grows and a reader that follows it."""

    def __init__(self, s, master, out):
        self.writer = subprocess.Popen([sys.executable, os.path.join(SUPPORT, "swmr_set.py"),
                                        json.dumps(s)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.program = subprocess.Popen([SLUICE, "stats", master, "--follow", "--json",
                                         "--running", out], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def write(self, *images):
        """Returns when the reader has them."""
        self.writer.stdin.write(json.dumps({"write": images, "flush": True}) + "\n")
        self.writer.stdin.flush()
        self.writer.stdout.readline()
        for _ in images:
            self.program.stdout.readline()

    def end(self):
        self.writer.stdin.write('{"state": "done"}\n')
        self.writer.stdin.close()
        self.writer.wait(20)

    def close(self):
        for process in (self.writer, self.program):
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream and not stream.closed:
                    stream.close()


class SurveyVersusNumpy(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def spec(self, **changes):
        return swmr_set.spec(directory=self.folder.name, beam=BEAM, **changes)

    def write(self, s, images):
        subprocess.run([sys.executable, os.path.join(SUPPORT, "swmr_set.py"), json.dumps(s)],
                       input=f'{{"write": {list(images)}, "flush": true}}\n{{"state": "done"}}\n',
                       text=True, check=True, capture_output=True, timeout=60)

    def stats(self, path, *arguments):
        done = subprocess.run([SLUICE, "stats", path, "--json", *arguments], capture_output=True,
                              text=True, timeout=60)
        return [json.loads(x) for x in done.stdout.splitlines()], done.stderr, done.returncode

    def check(self, survey, p, mask, options, images=None):
        """`p` [y, x], or [image, y, x] for a summary."""
        good = want.good_pixels(p, mask)
        scale = 1e-12
        if p.dtype.kind == "f":
            scale *= max(1, p.size)
        for name, rectangle in options.get("roi", {}).items():
            want.check(self, survey["roi"][name], want.roi(p, good, *rectangle), scale)
        if "histogram" in options:
            self.assertEqual(survey["histogram"], want.histogram(p, good, *options["histogram"]))
        if "radial" in options:
            want.check(self, survey["radial"], want.radial(p, good, **options["radial"]), scale)
        if "top" in options:
            self.assertEqual(survey["top"], want.top(p, good, options["top"], images))

    def test_every_pixel_type_gives_numpys_numbers(self):
        options = {"roi": ROIS, "histogram": (), "radial": {"centre": BEAM, "width": 1.0}, "top": 5}
        arguments = ["--histogram", "--radial", "--top", "5"] + [
            f"--roi={k}={','.join(map(str, v))}" for k, v in ROIS.items()]
        for i, dtype in enumerate(TYPES):
            with self.subTest(dtype=dtype):
                s = self.spec(name=dtype, dtype=dtype, filter=["bslz4", "lz4", "none"][i % 3])
                self.write(s, range(12))
                out = self.path(dtype + "_images.h5")
                lines, error, code = self.stats(self.path(dtype + "_master.h5"), *arguments,
                                                "--running", out)
                self.assertEqual((code, error), (0, ""))
                p = np.array([swmr_set.pixels(s, k, "data") for k in range(12)])
                mask = swmr_set.mask(s, "data")
                for k in range(12):
                    self.check(lines[k], p[k], mask, options)
                summary = lines[-1]["summary"]["channels"]["data"]
                self.check(summary, p, mask, options, list(range(12)))
                with h5py.File(out, "r") as f:
                    want.check_images(self, f["entry/data"], p, mask & 0xFFFF != 0)
                    self.assertEqual(f["entry/data/image_count"][()], 12)
                    self.assertEqual((f["entry/data/first_image"][()],
                                      f["entry/data/last_image"][()]), (0, 11))

    def test_settings_are_followed(self):
        s = self.spec(dtype="int16")
        self.write(s, range(9))
        p = [swmr_set.pixels(s, k, "data") for k in range(9)]
        mask = swmr_set.mask(s, "data")
        for arguments, options in (
                (["--histogram=10"], {"histogram": (10,)}),
                (["--histogram=40,-32768,1000"], {"histogram": (40, -32768, 1000)}),
                (["--radial=/2.5"], {"radial": {"centre": BEAM, "width": 2.5}}),
                (["--radial=-40.5,10:33"], {"radial": {"centre": (-40.5, 10.0), "bins": 33}}),
                (["--radial=7,8"], {"radial": {"centre": (7.0, 8.0), "width": 1.0}}),
                (["--top=1"], {"top": 1}), (["--top=10000"], {"top": 10000})):
            lines, error, code = self.stats(self.path("run_master.h5"), *arguments)
            self.assertEqual((code, error), (0, ""), arguments)
            for k in range(9):
                self.check(lines[k], p[k], mask, options)

    def test_channels_have_surveys_of_their_own(self):
        s = self.spec(channels=["threshold_1", "threshold_2"], shape=[31, 65])
        self.write(s, range(5))
        out = self.path("images.h5")
        lines, error, code = self.stats(self.path("run_master.h5"), "--radial", "--top=3",
                                        "--roi=a=1,2,30,20", "--running", out)
        self.assertEqual((code, error), (0, ""))
        options = {"radial": {"centre": BEAM, "width": 1.0}, "top": 3, "roi": {"a": (1, 2, 30, 20)}}
        for line in lines[:-1]:
            self.check(line, swmr_set.pixels(s, line["image"], line["channel"]),
                       swmr_set.mask(s, line["channel"]), options)
        with h5py.File(out, "r") as f:
            for c in s["channels"]:
                p = np.array([swmr_set.pixels(s, k, c) for k in range(5)])
                mask = swmr_set.mask(s, c)
                self.check(lines[-1]["summary"]["channels"][c], p, mask, options, list(range(5)))
                want.check_images(self, f["entry"][c], p, mask & 0xFFFF != 0)
            self.assertIn(f["entry"].attrs["default"], ("threshold_1", b"threshold_1"))

    def test_bad_images_enter_nothing_and_shards_know_their_images(self):
        s = self.spec(per_file=20)
        self.write(s, range(8))
        with h5py.File(self.path("run_data_000001.h5"), "r+", libver=("v110", "v110")) as f:
            sums = f["entry/data/checksum"]
            sums[2] = np.uint64(int(sums[2]) ^ 1)
        out = self.path("images.h5")
        lines, _, code = self.stats(self.path("run_master.h5"), "--top=2", "--shard=1/2",
                                    "--running", out)
        self.assertEqual(code, 1)  # a bad image
        there = [0, 4, 6]
        p = np.array([swmr_set.pixels(s, k, "data") for k in there])
        mask = swmr_set.mask(s, "data")
        self.check(lines[-1]["summary"]["channels"]["data"], p, mask, {"top": 2}, there)
        with h5py.File(out, "r") as f:
            want.check_images(self, f["entry/data"], p, mask & 0xFFFF != 0)
            self.assertEqual(f["entry/data/last_image"][()], 6)

    def test_a_foreign_file_with_a_centre_given(self):
        rng = np.random.default_rng(4)
        p = rng.poisson(2, (3, 50, 40)).astype("u4")
        with h5py.File(self.path("any.h5"), "w") as f:
            f.create_dataset("entry/data/data", data=p, chunks=(1, 50, 40), compression="gzip")
        lines, _, code = self.stats(self.path("any.h5"), "--radial=19.5,24/3", "--histogram=4")
        self.assertEqual(code, 0)
        for k in range(3):
            self.check(lines[k], p[k], None, {"radial": {"centre": (19.5, 24.0), "width": 3.0},
                                              "histogram": (4,)})
        _, error, code = self.stats(self.path("any.h5"), "--radial")
        self.assertEqual(code, 2)
        self.assertIn("--radial=X,Y", error)

    def test_mistakes_are_said_before_the_work(self):
        s = self.spec()
        self.write(s, range(2))
        master = self.path("run_master.h5")
        for arguments, said in (
                (["--roi=a=300,0,2,1"], "region a"), (["--roi=a=0,0,1"], "NAME=X,Y"),
                (["--roi==0,0,1,1"], "NAME=X,Y"), (["--roi=a=0,0,0,1"], "NAME=X,Y"),
                (["--roi=a=0,0,1,1", "--roi=a=1,1,1,1"], "one name"),
                (["--histogram=0"], "--histogram"), (["--histogram=65537"], "--histogram"),
                (["--histogram=4,x"], "--histogram"), (["--histogram=4,0,0"], "--histogram"),
                (["--radial=5"], "--radial"), (["--radial=5,6/0"], "--radial"),
                (["--radial=:0"], "--radial"), (["--radial=nan,1"], "--radial"),
                (["--radial=/0.0001"], "bins"), (["--top=0"], "--top"), (["--top=10001"], "--top"),
                (["--running="], "--running")):
            lines, error, code = self.stats(master, *arguments)
            self.assertEqual((code, lines), (2, []), arguments)
            self.assertIn(said, error)
        with open(self.path("there"), "w") as f:
            f.write("mine")
        for name, said in (("there", "exists already"), ("none/images.h5", "cannot")):
            lines, error, code = self.stats(master, "--running", self.path(name))
            self.assertEqual((code, lines), (1, []), name)
            self.assertIn(said, error)
        with open(self.path("there")) as f:
            self.assertEqual(f.read(), "mine")

    def test_a_file_that_comes_up_meanwhile_is_not_replaced(self):
        out = self.path("images.h5")
        live = Live(self.spec(per_file=50), self.path("run_master.h5"), out)
        self.addCleanup(live.close)
        live.write(0, 1)
        with open(out, "w") as f:
            f.write("mine")
        live.end()
        error = live.program.communicate(timeout=20)[1]
        self.assertEqual(live.program.returncode, 1)
        self.assertIn("exists already", error)
        with open(out) as f:
            self.assertEqual(f.read(), "mine")
        self.assertEqual([x for x in os.listdir(self.folder.name) if x.endswith(".tmp")], [])

    def test_the_table_shows_them(self):
        s = self.spec(per_file=5)
        self.write(s, range(3))
        done = subprocess.run([SLUICE, "stats", self.path("run_master.h5"), "--roi=a=0,0,5,5",
                               "--top=2", "--histogram=3", "--radial=/50"], capture_output=True,
                              text=True, timeout=20)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for text, count in (("region a: sum", 4), ("top 1:", 4), ("top 2:", 4),
                            ("histogram 0: ", 1), ("histogram from 3: ", 1), ("radius 50: ", 1)):
            self.assertEqual(done.stdout.count(text), count, (text, done.stdout))

    def test_sigusr1_writes_the_images_so_far(self):
        s = self.spec(per_file=50)
        out = self.path("images.h5")
        live = Live(s, self.path("run_master.h5"), out)
        self.addCleanup(live.close)
        count = 0
        for batch in ((0, 1, 2), (3, 4)):
            live.write(*batch)
            count += len(batch)
            live.program.send_signal(signal.SIGUSR1)
            deadline = time.monotonic() + 20
            while self.images_in(out) != count:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(.01)
            p = np.array([swmr_set.pixels(s, k, "data") for k in range(count)])
            with h5py.File(out, "r") as f:
                want.check_images(self, f["entry/data"], p, swmr_set.mask(s, "data") & 0xFFFF != 0)
        live.end()
        rest = live.program.communicate(timeout=20)[0].splitlines()
        self.assertEqual(live.program.returncode, 0)
        self.assertEqual(json.loads(rest[-1])["summary"]["images"], 5)

    def images_in(self, path):
        if not os.path.exists(path):
            return 0
        with h5py.File(path, "r") as f:
            return f["entry/data/image_count"][()]

    def test_help_names_them(self):
        done = subprocess.run([SLUICE, "stats", "--help"], capture_output=True, text=True)
        for word in ("--roi", "--histogram", "--radial", "--top", "--running", "SIGUSR1"):
            self.assertIn(word, done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

# SPDX-License-Identifier: Apache-2.0
"""`sluice stats --json` against numpy, number by number, on files written with h5py: finished,
growing, out of order, with losses, rolled over, of a killed writer.

usage: stats_vs_numpy.py SLUICE [unittest arguments]"""
import json
import math
import os
import select
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
import swmr_set  # noqa: E402
from plane_reference import close, reference  # noqa: E402

SLUICE = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else "sluice"
TYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32",
         "float64"]
FIELDS = ["image", "channel", "min", "max", "sum", "mean", "std", "zero", "saturated", "invalid",
          "com_x", "com_y", "latency_ms"]


class Writer:
    """swmr_set.py as a process."""

    def __init__(self, s):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(SUPPORT, "swmr_set.py"), json.dumps(s)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer == "ok\n", answer

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Reader:
    """`sluice stats --json` as a process whose lines are read as they come."""

    def __init__(self, path, *arguments):
        self.process = subprocess.Popen([SLUICE, "stats", path, "--json", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.buffer = b""

    def line(self, timeout=10):
        end = time.monotonic() + timeout
        while b"\n" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError("no line within the time")
            got = os.read(self.process.stdout.fileno(), 65536)
            if not got:
                raise AssertionError("ended: " + self.process.stderr.read().decode())
            self.buffer += got
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def rest(self, timeout=30):
        out, error = self.process.communicate(timeout=timeout)
        lines = [json.loads(x) for x in (self.buffer + out).decode().splitlines()]
        return lines, error.decode(), self.process.returncode


class StatsVersusNumpy(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def spec(self, **changes):
        return swmr_set.spec(directory=self.folder.name, **changes)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def stats(self, path, *arguments, timeout=60):
        done = subprocess.run([SLUICE, "stats", path, "--json", *arguments], capture_output=True,
                              text=True, timeout=timeout)
        return [json.loads(x) for x in done.stdout.splitlines()], done.stderr, done.returncode

    def check_line(self, s, line, followed=False):
        want = reference(s, line["image"], line["channel"])
        self.assertEqual(list(line), FIELDS)
        real = np.dtype(s["dtype"]).kind == "f"
        exact = ["min", "max", "zero", "saturated", "invalid"] + ([] if real else ["sum"])
        for key in exact:
            self.assertEqual(line[key], want[key], (key, line, want))
            self.assertTrue(real or not isinstance(line[key], float), (key, line))
        scale = 1e3 if real else 0  # a mean near 0 of floats is only as good as its terms
        for key in ["mean", "std", "com_x", "com_y", "sum"]:
            if not (real and key.startswith("com")):
                self.assertTrue(close(line[key], want[key], scale), (key, line, want))
            elif want[key] is None:
                self.assertIsNone(line[key])
            else:
                self.assertAlmostEqual(line[key] / want[key], 1, 9)
        self.assertEqual(line["latency_ms"] is not None, followed)

    def check(self, s, lines, images, lost=(), followed=False, state="complete"):
        summary = lines.pop()["summary"]
        planes = [x for x in lines if "status" not in x]
        for line in planes:
            self.check_line(s, line, followed)
        want = [(i, c) for i in images for c in s["channels"]]
        self.assertEqual(sorted((x["image"], x["channel"]) for x in planes), sorted(want))
        gone = [{"image": i, "channel": c, "status": "lost"} for i in lost for c in s["channels"]]
        got = [{k: x[k] for k in ("image", "channel", "status")} for x in lines if "status" in x]
        order = lambda x: (x["image"], x["channel"])  # noqa: E731
        self.assertEqual(sorted(got, key=order), sorted(gone, key=order))
        self.assertEqual((summary["images"], summary["planes"], summary["lost"], summary["state"]),
                         (len(list(images)), len(want), len(list(lost)), state))
        for c in s["channels"]:
            values = [reference(s, i, c) for i in images]
            if np.dtype(s["dtype"]).kind != "f":
                sums = [v["sum"] for v in values if v["sum"] is not None]
                self.assertEqual(summary["channels"][c]["sum"], sum(sums) if sums else None)
            else:
                sums = [v["sum"] for v in values if v["sum"] is not None]
                got = summary["channels"][c]["sum"]
                self.assertTrue(close(got, math.fsum(sums) if sums else None, 1e3), (got, sums))
            self.assertEqual(summary["channels"][c]["invalid"], sum(v["invalid"] for v in values))
        return summary

    def write(self, s, images, state="done"):
        w = Writer(s)
        w.do(write=list(images), flush=True)
        w.do(state=state)
        w.end()

    def test_every_pixel_type_and_filter_gives_numpys_numbers(self):
        for i, dtype in enumerate(TYPES):
            s = self.spec(name=dtype, dtype=dtype, saturation=100,
                          filter=["bslz4", "lz4", "none"][i % 3])
            self.write(s, range(12))
            lines, error, code = self.stats(self.path(dtype + "_master.h5"))
            self.assertEqual((code, error), (0, ""), dtype)
            self.check(s, lines, range(12))

    def test_every_pixel_type_and_filter_of_a_growing_file_gives_numpys_numbers(self):
        for i, dtype in enumerate(TYPES):
            s = self.spec(name=dtype, dtype=dtype, saturation=100, per_file=7, shape=[19, 23],
                          filter=["none", "bslz4", "lz4"][i % 3])
            w = Writer(s)
            r = Reader(self.path(dtype + "_master.h5"), "--follow")
            seen = []
            for batch in ([0], [1, 2], [8, 9], [4, 3], [10], [5, 6, 7]):
                w.do(write=batch, flush=True)
                seen += [r.line() for _ in batch]
            w.do(state="done")
            w.end()
            lines, error, code = r.rest()
            self.assertEqual((code, error), (0, ""), dtype)
            self.check(s, seen + lines, range(11), followed=True)

    def test_figures_of_bit_planes_are_those_of_pixels(self):
        for dtype in ("uint8", "uint16", "uint32"):
            # blocks of 8 KiB, a partial one and single pixels; rows that end anywhere
            s = self.spec(name=dtype, dtype=dtype, saturation=100, shape=[151, 301], filter="bslz4")
            self.write(s, range(3))
            lines, error, code = self.stats(self.path(dtype + "_master.h5"))
            self.assertEqual((code, error), (0, ""), dtype)
            planes = lines[:-1]
            self.check(s, lines, range(3))
            for level in ("auto", "avx2", "scalar"):
                for arguments in ((), ("--pixels",)):
                    environment = dict(os.environ, SLUICE_INSTRUCTIONS=level)
                    done = subprocess.run(
                        [SLUICE, "stats", self.path(dtype + "_master.h5"), "--json", *arguments],
                        capture_output=True, text=True, timeout=60, env=environment)
                    other = [json.loads(x) for x in done.stdout.splitlines()]
                    self.assertEqual(other[:-1], planes, (dtype, level, arguments))

    def test_several_channels_use_their_own_masks_by_any_path(self):
        s = self.spec(channels=["threshold_1", "threshold_2", "difference"], shape=[31, 65])
        self.write(s, range(15))
        for name in ["run_master.h5", "run_difference_master.h5", "run_data_000001.h5",
                     "run_data_000002.h5", "run"]:
            lines, error, code = self.stats(self.path(name))
            self.assertEqual((code, error), (0, ""), name)
            self.check(s, lines, range(15))
        lines, _, code = self.stats(self.path("run_master.h5"), "--channel", "threshold_2")
        self.assertEqual(code, 0)
        self.assertEqual({x["channel"] for x in lines[:-1]}, {"threshold_2"})
        for line in lines[:-1]:
            self.check_line(s, line)
        _, error, code = self.stats(self.path("run_master.h5"), "--channel", "threshold_9")
        self.assertEqual(code, 2)
        self.assertIn("threshold_1", error)

    def test_without_mask_and_saturation_value_they_are_not_invented(self):
        s = self.spec(masked=False, saturation=None)
        self.write(s, range(11))
        lines, _, code = self.stats(self.path("run_data_000001.h5"))
        self.assertEqual(code, 0)
        self.check(s, lines, range(11))

    def test_lost_and_refused_images_are_named(self):
        s = self.spec()
        w = Writer(s)
        w.do(write=[0, 1, 4, 5, 9, 11, 13], refuse=[2], flush=True)
        w.do(state="done")
        w.end()
        lines, _, code = self.stats(self.path("run_master.h5"))
        self.assertEqual(code, 0)
        refused = [x for x in lines if x.get("reason")]
        self.assertEqual([x["image"] for x in refused], [2])
        self.check(s, lines, [0, 1, 4, 5, 9, 11, 13], lost=[2, 3, 6, 7, 8, 10, 12])

    def test_images_of_a_file_that_was_never_made_are_lost(self):
        s = self.spec(per_file=3)
        self.write(s, [0, 1, 2, 9, 10])
        lines, _, code = self.stats(self.path("run_master.h5"), "--follow")
        self.assertEqual(code, 0)
        self.check(s, lines, [0, 1, 2, 9, 10], lost=range(3, 9), followed=True)

    def test_a_growing_series_is_followed_to_its_end(self):
        s = self.spec(channels=["threshold_1", "threshold_2"])
        w = Writer(s)
        r = Reader(self.path("run_master.h5"), "--follow")  # before any file is there
        time.sleep(.3)
        seen = []
        for i in range(23):
            w.do(write=[i], flush=True)
            for _ in s["channels"]:  # each image arrives while the writer waits
                seen.append(r.line())
                self.assertEqual(seen[-1]["image"], i)
                self.assertLess(seen[-1]["latency_ms"], 5000)
            if i % 10 == 9:
                w.do(close=i // 10)
        w.do(state="done")
        w.end()
        lines, error, code = r.rest()
        self.assertEqual((code, error), (0, ""))
        summary = self.check(s, seen + lines, range(23), followed=True)
        self.assertGreater(summary["latency_ms"]["max"], 0)
        self.assertEqual((summary["newest_visible"], summary["newest_processed"]), (22, 22))

    def test_what_is_not_flushed_is_not_seen(self):
        s = self.spec()
        w = Writer(s)
        w.do(write=[0, 1], flush=True)
        w.do(write=[2, 3])
        lines, _, code = self.stats(self.path("run_data_000001.h5"))
        self.assertEqual(code, 0)
        self.check(s, lines, [0, 1], state="growing")
        w.do(state="done")
        w.end()

    def test_two_files_that_grow_at_once_and_out_of_order(self):
        s = self.spec()
        w = Writer(s)
        w.do(write=[3], flush=True)
        r = Reader(self.path("run_master.h5"), "--follow")
        seen = [r.line()]
        for batch in [[0, 12], [2, 1], [11, 5], [10, 4, 19], [9, 8, 7]]:
            w.do(write=batch, flush=True)
            got = [r.line() for _ in batch]
            self.assertEqual({x["image"] for x in got}, set(batch))
            seen += got
        w.do(close=0)
        self.assertEqual(r.line()["image"], 6)  # lost as soon as its file is closed
        seen.append({"image": 6, "channel": "data", "status": "lost"})
        w.do(state="done")
        w.end()
        lines, _, code = r.rest()
        self.assertEqual(code, 0)
        there = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 19]
        self.check(s, seen + lines, there, lost=[6, 13, 14, 15, 16, 17, 18], followed=True)

    def test_a_killed_writer_is_said_and_what_was_visible_is_right(self):
        s = self.spec()
        w = Writer(s)
        w.do(write=list(range(14)), flush=True)
        w.do(write=[14])
        r = Reader(self.path("run_master.h5"), "--follow", "--timeout", "1.5")
        first = r.line()
        w.kill()
        start = time.monotonic()
        lines, error, code = r.rest()
        self.assertEqual(code, 1)
        self.assertLess(time.monotonic() - start, 6)
        self.assertIn("died", error)
        self.check(s, [first] + lines, range(14), followed=True, state="stalled")
        lines, error, code = self.stats(self.path("run_master.h5"))
        self.assertEqual((code, error), (0, ""))
        self.check(s, lines, range(14), state="growing")

    def test_a_series_that_failed_ends_the_follower(self):
        s = self.spec()
        w = Writer(s)
        w.do(write=[0, 1, 3], flush=True)
        r = Reader(self.path("run.nxs"), "--follow")
        w.do(state="failed")
        w.end()
        lines, _, code = r.rest()
        self.assertEqual(code, 0)
        self.check(s, lines, [0, 1, 3], lost=[2], followed=True, state="failed")

    def test_data_files_elsewhere_are_found_through_the_master(self):
        with tempfile.TemporaryDirectory() as other:
            s = self.spec(data_directory=other)
            w = Writer(s)
            w.do(write=list(range(8)), flush=True)
            r = Reader(self.path("run_master.h5"), "--follow")
            seen = [r.line() for _ in range(8)]
            w.do(write=list(range(8, 25)), flush=True)
            w.do(state="done")
            w.end()
            lines, error, code = r.rest()
            self.assertEqual((code, error), (0, ""))
            self.check(s, seen + lines, range(25), followed=True)

    def test_a_wrong_checksum_and_a_chunk_that_does_not_decode_are_bad(self):
        s = self.spec(per_file=20)
        w = Writer(s)
        w.do(corrupt=3)
        w.do(write=list(range(6)), flush=True)
        w.do(state="done")
        w.end()
        with h5py.File(self.path("run_data_000001.h5"), "r+", libver=("v110", "v110")) as f:
            for row, chunk in ((1, b"\0" * 11), (2, os.urandom(300))):
                f["entry/data/data"].id.write_direct_chunk((row, 0, 0), chunk)
            value = swmr_set.XXHASH.XXH3_64bits(b"\0" * 11, 11)
            f["entry/data/checksum"][1] = value
        lines, _, code = self.stats(self.path("run_master.h5"))
        self.assertEqual(code, 1)
        bad = [x for x in lines if x.get("status") == "bad"]
        self.assertEqual([x["image"] for x in bad], [1, 2, 3])
        self.assertIn("decode", bad[0]["reason"])
        self.assertIn("checksum", bad[1]["reason"])
        self.assertIn("checksum", bad[2]["reason"])
        for line in lines[:-1]:
            if "status" not in line:
                self.check_line(s, line)
        self.assertEqual(lines[-1]["summary"]["bad"], 3)
        self.assertEqual(lines[-1]["summary"]["planes"], 3)

    def test_sampling_and_shards_say_what_they_left_out(self):
        s = self.spec(per_file=100)
        self.write(s, range(40))
        lines, _, _ = self.stats(self.path("run_master.h5"), "--every", "7")
        self.assertEqual([x["image"] for x in lines[:-1]], [0, 7, 14, 21, 28, 35])
        self.assertEqual(lines[-1]["summary"]["skipped"], 34)
        seen = []
        for k in (1, 2, 3):
            lines, _, _ = self.stats(self.path("run_master.h5"), "--shard", f"{k}/3")
            self.assertEqual(lines[-1]["summary"]["shard"], f"{k}/3")
            self.assertEqual(lines[-1]["summary"]["skipped"], 0)
            seen += [x["image"] for x in lines[:-1]]
        self.assertEqual(sorted(seen), list(range(40)))
        lines, _, _ = self.stats(self.path("run_master.h5"), "--latest")
        self.assertEqual([x["image"] for x in lines[:-1]], [39])
        self.assertEqual(lines[-1]["summary"]["skipped"], 39)

    def test_a_file_without_our_columns_is_read_to_its_extent(self):
        s = self.spec(columns=False)
        self.write(s, range(7))
        lines, _, code = self.stats(self.path("run_data_000001.h5"))
        self.assertEqual(code, 0)
        self.check(s, lines, range(7))

    def test_a_signal_ends_it_with_the_summary(self):
        s = self.spec()
        w = Writer(s)
        w.do(write=[0, 1, 2], flush=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            r = Reader(self.path("run_master.h5"), "--follow")
            seen = [r.line() for _ in range(3)]
            r.process.send_signal(number)
            lines, _, code = r.rest()
            self.assertEqual(code, 0)
            self.check(s, seen + lines, range(3), followed=True, state="interrupted")
        w.do(state="done")
        w.end()

    def test_a_closed_pipe_ends_it_quietly(self):
        s = self.spec(per_file=1000)
        self.write(s, range(300))
        r = Reader(self.path("run_master.h5"))
        r.line()
        r.process.stdout.close()
        error = r.process.stderr.read().decode()
        r.process.stderr.close()
        self.assertEqual((r.process.wait(20), error), (0, ""))

    def test_files_that_are_not_there_or_not_ours_are_said(self):
        for name, content in (("x_master.h5", None), ("y_data_000001.h5", b""),
                              ("z_data_000001.h5", os.urandom(5000)), ("w.h5", b"\x89HDF")):
            if content is not None:
                with open(self.path(name), "wb") as f:
                    f.write(content)
            lines, error, code = self.stats(self.path(name))
            self.assertEqual((lines, code), ([], 1), name)
            self.assertIn(self.path(name), error)
        self.assertEqual(self.stats(self.folder.name)[2], 1)
        self.assertEqual(self.stats(self.path("x.h5"), "--every", "0")[2], 2)

    def test_help_is_enough_to_use_it(self):
        done = subprocess.run([SLUICE, "stats", "--help"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0)
        for word in ("PATH", "--follow", "--channel", "--json", "--timeout", "--wait", "--every",
                     "--latest", "--shard", "exit"):
            self.assertIn(word, done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)

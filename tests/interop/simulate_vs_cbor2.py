# SPDX-License-Identifier: Apache-2.0
"""`sluice simulate` over a real socket, read by pyzmq, cbor2 and the stock HDF5 filters.

    simulate_vs_cbor2.py SLUICE [SHARED]

Replay: ids run on, every plane of every image equals the captured one, the start differs in
number_of_images alone. Made frames: every field of the protocol is there, shapes and types agree,
thresholds add up, gaps hold no data and are in the mask. Faults: the counts in the report are what
arrived. Exit status 77 when a Python module is missing; without SHARED (or the environment's
SLUICE_SHARED) the replay is left out, visibly."""
import glob
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import unittest

SKIP = 77
try:
    import cbor2
    import h5py
    import hdf5plugin
    import numpy as np
    import zmq
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(SKIP)

SLUICE = sys.argv[1]
SHARED = sys.argv[2] if len(sys.argv) > 2 else os.environ.get("SLUICE_SHARED", "")
FILTERS = {"bslz4": hdf5plugin.Bitshuffle(nelems=0, cname="lz4"), "lz4": hdf5plugin.LZ4(nbytes=0)}
DTYPES = {64: "u1", 69: "<u2", 70: "<u4", 85: "<f4"}
TAG = bytes.fromhex("d9d9f7")
START_KEYS = """type series_id series_unique_id arm_date number_of_images image_size_x image_size_y
image_dtype channels count_time frame_time incident_energy incident_wavelength beam_center_x
beam_center_y pixel_size_x pixel_size_y detector_translation detector_description
detector_serial_number sensor_material sensor_thickness saturation_value threshold_energy goniometer
pixel_mask pixel_mask_enabled flatfield flatfield_enabled countrate_correction_enabled
countrate_correction_lookup_table virtual_pixel_interpolation_enabled user_data""".split()


def typed(tag, shape):
    """The array that a typed-array tag holds."""
    dtype = np.dtype(DTYPES[tag.tag])
    if isinstance(tag.value, bytes):
        return np.frombuffer(tag.value, dtype).reshape(shape)
    algorithm, size, payload = tag.value.value
    assert tag.value.tag == 56500 and size == (dtype.itemsize if algorithm == "bslz4" else 0)
    shape = tuple(shape)
    with h5py.File("scratch", "w", driver="core", backing_store=False) as f:
        d = f.create_dataset("d", (1,) + shape, dtype, chunks=(1,) + shape, **FILTERS[algorithm])
        d.id.write_direct_chunk((0,) * (len(shape) + 1), payload)
        return d[0]


def array(tag):
    assert tag.tag == 40
    shape, data = tag.value
    return typed(data, shape)


def planes(message):
    return {channel: array(tag) for channel, tag in message["data"].items()}


class Run:
    """One run of the simulator against a PULL socket; `messages` raw, `report` the JSON line."""

    def __init__(self, *arguments, stop_after=None):
        context = zmq.Context()
        socket = context.socket(zmq.PULL)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        process = subprocess.Popen([SLUICE, "simulate", "--connect", "--endpoint",
                                    f"tcp://127.0.0.1:{port}", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.messages = []
        last, done = time.monotonic(), False
        while not done or socket.poll(300):
            if socket.poll(100):
                self.messages.append(socket.recv())
                last = time.monotonic()
                if stop_after and len(self.messages) == stop_after:
                    process.send_signal(signal.SIGINT)
            done = process.poll() is not None
            if time.monotonic() - last > 60:
                process.kill()
                raise RuntimeError("the simulator has sent nothing for 60 s")
        out, self.log = process.communicate()
        self.code = process.returncode
        self.report = json.loads(out) if out else None
        socket.close()
        context.term()

    def decoded(self):
        return [cbor2.loads(m) for m in self.messages]


class Replay(unittest.TestCase):
    def check_set(self, name, images):
        files = sorted(glob.glob(os.path.join(SHARED, "data", "stream2", name, "*.cbor")))
        if not SHARED or not files:
            self.skipTest(f"captured set {name} is not here (SLUICE_SHARED)")
        captured = [cbor2.loads(pathlib.Path(f).read_bytes()) for f in files]
        pixels = [planes(m) for m in captured[1:-1]]
        run = Run("--replay", os.path.dirname(files[0]), "--images", str(images))
        self.assertEqual(run.code, 0, run.log)
        self.assertTrue(all(m.startswith(TAG) for m in run.messages))
        got = run.decoded()
        self.assertEqual(len(got), images + 2)
        self.assertEqual(got[0].pop("number_of_images"), images)
        captured[0].pop("number_of_images")
        self.assertEqual(repr(got[0]), repr(captured[0]))
        self.assertEqual(got[-1], captured[-1])
        for k, message in enumerate(got[1:-1]):
            source = captured[1 + k % len(pixels)]
            self.assertEqual(message["image_id"], k)
            for key in set(source) - {"image_id", "data"}:
                self.assertEqual(message[key], source[key], key)
            for channel, plane in planes(message).items():
                np.testing.assert_array_equal(plane, pixels[k % len(pixels)][channel])

    def test_16_bit_bslz4(self):
        self.check_set("eiger2_r500k_bslz4_16bit", 23)

    def test_8_bit_bslz4(self):
        self.check_set("eiger2_r500k_bslz4_8bit", 4)

    def test_16_bit_lz4(self):
        self.check_set("eiger2_r500k_lz4_16bit", 8)


class Made(unittest.TestCase):
    def test_every_type_and_encoding(self):
        for dtype in ("uint8", "uint16", "uint32"):
            for encoding in ("bslz4", "lz4", "none"):
                with self.subTest(dtype=dtype, encoding=encoding):
                    self.check_made(dtype, encoding)

    def check_made(self, dtype, encoding):
        run = Run("--detector", "eiger2-1m", "--images", "4", "--distinct", "2", "--channels", "3",
                  "--dtype", dtype, "--encoding", encoding, "--seed", "5")
        self.assertEqual(run.code, 0, run.log)
        start, *images, end = run.decoded()
        self.assertEqual(set(start), set(START_KEYS))
        self.assertEqual(next(iter(start)), "type")
        self.assertEqual((start["image_size_y"], start["image_size_x"]), (1062, 1028))
        self.assertEqual(start["number_of_images"], 4)
        mask = array(start["pixel_mask"]["threshold_1"])
        self.assertEqual(mask.dtype, np.uint32)
        self.assertTrue((mask[512:550] == 1).all())
        self.assertEqual((mask == 1).sum(), 38 * 1028)
        self.assertTrue(0.9 < array(start["flatfield"]["threshold_2"]).mean() < 1.1)
        table = typed(start["countrate_correction_lookup_table"], (4096,))
        self.assertTrue((np.diff(table.astype(int)) >= 1).all())
        no_data = np.iinfo(dtype).max
        for k, message in enumerate(images):
            self.assertEqual(next(iter(message)), "type")
            self.assertEqual(message["image_id"], k)
            numerator, denominator = message["start_time"]
            self.assertAlmostEqual(numerator / denominator, k * start["frame_time"])
            p = planes(message)
            self.assertEqual(list(p), start["channels"])
            for plane in p.values():
                self.assertEqual(plane.dtype, np.dtype(dtype))
                np.testing.assert_array_equal(plane == no_data, np.isin(mask, (1, 2)))
            one, two, difference = (p[c].astype("i8") for c in start["channels"])
            good = (mask == 0) & (one < no_data - 1)
            np.testing.assert_array_equal(one[good], (two + difference)[good])
            self.assertTrue(0.5 < one[mask == 0].mean() < 5)
        self.assertEqual(set(end), {"type", "series_id", "series_unique_id"})
        np.testing.assert_array_equal(planes(images[0])["threshold_1"],
                                      planes(images[2])["threshold_1"])
        self.assertTrue((planes(images[0])["threshold_1"] !=
                         planes(images[1])["threshold_1"]).any())

    def test_the_same_seed_sends_the_same_bytes(self):
        one, two, other = (Run("--detector", "s256", "--images", "5", "--header", "basic",
                               "--fault", "truncated=20%", "--fault", "reorder=3", "--seed", seed)
                           for seed in ("3", "3", "4"))
        self.assertEqual(one.messages, two.messages)
        self.assertNotEqual(one.messages[0], other.messages[0])
        self.assertEqual(one.report["seed"], 3)

    def test_a_scan_says_its_angles_and_its_frames_differ(self):
        run = Run("--detector", "s256", "--images", "20", "--rotation", "-5:0.5", "--seed", "3")
        start, *images, _ = run.decoded()
        self.assertEqual(start["goniometer"]["omega"], {"start": -5, "increment": 0.5})
        pixels = [planes(m)["threshold_1"].tobytes() for m in images]
        self.assertEqual(len(set(pixels)), 20)


def is_sound(message):
    """Do shape and framing agree? The stock filters trust a header, so spoiled planes are kept
    away from them."""
    for tag in message["data"].values():
        (rows, columns), data = tag.value
        size = np.dtype(DTYPES[data.tag]).itemsize
        payload = data.value.value[2]
        if tag.tag != 40 or int.from_bytes(payload[:8], "big") != rows * columns * size:
            return False
    return True


class Faults(unittest.TestCase):
    def test_the_report_says_what_arrived(self):
        run = Run("--detector", "tiny", "--images", "300", "--series", "2", "--seed", "8",
                  *sum((["--fault", f] for f in (
                      "lost=10-19,5%", "doubled=30-32", "late=40:7,50-51:3", "corrupt=60,61",
                      "truncated=70", "random=80", "wrongsize=90", "foreign=100-104", "early=4",
                      "restart=150", "stall=200:20")), []))
        self.assertEqual(run.code, 0, run.log)
        report = run.report
        self.assertEqual(report["messages"], len(run.messages))
        self.assertEqual(report["bytes"], sum(map(len, run.messages)))
        for series in report["series"]:
            unique, ids, ends, starts = series["series_unique_id"], [], 0, 0
            for raw in run.messages:
                try:
                    m = cbor2.loads(raw)
                    kind = m["type"]
                except Exception:  # spoiled on purpose: not to be counted here
                    continue
                if m.get("series_unique_id") != unique:
                    continue
                if kind == "image" and is_sound(m):
                    self.assertTrue(all(p.shape == (64, 64) for p in planes(m).values()))
                    ids.append(m["image_id"])
                starts += kind == "start"
                ends += kind == "end"
            faults = series["faults"]
            self.assertEqual((starts, ends), (series["starts"], series["ends"]))
            self.assertEqual(starts, 2)
            self.assertEqual(len(set(ids)), series["distinct"])
            self.assertEqual(len(ids) - len(set(ids)),
                             sum(ids.count(i) > 1 for i in (30, 31, 32)))
            spoiled = sum(faults.get(k, 0) for k in ("corrupt", "truncated", "random", "wrongsize"))
            self.assertEqual(series["images"], len(ids) + spoiled + faults["foreign"] +
                             faults["early"])
            self.assertEqual(300 - faults["lost"] - spoiled, series["distinct"])
            self.assertEqual(faults.get("late", 0), sum(ids.count(i) for i in (40, 50, 51)))
            for late in {40, 50, 51} & set(ids):
                passed = [i for i in ids if late < i <= late + 3 and i not in (50, 51)]
                self.assertTrue(all(ids.index(i) < ids.index(late) for i in passed))
        self.assertNotEqual(*(s["series_unique_id"] for s in report["series"]))

    def test_sigint_ends_in_order(self):
        run = Run("--detector", "tiny", "--images", "100000", "--rate", "500", stop_after=50)
        self.assertEqual(run.code, 0, run.log)
        self.assertTrue(run.report["stopped"])
        self.assertEqual(run.decoded()[-1]["type"], "end")
        self.assertEqual(run.report["series"][0]["images"], len(run.messages) - 2)
        self.assertIn("stopped", run.log)


class CommandLine(unittest.TestCase):
    def call(self, *arguments):
        return subprocess.run([SLUICE, "simulate", *arguments], capture_output=True, text=True,
                              timeout=60)

    def test_usage_errors_exit_2_and_say_why(self):
        endpoint = ("--endpoint", "tcp://127.0.0.1:*")
        for arguments, word in [
                ((), "--endpoint"), (endpoint, "--replay"),
                ((*endpoint, "--detector", "nothing"), "--list"),
                ((*endpoint, "--detector", "tiny", "--images", "0"), "--images"),
                ((*endpoint, "--detector", "tiny", "--rate", "x"), "--rate"),
                ((*endpoint, "--detector", "tiny", "--fault", "lost=2000"), "not among"),
                ((*endpoint, "--detector", "tiny", "--fault", "bang"), "no such kind"),
                ((*endpoint, "--detector", "tiny", "--protocol", "stream9"), "stream2"),
                ((*endpoint, "--replay", "/", "--dtype", "uint8"), "--dtype"),
                ((*endpoint, "--detector", "tiny", "stray"), "stray")]:
            with self.subTest(arguments=arguments):
                result = self.call(*arguments)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(word, result.stderr)
                self.assertEqual(result.stdout, "")

    def test_failures_exit_1(self):
        result = self.call("--endpoint", "tcp://127.0.0.1:*", "--replay", "/nonexistent")
        self.assertEqual(result.returncode, 1)
        self.assertIn("/nonexistent", result.stderr)
        result = self.call("--endpoint", "tcp://127.0.0.1:*", "--detector", "tiny",
                           "--connect-timeout", "0.3")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no receiver", result.stderr)

    def test_list_and_help_exit_0(self):
        listed = self.call("--list")
        self.assertEqual(listed.returncode, 0)
        self.assertRegex(listed.stdout, r"eiger2-16m +4362 +4148")
        helped = self.call("--help")
        self.assertEqual(helped.returncode, 0)
        self.assertIn("second-client", helped.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

# SPDX-License-Identifier: Apache-2.0
"""`sluice simulate` in Stream V1 and array-1.0, read by pyzmq, json, hashlib, liblz4 (through
ctypes) and the stock HDF5 filters: nothing of ours.

    simulate_multipart.py SLUICE

Every type in every encoding holds the same pixels as Stream V2 with the same seed, which
simulate_vs_cbor2.py has read by other means. Headers of every detail, appendices, triggers, scans,
subscribers, replays of parts, bursts. Spoiled messages contradict themselves, all others are sound,
and the report counts both. Exit status 77 when a Python module is missing."""
import ctypes
import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import unittest

import simulate_vs_cbor2 as stream2
from simulate_vs_cbor2 import FILTERS, SLUICE

import cbor2
import h5py
import numpy as np
import zmq

LZ4 = ctypes.CDLL("liblz4.so.1")
ALL_TYPES = ("uint8 uint16 uint32 uint64 int8 int16 int32 int64 float32 float64").split()
FRAME = ("--detector", "s256", "--images", "5", "--distinct", "3", "--seed", "11")
SPOILERS = ("corrupt", "truncated", "wrongsize", "wrongtype", "random")


def lz4_block(payload, count):
    """The bytes that a bare LZ4 block holds."""
    out = ctypes.create_string_buffer(count)
    got = LZ4.LZ4_decompress_safe(bytes(payload), out, len(payload), count)
    if got != count:
        raise ValueError(f"an LZ4 block of {got} bytes instead of {count}")
    return out.raw


def bslz4(payload, shape, dtype):
    """What the stock filter finds. It trusts the framing, so that is looked at first."""
    total = int.from_bytes(payload[:8], "big")
    if total != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"the framing says {total} bytes")
    with h5py.File("scratch", "w", driver="core", backing_store=False) as f:
        d = f.create_dataset("d", shape, dtype, chunks=shape, **FILTERS["bslz4"])
        d.id.write_direct_chunk((0, 0), bytes(payload))
        return d[()]


class Run:
    """One run against a PULL or SUB socket that binds; `messages` are lists of parts."""

    def __init__(self, *arguments, kind=zmq.PULL):
        context = zmq.Context()
        socket = context.socket(kind)
        socket.setsockopt(zmq.RCVHWM, 0)
        if kind == zmq.SUB:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        process = subprocess.Popen([SLUICE, "simulate", "--connect", "--endpoint",
                                    f"tcp://127.0.0.1:{port}", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.messages, self.times = [], []
        last, done = time.monotonic(), False
        while not done or socket.poll(200):
            while socket.poll(50):
                self.messages.append(socket.recv_multipart())
                self.times.append(time.monotonic())
                last = time.monotonic()
            done = process.poll() is not None
            if time.monotonic() - last > 60:
                process.kill()
                raise RuntimeError("the simulator has sent nothing for 60 s")
        out, self.log = process.communicate()
        self.code = process.returncode
        self.report = json.loads(out) if out else None
        socket.close()
        context.term()
        if self.code != 0:
            raise AssertionError(self.log)
        if (self.report["messages"], self.report["bytes"]) != (
                len(self.messages), sum(len(p) for m in self.messages for p in m)):
            raise AssertionError(f"{len(self.messages)} messages came: {self.report}")


def stream2_pixels(dtype, *arguments):
    """Start message and pixels of the same frames in Stream V2."""
    run = stream2.Run(*FRAME, "--dtype", dtype, *arguments)
    start, *images, _ = run.decoded()
    return start, [stream2.planes(m)["threshold_1"] for m in images]


def stream1_image(parts):
    """A sound image message: head, description, pixels and times. ValueError: it is not sound."""
    if len(parts) < 4:
        raise ValueError(f"{len(parts)} parts")
    head, description, times = (json.loads(parts[i]) for i in (0, 1, 3))
    if head["htype"] != "dimage-1.0" or description["htype"] != "dimage_d-1.0" or \
            times["htype"] != "dconfig-1.0":
        raise ValueError("htype")
    if description["size"] != len(parts[2]):
        raise ValueError("size")
    dtype, (x, y) = np.dtype(description["type"]).newbyteorder("<"), description["shape"]
    encoding, blob = description["encoding"], parts[2]
    if encoding == "<":
        if len(blob) != x * y * dtype.itemsize:
            raise ValueError("length")
    elif encoding == "lz4<":
        blob = lz4_block(blob, x * y * dtype.itemsize)
    elif encoding == f"bs{8 * dtype.itemsize}-lz4<":
        blob = bslz4(blob, (y, x), dtype).tobytes()
    else:
        raise ValueError(encoding)
    return head, description, np.frombuffer(blob, dtype).reshape(y, x), times


def array_image(parts):
    if len(parts) != 2:
        raise ValueError(f"{len(parts)} parts")
    head = json.loads(parts[0])
    if head["htype"] != "array-1.0":
        raise ValueError("htype")
    dtype = np.dtype(head["type"]).newbyteorder("<")
    return head, np.frombuffer(parts[1], dtype).reshape(head["shape"])


def expected_array(pixels, dtype):
    """The counts of a Stream V2 image (uint32) as array-1.0 has them."""
    dtype = np.dtype(dtype)
    no_data = pixels == np.iinfo("u4").max
    if dtype.kind == "f":
        return np.where(no_data, np.nan, pixels).astype(dtype)
    limits = np.iinfo(dtype)
    mark = limits.max if dtype.kind == "u" else limits.min
    counts = np.minimum(pixels.astype("u8"), limits.max - 1).astype(dtype)
    return np.where(no_data, np.array(mark, dtype), counts)


class Stream1(unittest.TestCase):
    def test_every_type_and_encoding_holds_the_pixels_of_stream_v2(self):
        for dtype in ("uint8", "uint16", "uint32"):
            _, pixels = stream2_pixels(dtype)
            bits = 8 * np.dtype(dtype).itemsize
            for option, name in (("bslz4", f"bs{bits}-lz4<"), ("lz4", "lz4<"), ("none", "<")):
                with self.subTest(dtype=dtype, encoding=option):
                    run = Run("--protocol", "stream1", *FRAME, "--dtype", dtype, "--encoding",
                              option, "--series-id", "7")
                    self.check_images(run, dtype, name, pixels)

    def check_images(self, run, dtype, encoding, pixels):
        _, *images, end = run.messages
        self.assertEqual(json.loads(end[0]), {"htype": "dseries_end-1.0", "series": 7})
        self.assertEqual(len(end), 1)
        self.assertEqual(len(images), len(pixels))
        for k, parts in enumerate(images):
            head, description, got, times = stream1_image(parts)
            self.assertEqual(len(parts), 4)
            self.assertEqual((head["series"], head["frame"]), (7, k))
            self.assertEqual(head["hash"], hashlib.md5(parts[1] + parts[2]).hexdigest())
            self.assertEqual((description["type"], description["encoding"]), (dtype, encoding))
            np.testing.assert_array_equal(got, pixels[k])
            self.assertEqual(times["start_time"], k * 1_000_000)
            self.assertEqual(times["stop_time"] - times["start_time"], times["real_time"])

    def test_a_large_detector_in_one_block(self):
        arguments = ("--detector", "eiger-4m", "--images", "2", "--distinct", "1", "--seed", "2",
                     "--header", "basic")
        run = Run("--protocol", "stream1", "--encoding", "lz4", *arguments)
        same = stream2.Run(*arguments)
        got = stream1_image(run.messages[1])[2]
        self.assertEqual(got.shape, (2167, 2070))
        np.testing.assert_array_equal(got, stream2.planes(same.decoded()[1])["threshold_1"])

    def test_the_header_says_what_stream_v2_says(self):
        start, _ = stream2_pixels("uint16")
        run = Run("--protocol", "stream1", *FRAME, "--appendix", '{"sample":"lysozymé"}')
        parts = run.messages[0]
        self.assertEqual(len(parts), 9)
        self.assertEqual(json.loads(parts[0]),
                         {"htype": "dheader-1.0", "series": 1, "header_detail": "all"})
        self.assertEqual(json.loads(parts[8]), {"sample": "lysozymé"})
        c = json.loads(parts[1])
        same = {"image_size_x": "x_pixels_in_detector", "image_size_y": "y_pixels_in_detector",
                "pixel_size_x": "x_pixel_size", "pixel_size_y": "y_pixel_size",
                "incident_wavelength": "wavelength", "incident_energy": "photon_energy",
                "detector_description": "description", "detector_serial_number": "detector_number",
                "saturation_value": "countrate_correction_count_cutoff",
                "flatfield_enabled": "flatfield_correction_applied",
                "pixel_mask_enabled": "pixel_mask_applied",
                "countrate_correction_enabled": "countrate_correction_applied",
                "virtual_pixel_interpolation_enabled": "virtual_pixel_correction_applied",
                **{k: k for k in ("count_time", "frame_time", "beam_center_x", "beam_center_y",
                                  "sensor_material", "sensor_thickness")}}
        for theirs, ours in same.items():
            self.assertEqual(c[ours], start[theirs], ours)
        self.assertEqual(c["nimages"] * c["ntrigger"], start["number_of_images"])
        self.assertEqual(c["threshold_energy"], start["threshold_energy"]["threshold_1"])
        self.assertEqual(c["detector_distance"], start["detector_translation"][2])
        self.assertEqual((c["bit_depth_image"], c["bit_depth_readout"]), (16, 16))
        self.assertAlmostEqual(c["detector_readout_time"], c["frame_time"] - c["count_time"])
        for axis, values in start["goniometer"].items():
            for key, value in values.items():
                self.assertEqual(c[f"{axis}_{key}"], value)
        shapes = {}
        for i, htype, dtype in ((2, "dflatfield-1.0", "<f4"), (4, "dpixelmask-1.0", "<u4"),
                                (6, "dcountrate_table-1.0", "<f4")):
            h = json.loads(parts[i])
            self.assertEqual((h["htype"], h["type"]), (htype, np.dtype(dtype).name))
            shapes[htype] = np.frombuffer(parts[i + 1], dtype).reshape(h["shape"][::-1])
        np.testing.assert_array_equal(shapes["dflatfield-1.0"],
                                      stream2.array(start["flatfield"]["threshold_1"]))
        np.testing.assert_array_equal(shapes["dpixelmask-1.0"],
                                      stream2.array(start["pixel_mask"]["threshold_1"]))
        table = stream2.typed(start["countrate_correction_lookup_table"], (4096,))
        np.testing.assert_array_equal(shapes["dcountrate_table-1.0"][:, 1], table)

    def test_details_and_appendices_are_parts(self):
        for detail, count in (("all", 8), ("basic", 2), ("none", 1)):
            for appendix in ((), ("--appendix", "more", "--image-appendix", "é")):
                with self.subTest(detail=detail, appendix=appendix):
                    run = Run("--protocol", "stream1", "--detector", "tiny", "--images", "2",
                              "--header", detail, *appendix)
                    header, image, *_ = run.messages
                    self.assertEqual(json.loads(header[0])["header_detail"], detail)
                    self.assertEqual(len(header), count + bool(appendix))
                    self.assertEqual(len(image), 4 + bool(appendix))
                    if appendix:
                        self.assertEqual((header[-1], image[-1].decode()), (b"more", "é"))

    def test_bursts_are_announced_as_triggers_and_come_with_pauses(self):
        run = Run("--protocol", "stream1", "--detector", "tiny", "--images", "30", "--burst", "10",
                  "--pause", "150", "--rate", "1000")
        c = json.loads(run.messages[0][1])
        self.assertEqual((c["nimages"], c["ntrigger"]), (10, 3))
        steps = np.diff(run.times[1:31])
        self.assertEqual([k for k, step in enumerate(steps) if step > 0.1], [9, 19])
        self.assertGreaterEqual(run.report["seconds"], 0.329)
        for images, expected in (("30", (7, 1)), ("14", (7, 2))):
            run = Run("--protocol", "stream1", "--detector", "tiny", "--images", images, "--burst",
                      "7", "--fault", f"number={images}")
            c = json.loads(run.messages[0][1])
            self.assertEqual(c["nimages"] * c["ntrigger"], int(images))
            self.assertTrue(images == "30" or (c["nimages"], c["ntrigger"]) == expected)

    def test_the_same_seed_sends_the_same_bytes(self):
        arguments = ("--protocol", "stream1", "--detector", "tiny", "--images", "40", "--fault",
                     "random=20%", "--fault", "late=5%:3", "--seed")
        one, two, other = (Run(*arguments, seed) for seed in ("3", "3", "4"))
        self.assertEqual(one.messages, two.messages)
        self.assertNotEqual(one.messages, other.messages)

    def test_a_replay_is_renumbered_and_all_else_stays(self):
        made = Run("--protocol", "stream1", "--detector", "tiny", "--images", "3", "--distinct",
                   "3", "--appendix", "a", "--image-appendix", "b", "--encoding", "lz4")
        with tempfile.TemporaryDirectory(prefix="sluice-replay-") as folder:
            for i, message in enumerate(made.messages):
                for p, part in enumerate(message):
                    with open(f"{folder}/{i:06}.part{p:02}", "wb") as f:
                        f.write(part)
            again = Run("--replay", folder, "--images", "8")
            series = Run("--replay", folder, "--images", "3", "--series", "2", "--series-id",
                         "40", "--protocol", "stream1")
        c = json.loads(again.messages[0][1])
        self.assertEqual(c["nimages"], 8)
        self.assertEqual(again.messages[0][2:], made.messages[0][2:])
        self.assertEqual(again.messages[-1], made.messages[-1])
        for k, parts in enumerate(again.messages[1:-1]):
            source = made.messages[1 + k % 3]
            self.assertEqual(json.loads(parts[0])["frame"], k)
            self.assertEqual(parts[1:], source[1:])
        self.assertEqual([json.loads(m[0])["series"] for m in series.messages],
                         [40] * 5 + [41] * 5)

    def test_the_report_says_what_arrived(self):
        for encoding in ("bslz4", "none"):
            with self.subTest(encoding):
                run = Run("--protocol", "stream1", "--detector", "tiny", "--images", "200",
                          "--encoding", encoding, "--series-id", "3", "--seed", "8", "--fault",
                          "early=3", "--fault", "foreign=100-104", "--fault", "restart=150",
                          "--fault", "lost=10-19,2%", "--fault", "doubled=30-32", "--fault",
                          "late=40:7", *sum((["--fault", f"{k}=5%"] for k in SPOILERS), []))
                self.check_counts(run)

    def check_counts(self, run):
        (sent,) = run.report["series"]
        faults, ids, others, bad, starts, ends = sent["faults"], [], [], 0, 0, 0
        for parts in run.messages:
            try:
                head = json.loads(parts[0])
                starts += head["htype"] == "dheader-1.0"
                ends += head["htype"] == "dseries_end-1.0"
                if head["htype"] != "dimage-1.0":
                    continue
                head, description, pixels, _ = stream1_image(parts)
                if description["shape"] != [64, 64] or description["type"] != "uint16":
                    raise ValueError("not this series'")
                (ids if head["series"] == 3 else others).append((head["series"], head["frame"]))
            except (ValueError, KeyError, TypeError):
                bad += 1
        self.assertEqual((starts, ends), (2, 1))
        self.assertEqual((sent["starts"], sent["ends"]), (2, 1))
        self.assertEqual(bad, sum(faults.get(k, 0) for k in SPOILERS))
        self.assertGreater(min(faults.get(k, 0) for k in SPOILERS), 0)
        self.assertEqual([o for o in others if o[0] == 2], [(2, 197), (2, 198), (2, 199)])
        self.assertEqual(len(others), faults["foreign"] + faults["early"])
        self.assertEqual(len(set(ids)), sent["distinct"])
        self.assertEqual(sent["images"], len(ids) + len(others) + bad)

    def test_messages_stay_whole_when_a_receiver_goes_away(self):
        context = zmq.Context()
        stays = context.socket(zmq.PULL)
        folder = tempfile.TemporaryDirectory(prefix="sluice-pull-")
        self.addCleanup(folder.cleanup)
        endpoint = f"ipc://{folder.name}/detector"
        process = subprocess.Popen(
            [SLUICE, "simulate", "--protocol", "stream1", "--detector", "eiger-500k", "--encoding",
             "none", "--header", "none", "--images", "300", "--linger", "5", "--endpoint",
             endpoint], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stays.connect(endpoint)
        count = 0
        while process.poll() is None or stays.poll(200):
            if count % 20 == 5 and count < 100:  # one more that takes little and leaves
                leaves = context.socket(zmq.PULL)
                leaves.connect(endpoint)
                leaves.poll(100)
                leaves.close()
            if stays.poll(100):
                parts = stays.recv_multipart()
                count += 1
                if json.loads(parts[0])["htype"] == "dimage-1.0":
                    self.assertEqual(stream1_image(parts)[2].shape, (514, 1030))
                    self.assertEqual(len(parts), 4)
        process.communicate()
        self.assertGreater(count, 100)
        stays.close()
        context.term()


class Array(unittest.TestCase):
    def test_all_ten_types_hold_the_pixels_of_stream_v2(self):
        _, pixels = stream2_pixels("uint32")
        for dtype in ALL_TYPES:
            with self.subTest(dtype):
                run = Run("--protocol", "array-1.0", *FRAME, "--dtype", dtype, "--first-frame",
                          "998")
                self.assertEqual(len(run.messages), len(pixels))
                for k, parts in enumerate(run.messages):
                    head, got = array_image(parts)
                    self.assertEqual((head["frame"], head["shape"], head["type"]),
                                     (998 + k, [256, 256], dtype))
                    self.assertEqual(head["timestamp"], k * 1_000_000)
                    np.testing.assert_array_equal(got, expected_array(pixels[k], dtype))

    def test_subscribers_miss_nothing(self):
        run = Run("--protocol", "array-1.0", "--socket", "pub", "--detector", "jungfrau-0.5m",
                  "--images", "200", "--dtype", "int16", kind=zmq.SUB)
        self.assertEqual([array_image(m)[0]["frame"] for m in run.messages], list(range(200)))

    def test_every_subscriber_gets_every_frame(self):
        context = zmq.Context()
        folder = tempfile.TemporaryDirectory(prefix="sluice-pub-")
        self.addCleanup(folder.cleanup)
        sockets = [context.socket(zmq.SUB) for _ in range(2)]
        for socket in sockets:
            socket.setsockopt(zmq.SUBSCRIBE, b"")
            socket.connect(f"ipc://{folder.name}/detector")
        process = subprocess.Popen(
            [SLUICE, "simulate", "--endpoint", f"ipc://{folder.name}/detector", "--protocol",
             "array-1.0", "--socket", "pub", "--detector", "tiny", "--images", "50",
             "--start-delay", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for socket in sockets:
            frames = []
            while len(frames) < 50 and socket.poll(60000):
                frames.append(json.loads(socket.recv_multipart()[0])["frame"])
            self.assertEqual(frames, list(range(50)))
            socket.close()
        out, log = process.communicate(timeout=60)
        self.assertEqual(json.loads(out)["receivers"], 2)
        self.assertNotIn("only a part", log)
        context.term()

    def test_a_slow_subscriber_is_waited_for(self):
        context = zmq.Context()
        socket = context.socket(zmq.SUB)
        socket.setsockopt(zmq.RCVHWM, 2)
        socket.setsockopt(zmq.RCVBUF, 100000)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        process = subprocess.Popen(
            [SLUICE, "simulate", "--connect", "--endpoint", f"tcp://127.0.0.1:{port}",
             "--protocol", "array-1.0", "--socket", "pub", "--detector", "jungfrau-0.5m",
             "--images", "100"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        frames = []
        while socket.poll(60000 if len(frames) < 100 else 100):
            frames.append(json.loads(socket.recv_multipart()[0])["frame"])
            if len(frames) == 1:
                time.sleep(1)
        report = json.loads(process.communicate(timeout=30)[0])
        self.assertEqual(frames, list(range(100)))
        self.assertGreater(report["blocked_seconds"], 0.5)
        socket.close()
        context.term()

    def test_a_new_shape_and_a_new_type_are_whole_frames(self):
        run = Run("--protocol", "array-1.0", "--detector", "tiny", "--images", "30", "--fault",
                  "reshape=10", "--fault", "retype=20")
        forms = [(tuple(h["shape"]), h["type"]) for h, _ in map(array_image, run.messages)]
        self.assertEqual(forms, [((64, 64), "uint16")] * 10 + [((63, 64), "uint16")] * 10 +
                         [((63, 64), "int16")] * 10)
        faults = run.report["series"][0]["faults"]
        self.assertEqual((faults["reshape"], faults["retype"]), (20, 10))

    def test_the_report_says_what_arrived(self):
        run = Run("--protocol", "array-1.0", "--detector", "tiny", "--images", "300", "--seed",
                  "5", "--first-frame", "1000", "--fault", "reorder=10", "--fault", "lost=2%",
                  "--fault", "doubled=3%", *sum((["--fault", f"{k}=4%"] for k in SPOILERS), []))
        (sent,) = run.report["series"]
        frames, bad = [], 0
        for parts in run.messages:
            try:
                head, _ = array_image(parts)
                frames.append(head["frame"] - 1000)
            except (ValueError, KeyError, TypeError):
                bad += 1
        self.assertEqual(bad, sum(sent["faults"].get(k, 0) for k in SPOILERS))
        self.assertEqual(sent["images"], len(frames) + bad)
        self.assertEqual(sent["distinct"], len(set(frames)))
        self.assertEqual(sent["first_id"], frames[0])
        self.assertEqual(sent["before_first"], sum(f < frames[0] for f in frames))

    def test_series_are_apart_in_time(self):
        run = Run("--protocol", "array-1.0", "--detector", "tiny", "--images", "3", "--series",
                  "2", "--series-pause", "0.7")
        self.assertEqual([json.loads(m[0])["frame"] for m in run.messages], [0, 1, 2] * 2)
        self.assertGreater(run.times[3] - run.times[2], 0.5)


class CommandLine(unittest.TestCase):
    def test_what_a_protocol_does_not_have_is_refused(self):
        general = ("--endpoint", "tcp://127.0.0.1:*", "--detector", "tiny")
        for protocol, arguments, word in [
                ("stream2", ("--dtype", "int16"), "--dtype"),
                ("stream1", ("--dtype", "float32"), "--dtype"),
                ("stream1", ("--channels", "2"), "--channels"),
                ("stream1", ("--untagged",), "--untagged"),
                ("stream1", ("--fault", "reshape=3"), "array-1.0"),
                ("stream2", ("--header", "none"), "--header"),
                ("stream2", ("--appendix", "x"), "--appendix"),
                ("stream2", ("--first-frame", "3"), "--first-frame"),
                ("array-1.0", ("--encoding", "lz4"), "--encoding"),
                ("array-1.0", ("--header", "all"), "--header"),
                ("array-1.0", ("--fault", "foreign=3"), "foreign"),
                ("stream2", ("--rotation", "5"), "START:INCREMENT"),
                ("stream2", ("--pause", "5"), "--burst"),
                ("stream2", ("--socket", "req"), "push or pub")]:
            with self.subTest(protocol=protocol, arguments=arguments):
                result = subprocess.run([SLUICE, "simulate", "--protocol", protocol, *general,
                                         *arguments], capture_output=True, text=True, timeout=60)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertIn(word, result.stderr)

    def test_a_replay_of_another_protocol_is_refused(self):
        with tempfile.TemporaryDirectory(prefix="sluice-replay-") as folder:
            with open(os.path.join(folder, "000000.cbor"), "wb") as f:
                f.write(cbor2.dumps({"type": "image", "series_id": 1, "image_id": 0}))
            result = subprocess.run(
                [SLUICE, "simulate", "--endpoint", "tcp://127.0.0.1:*", "--replay", folder,
                 "--protocol", "stream1"], capture_output=True, text=True, timeout=60)
        self.assertEqual(result.returncode, 2)
        self.assertIn("stream2", result.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)

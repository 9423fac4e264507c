# SPDX-License-Identifier: Apache-2.0
"""array-1.0 through real sockets: all ten types, PULL and SUB, connecting and bound, pixel for
pixel; where acquisitions begin and end; frames that are lost, doubled, late, damaged or of a counter
that restarts, counted by the rules; statistics of growing files."""
import calendar
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import stream1  # noqa: E402
import zmq  # noqa: E402

TYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float32",
         "float64"]
DETECTOR = "/entry/instrument/detector"
SOON = "source.idle_timeout_ms=200"


def pixels(dtype, seed, shape=(11, 13)):
    """Every value of the type may occur; floats have NaN and infinities."""
    rng = np.random.default_rng([seed, TYPES.index(dtype)])
    if np.dtype(dtype).kind == "f":
        p = rng.normal(0, 100, shape).astype(dtype)
        p.flat[:3] = [np.nan, np.inf, -np.inf]
        return p
    info = np.iinfo(dtype)
    p = rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    p.flat[:3] = [info.min, info.max, 0]
    return p


def small(value, shape=(3, 5), dtype="uint16"):
    return np.full(shape, value, dtype)


def same(a, b):
    """Bit for bit: NaN too."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


class Sender:
    """A PUSH or a publisher. XPUB is a PUB that tells when somebody has subscribed."""

    def __init__(self, kind=zmq.PUSH, connect=None, high_water=1000):
        self.context = zmq.Context()
        self.socket = self.context.socket(kind)
        self.socket.setsockopt(zmq.LINGER, 5000)
        self.socket.setsockopt(zmq.SNDTIMEO, 20000)
        self.socket.setsockopt(zmq.RCVTIMEO, 20000)
        self.socket.setsockopt(zmq.SNDHWM, high_water)
        if connect:
            self.socket.connect(connect)
        else:
            port = self.socket.bind_to_random_port("tcp://127.0.0.1")
            self.endpoint = f"tcp://127.0.0.1:{port}"

    def wait_subscriber(self):
        message = self.socket.recv()
        assert message[:1] == b"\x01", message
        return message[1:]

    def close(self):
        self.socket.close()
        self.context.term()


class Array(e2e.Case):
    def send(self, *frames, shape=(3, 5), dtype="uint16", **more):
        """Frames with their number as every pixel."""
        for k in frames:
            self.detector.send(e2e.array_image(k, small(k, shape, dtype), **more))

    def sender(self, *arguments, **more):
        s = Sender(*arguments, **more)
        self._open.append(s)
        return s

    def values(self, summary):
        """The first pixel of each row, None where the row is a gap."""
        got = []
        for path in summary["files"]:
            with h5py.File(path, "r") as f:
                rows, states = f["/entry/data/data"][()], f["/entry/data/frame_status"][()]
                for row, state in zip(rows, states):
                    self.assertTrue((row == row.flat[0]).all())
                    if state != 1:
                        self.assertEqual(row.flat[0], e2e.no_data(row.dtype))
                    got.append(int(row.flat[0]) if state == 1 else None)
        return got

    def finish(self, ingest, code=0):
        self.assertEqual(ingest.wait(), code, "".join(ingest.log))
        return ingest.summaries

    # ---- all types, all sockets ----

    def check_types(self, sender, ingest):
        """Ten types one after the other: each change opens an acquisition."""
        images = {t: [pixels(t, k) for k in range(4)] for t in TYPES}
        for n, dtype in enumerate(TYPES):
            for k, p in enumerate(images[dtype]):
                sender.socket.send_multipart(e2e.array_image(1000 * n + k, p))
        summaries = self.finish(ingest)
        self.assertEqual(len(summaries), len(TYPES))
        for dtype, summary in zip(TYPES, summaries):
            last = dtype == TYPES[-1]
            self.assert_counts(summary, expected=4, received=4, written=4, state="done",
                               ended_by="idle" if last else "new_start")
            want = np.stack(images[dtype])
            self.assertTrue(same(e2e.Files(summary).images["data"], want), dtype)
            with h5py.File(summary["files"][0], "r") as f:
                d = f["/entry/data/data"]
                self.assertEqual((d.compression, d.chunks), (None, (1, 11, 13)))
                self.assertTrue(same(np.array(d.fillvalue), np.array(e2e.no_data(dtype), dtype))
                                or np.isnan(d.fillvalue), dtype)
            for path, name in ((summary["master"], "images"),
                               (summary["master"].replace("_master.h5", ".nxs"), "data")):
                with h5py.File(path, "r") as f:
                    d = f["/entry/data/" + name]
                    self.assertTrue(same(d[()], want), dtype)
                    bits = np.dtype(dtype).itemsize * 8
                    self.assertEqual(f[DETECTOR + "/bit_depth_image"][()], bits)
                    self.assertEqual(f[DETECTOR + "/bit_depth_readout"][()], bits)
                    self.assertEqual(f[DETECTOR + "/pixel_mask"].shape, (11, 13))
        return images, summaries

    def test_all_types_pulled_connecting(self):
        sender = self.sender()
        ingest = self.ingest(10, [SOON], endpoint=sender.endpoint)
        images, summaries = self.check_types(sender, ingest)
        for dtype, summary in zip(TYPES, summaries):  # and what `sluice stats` says of them
            done = subprocess.run([e2e.SLUICE, "stats", summary["master"], "--json"],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            for line, p in zip(map(json.loads, done.stdout.splitlines()), images[dtype]):
                self.check_stats(line, p)

    def test_all_types_pulled_bound(self):
        ingest = self.ingest(10, [SOON, "source.mode=bind"], endpoint="tcp://127.0.0.1:*")
        self.check_types(self.sender(connect=ingest.bound_to()), ingest)

    def test_all_types_subscribed_connecting(self):
        sender = self.sender(zmq.XPUB)
        ingest = self.ingest(10, [SOON, "source.socket=sub"], endpoint=sender.endpoint)
        self.assertEqual(sender.wait_subscriber(), b"")
        self.check_types(sender, ingest)

    def test_all_types_subscribed_bound(self):
        ingest = self.ingest(10, [SOON, "source.socket=sub", "source.mode=bind",
                                  "source.protocol=array-1.0"], endpoint="tcp://127.0.0.1:*")
        sender = self.sender(zmq.XPUB, connect=ingest.bound_to())
        sender.wait_subscriber()
        self.check_types(sender, ingest)

    def test_odd_shapes_and_further_keys(self):
        for n, shape in enumerate([(1, 1), (1, 7), (9, 1), (3, 5), (64, 64), (31, 1171)]):
            rng = np.random.default_rng(n)
            sent = [rng.integers(0, 65535, shape, dtype="uint16") for _ in range(3)]
            ingest = self.ingest(settings=["source.images_per_series=3"])
            for k, p in enumerate(sent):
                self.detector.send(e2e.array_image(k, p, pulse_id=7000 + k, who="M\u00fcller"))
            (summary,) = self.finish(ingest)
            self.assert_counts(summary, expected=3, written=3, ended_by="end")
            files = e2e.Files(summary)
            self.assertTrue(same(files.images["data"], np.stack(sent)))
            self.assertEqual([json.loads(x) for x in files.columns["user_data"]],
                             [{"pulse_id": 7000 + k, "who": "M\u00fcller"} for k in range(3)])
            with h5py.File(summary["master"], "r") as f:
                header = json.loads(f[DETECTOR + "/detectorSpecific/start_message"][()])
                self.assertEqual((header["frame"], header["shape"]), (0, list(shape)))

    # ---- where acquisitions begin and end ----

    def test_idle_time_closes_and_the_next_frame_opens(self):
        """Two seconds when nothing is said; each acquisition counts from its own first frame."""
        ingest = self.ingest(2)
        begin = time.time()
        self.send(500, 501, 502)
        ingest.wait_summaries(1)
        self.assertTrue(1.9 < time.time() - begin < 6)
        self.send(7, 9)
        first, second = self.finish(ingest, 3)
        self.assert_counts(first, expected=3, written=3, ended_by="idle", state="done")
        self.assert_counts(second, expected=3, written=2, ended_by="idle", lost_ranges=[[1, 1]])
        self.assertEqual((self.values(first), self.values(second)),
                         ([500, 501, 502], [7, None, 9]))
        self.assertFalse(ingest.said("_nostart"))
        for s in (first, second):  # $id is the opening time (UTC)
            stamp = re.search(r"/series_(\d{14})_master.h5$", s["master"]).group(1)
            self.assertEqual(str(s["series_id"]), stamp)
            opened = calendar.timegm(time.strptime(stamp, "%Y%m%d%H%M%S"))
            self.assertLess(abs(opened - begin), 20)

    def test_idle_time_can_be_turned_off(self):
        ingest = self.ingest(settings=["source.idle_timeout_ms=0"])
        self.send(0)
        ingest.wait_counter("writer_images_visible", 1)
        time.sleep(2.5)
        self.send(1)
        ingest.wait_counter("writer_images_visible", 2)
        self.assertEqual(ingest.summaries, [])
        ingest.signal()
        (summary,) = self.finish(ingest)
        self.assert_counts(summary, expected=2, written=2, ended_by="stop")

    def test_another_shape_opens_an_acquisition(self):
        ingest = self.ingest(3, [SOON])
        self.send(0, 1)
        self.send(2, 3, 4, shape=(4, 4))
        self.send(0, 1, shape=(3, 5))
        summaries = self.finish(ingest)
        self.assertEqual([s["images_written"] for s in summaries], [2, 3, 2])
        self.assertEqual([s["ended_by"] for s in summaries], ["new_start", "new_start", "idle"])
        self.assertEqual([self.values(s) for s in summaries], [[0, 1], [2, 3, 4], [0, 1]])
        names = {s["master"] for s in summaries}
        self.assertEqual(len(names), 3)  # within one second: _2, _3
        for s in summaries:
            self.assert_counts(s)

    def test_the_count_closes_and_a_running_counter_goes_on(self):
        """Lost, doubled and late frames at the boundaries move no image to another acquisition."""
        ingest = self.ingest(4, ["source.images_per_series=5"])
        self.send(10, 11, 14, 12, 13)
        self.send(14, 13)  # doubled, after its acquisition is complete
        self.send(15, 16, 18, 19)  # 17 is lost
        self.send(20, 17, 22, 22, 21, 23, 24)  # 17 is too late, 22 comes twice and before 21
        self.send(25, 26, 27, 28, 29)
        a, b, c, d = self.finish(ingest, 3)
        self.assert_counts(a, expected=5, written=5, received=5, ended_by="end")
        self.assert_counts(b, expected=5, written=4, lost_ranges=[[2, 2]], ended_by="end")
        self.assert_counts(c, expected=5, written=5, received=7, refused=1, duplicate=1,
                           ended_by="end")
        self.assert_counts(d, expected=5, written=5, ended_by="end")
        self.assertEqual(self.values(b), [15, 16, None, 18, 19])
        self.assertEqual(self.values(c), [20, 21, 22, 23, 24])
        self.assertEqual(self.values(d), [25, 26, 27, 28, 29])

    def test_the_count_closes_and_the_counter_restarts(self):
        ingest = self.ingest(3, ["source.images_per_series=4"])
        for _ in range(3):
            self.send(0, 1, 3, 2)
        for s in self.finish(ingest):
            self.assert_counts(s, expected=4, written=4, received=4, ended_by="end")
            self.assertEqual(self.values(s), [0, 1, 2, 3])

    def test_acquisitions_of_one_image(self):
        ingest = self.ingest(6, ["source.images_per_series=1"])
        self.send(5, 6, 0, 0, 0, 9)
        summaries = self.finish(ingest)
        for s in summaries:
            self.assert_counts(s, expected=1, written=1, received=1, ended_by="end")
        self.assertEqual([self.values(s) for s in summaries], [[5], [6], [0], [0], [0], [9]])

    def test_the_count_with_a_full_ring(self):
        """Images that were dropped count as come: the acquisition ends, the next one is whole."""
        ingest = self.ingest(2, ["source.images_per_series=40", "ring.slots=1",
                                 "ring.overflow=drop"])
        shape = (1024, 1024)
        self.send(*range(40), shape=shape)
        ingest.wait_summaries(1)
        for k in range(40):
            self.send(k, shape=shape)
            time.sleep(0.02)
        self.assertEqual(ingest.wait(), 3)
        first, second = ingest.summaries
        self.assert_counts(first, expected=40, received=40, ended_by="end")
        self.assertEqual(first["images_dropped"], first["images_lost"])
        self.assert_counts(second, expected=40, received=40, ended_by="end")

    def test_fewer_than_the_count_are_lost_images(self):
        ingest = self.ingest(1, ["source.images_per_series=10", SOON])
        self.send(0, 1, 2)
        (summary,) = self.finish(ingest, 3)
        self.assert_counts(summary, expected=10, written=3, lost_ranges=[[3, 9]], ended_by="idle")

    def test_a_stop_in_the_middle(self):
        ingest = self.ingest(0)
        self.send(*range(20))
        ingest.wait_counter("source_images", 20)
        ingest.signal()
        (summary,) = self.finish(ingest)
        self.assert_counts(summary, expected=20, written=20, ended_by="stop")

    # ---- what goes wrong ----

    def test_lost_doubled_late_and_earlier_frames(self):
        ingest = self.ingest(1, [SOON, "writer.images_per_file=4"])
        self.send(100, 103, 101, 101, 99, 5, 108, 106, 100)
        (summary,) = self.finish(ingest, 3)
        self.assert_counts(summary, expected=9, received=9, written=5, duplicate=2, refused=2,
                           lost_ranges=[[2, 2], [4, 5], [7, 7]])
        self.assertEqual(self.values(summary), [100, 101, None, 103, None, None, 106, None, 108])
        self.assertTrue(ingest.said("frame 99 is before the first one of the open acquisition, 100"))

    def test_a_counter_that_jumps_far_is_refused(self):
        ingest = self.ingest(1, [SOON, "source.id_jump_max=1000"])
        self.send(100, 101)
        self.detector.send(e2e.array_image(2 ** 62, small(1)), e2e.array_image(1102, small(1)))
        self.send(102)
        (summary,) = self.finish(ingest, 3)
        self.assert_counts(summary, expected=3, written=3, received=5, refused=2)
        self.assertEqual(self.values(summary), [100, 101, 102])

    def test_a_damaged_counter_moves_nothing(self):
        ingest = self.ingest(1, ["source.id_jump_max=1000", "source.images_per_series=4"])
        self.send(100, 101)
        self.detector.send(e2e.array_image(2 ** 62, small(1)), e2e.array_image(1102, small(1)))
        self.send(102, 103)
        (summary,) = self.finish(ingest, 3)
        self.assert_counts(summary, expected=4, written=4, received=6, refused=2, ended_by="end")
        self.assertEqual(self.values(summary), [100, 101, 102, 103])

    def test_a_counter_that_restarts_at_once_is_said(self):
        ingest = self.ingest(1, [SOON])
        self.send(*range(20))
        self.send(*range(20))
        (summary,) = self.finish(ingest)
        self.assert_counts(summary, expected=20, written=20, duplicate=20)
        self.assertTrue(ingest.said("the frame counter went back from 19 to"))

    def test_a_counter_that_restarts_below_the_first_frame_costs_the_idle_time_only(self):
        ingest = self.ingest(2, [SOON])
        self.send(1000, 1001)
        for k in range(60):  # 0.6 s: frames before the first are no life sign of it
            self.send(k)
            time.sleep(0.01)
        first, second = self.finish(ingest, 3)
        self.assert_counts(first, expected=2, written=2, ended_by="idle")
        self.assertGreater(first["images_refused"], 5)
        self.assert_counts(second, lost=0, ended_by="idle")
        self.assertEqual(second["images_written"] + first["images_refused"], 60)

    def test_damaged_messages_are_refused_and_the_acquisition_goes_on(self):
        good, p = e2e.array_image(3, small(3)), small(0)
        bad = [
            e2e.array_image(1, p, shape=[3, 6]), e2e.array_image(2, p, type="uint32"),
            e2e.array_image(4, p, type="complex64"), e2e.array_image(5, p, shape=[65536, 65536]),
            [good[0]], [good[0], good[1], b""], [good[0], good[1][:-1]], [good[0], b""],
            e2e.array_image(-1, p), e2e.array_image("6", p), [good[0][:-1], good[1]],
            [b"\xff" + good[0], good[1]], [b"{}", good[1]], [b"", b""],
            e2e.array_image(7, p, htype="array-2.0"), [b"x" * 40] * 20,
        ]
        for protocol in ("auto", "array-1.0"):
            with self.subTest(protocol=protocol):
                ingest = self.ingest(1, [SOON, f"source.protocol={protocol}"])
                self.send(0)
                self.detector.send(*bad)
                self.send(8)
                (summary,) = self.finish(ingest, 3)
                self.assert_counts(summary, expected=9, written=2, received=2 + len(bad),
                                   refused=len(bad))
                with h5py.File(summary["files"][0], "r") as f:
                    states = f["/entry/data/frame_status"][()].tolist()
                self.assertEqual(states, [1, 3, 3, 3, 3, 3, 2, 3, 1])  # 6 was a text

    def test_what_cannot_open_an_acquisition_is_refused_and_shows_in_the_exit_code(self):
        ingest = self.ingest(1, [SOON, "source.protocol=array-1.0"])
        self.detector.send(e2e.array_image(0, small(0), shape=[9, 9]), [b"{}", b""], b"hello")
        self.send(5, 6)
        (summary,) = self.finish(ingest, 3)
        self.assert_counts(summary, expected=2, written=2, received=2, refused=0)
        self.assertEqual(self.values(summary), [5, 6])

    def test_auto_tells_array_from_stream2_between_series_and_within(self):
        shape = (3, 5)
        ingest = self.ingest(3, [SOON])
        self.send(40, 41)
        ingest.wait_summaries(1)
        self.detector.send(e2e.start(shape, "u2", 2), e2e.image(0, {"threshold_1": small(0)}))
        self.send(42)  # refused: a series of another protocol is open
        self.detector.send(e2e.image(1, {"threshold_1": small(1)}), e2e.end())
        self.send(42, 43)
        a, b, c = self.finish(ingest, 3)
        self.assert_counts(a, expected=2, written=2, ended_by="idle")
        self.assert_counts(b, expected=2, written=2, refused=1, ended_by="end")
        self.assert_counts(c, expected=2, written=2, ended_by="idle")
        self.assertEqual([self.values(s) for s in (a, b, c)], [[40, 41], [0, 1], [42, 43]])

    def test_a_stream_whose_start_was_missed_gets_in_after_the_idle_time(self):
        """Its images are refused while the acquisition is open, but do not keep it open."""
        ingest = self.ingest(2, [SOON])
        self.send(40, 41)
        for i in range(100):  # without a pause of the idle time
            self.detector.send(stream1.image(i, small(i), 7, "<"))
            time.sleep(0.02)
        self.detector.send(stream1.end(7))
        a, b = self.finish(ingest, 3)
        self.assert_counts(a, expected=2, written=2, ended_by="idle")
        self.assert_counts(b, series_id=7, expected=100, ended_by="end")
        self.assertGreater(a["images_refused"], 0)
        self.assertEqual(b["images_written"], 100 - a["images_refused"])

    def test_a_number_beyond_64_bits_of_sign_costs_no_image(self):
        ingest = self.ingest(1, [SOON])
        for i in (5, 6):
            self.detector.send(e2e.array_image(i, small(i), bunchid=2 ** 64 - 1))
        (summary,) = self.finish(ingest)
        self.assert_counts(summary, expected=2, written=2, refused=0)
        cell = e2e.Files(summary).columns["user_data"][1]
        self.assertEqual(json.loads(cell)["bunchid"], 2 ** 64 - 1)
        self.assertEqual(json.loads(cell)["frame"], 6)

    def test_a_start_of_stream2_ends_an_acquisition(self):
        ingest = self.ingest(2, [SOON])
        self.send(0, 1)
        self.detector.send(e2e.start((3, 5), "u2", 1), e2e.image(0, {"threshold_1": small(9)}),
                           e2e.end())
        a, b = self.finish(ingest)
        self.assert_counts(a, expected=2, written=2, ended_by="new_start")
        self.assert_counts(b, expected=1, written=1, ended_by="end")

    def test_a_series_of_stream2_in_between_leaves_nothing_behind(self):
        """Frame 1 would be a doubled one, had nothing else come since its acquisition was full."""
        ingest = self.ingest(3, ["source.images_per_series=2"])
        self.send(0, 1)
        self.detector.send(e2e.start((3, 5), "u2", 1), e2e.image(0, {"threshold_1": small(9)}),
                           e2e.end())
        self.send(1, 2)
        a, b, c = self.finish(ingest)
        self.assertEqual([self.values(s) for s in (a, b, c)], [[0, 1], [9], [1, 2]])
        self.assert_counts(c, expected=2, written=2, received=2, ended_by="end")

    # ---- subscribing ----

    def test_a_topic_selects_and_may_be_a_part_of_its_own(self):
        sender = self.sender(zmq.XPUB)
        ingest = self.ingest(1, [SOON, "source.socket=sub", "source.topic=cam1"],
                             endpoint=sender.endpoint)
        self.assertEqual(sender.wait_subscriber(), b"cam1")
        for k in range(5):
            for topic in (b"cam1", b"cam2", b"cam1/raw"):
                value = k + 100 * (topic == b"cam2")
                if topic != b"cam1/raw" or k == 4:
                    sender.socket.send_multipart([topic, *e2e.array_image(k, small(value))])
        (summary,) = self.finish(ingest)
        self.assert_counts(summary, expected=5, written=5, received=6, duplicate=1)
        self.assertEqual(self.values(summary), [0, 1, 2, 3, 4])

    def test_what_a_publisher_threw_away_is_lost_by_number(self):
        """The publisher keeps few messages, and we do not take any for a while."""
        sender = self.sender(zmq.XPUB, high_water=3)
        ingest = self.ingest(1, [SOON, "source.socket=sub", "source.receive_hwm=2",
                                 "source.idle_timeout_ms=1500"], endpoint=sender.endpoint)
        sender.wait_subscriber()
        shape, count = (1024, 1024), 60
        sender.socket.send_multipart(e2e.array_image(0, small(0, shape)))
        ingest.wait_counter("writer_images_visible", 1)
        ingest.signal(signal.SIGSTOP)
        for k in range(1, count):
            sender.socket.send_multipart(e2e.array_image(k, small(k, shape)))
        ingest.signal(signal.SIGCONT)
        time.sleep(0.5)
        sender.socket.send_multipart(e2e.array_image(count, small(count, shape)))
        (summary,) = self.finish(ingest, 3)
        self.assert_counts(summary, expected=count + 1, duplicate=0, refused=0)
        self.assertGreater(summary["images_lost"], 5)
        got = self.values(summary)
        self.assertEqual(len(got), count + 1)
        gone = [k for a, b in summary["lost_ranges"] for k in range(a, b + 1)]
        self.assertEqual(got, [None if k in gone else k for k in range(count + 1)])

    def test_a_publisher_is_no_sender_to_pull_from(self):
        sender = self.sender(zmq.XPUB)
        ingest = self.ingest(1, endpoint=sender.endpoint)
        ingest.wait_said("source.socket (pull wants a PUSH, sub a PUB)")
        ingest.signal()
        ingest.wait()

    def test_a_topic_without_sub_is_a_configuration_error(self):
        ingest = self.ingest(settings=["source.topic=x"], wait_ready=False)
        self.assertEqual(ingest.wait(), 2)
        self.assertTrue(ingest.said("source.topic is only for source.socket: sub"))

    # ---- statistics ----

    def check_stats(self, line, p):
        """One line of `sluice stats --json` against numpy."""
        real = p.dtype.kind == "f"
        valid = np.isfinite(p) if real else p != e2e.no_data(p.dtype)
        v = p[valid]
        self.assertEqual((line["invalid"], line["zero"]), (int((~valid).sum()), int((v == 0).sum())))
        self.assertEqual((line["min"], line["max"]), (v.min().item(), v.max().item()))
        self.assertIsNone(line["saturated"])
        if real:
            total = float(v.astype(np.longdouble).sum())
            self.assertAlmostEqual(line["sum"], total, delta=1e-9 * abs(v).sum())
            self.assertAlmostEqual(line["std"], float(v.astype(np.longdouble).std()), 6)
            return
        values = [int(x) for x in v]
        n, total = len(values), sum(values)
        squares = sum(x * x for x in values)
        self.assertEqual(line["sum"], total)
        self.assertAlmostEqual(line["mean"] / (total / n), 1, 12)
        variance = (n * squares - total * total) / (n * n)
        self.assertAlmostEqual(line["std"] / variance ** .5, 1, 12)

    def test_growing_files_of_every_type_are_followed(self):
        ingest = self.ingest(0, ["source.idle_timeout_ms=0", "writer.name=run"])
        for n, dtype in enumerate(TYPES):
            name = "run" + (f"_{n + 1}" if n else "")
            self.detector.send(e2e.array_image(0, pixels(dtype, 0)))
            ingest.wait_counter("writer_images_visible", 5 * n + 1)
            stats = subprocess.Popen(
                [e2e.SLUICE, "stats", f"{self.directory}/{name}_master.h5", "--json", "--follow"],
                stdout=subprocess.PIPE, text=True)
            try:
                for k in range(5):  # each one is read before the next one is sent
                    if k:
                        self.detector.send(e2e.array_image(k, pixels(dtype, k)))
                    line = json.loads(stats.stdout.readline())
                    self.assertEqual(line["image"], k)
                    self.check_stats(line, pixels(dtype, k))
                    self.assertIsNotNone(line["latency_ms"])
            finally:
                stats.kill()
                stats.communicate()
        ingest.signal()
        self.assertEqual(len(self.finish(ingest)), len(TYPES))


if __name__ == "__main__":
    e2e.main()

# SPDX-License-Identifier: Apache-2.0
"""Running it from outside: what a beamline's control program does through HTTP (arm, wait, watch,
stop, read), what it is told before the first image, when it is refused and why, the events, and the
counters as Prometheus reads them."""
import json
import os
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import http_client  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (24, 32)
ROOM = ["writer.free_space_alarm_bytes=0"]


def pixels(image_id):
    return np.random.default_rng(image_id).poisson(5, SHAPE).astype("u2")


class Http(e2e.Case):
    def surface(self, series=None, settings=(), **more):
        ingest = self.ingest(series, ["http.listen=127.0.0.1:0", *ROOM, *settings], **more)
        url = ingest.wait_said("HTTP on").split("HTTP on ")[1].split(",")[0].strip()
        return ingest, http_client.Client(url)

    def send(self, ids, number=1, announced=None, start=True, end=True):
        who = {"series_id": number, "unique_id": f"series-{number}"}
        ids = list(ids)
        if start:
            self.detector.send(e2e.start(SHAPE, "u2", announced or len(ids), **who))
        for i in ids:
            self.detector.send(e2e.image(i, {"threshold_1": pixels(i)}, **who))
        if end:
            self.detector.send(e2e.end(number, who["unique_id"]))

    def assert_refused(self, answer, code, reason, *words):
        self.assertEqual((answer[0], answer[1].get("reason")), (code, reason), answer)
        for word in words:
            self.assertIn(word, answer[1]["error"])


class Bluesky(Http):
    """The order of ophyd-async's Odin logic."""

    def test_prepare_arm_watch_stop_read(self):
        _, client = self.surface()
        idle = client.status()
        self.assertEqual((idle["state"], idle["writing"], idle["frames_written"]),
                         ("idle", False, 0))
        # prepare: where it goes and what it is are known before the detector says anything
        code, armed = client.arm(file_path=f"{self.directory}/proposal/1", file_prefix="scan_0001",
                                 images=12, acquisition_id="7c1e", shape=list(SHAPE),
                                 dtype="uint16")
        self.assertEqual(code, 200, armed)
        want = {"state": "armed", "writing": True, "frames_written": 0, "frames_expected": 12,
                "acquisition_id": "7c1e", "file_prefix": "scan_0001", "shape": list(SHAPE),
                "chunk_shape": [1, *SHAPE], "dtype": "uint16", "dtype_numpy": "<u2",
                "dataset": "/entry/data/images"}
        self.assertEqual({k: armed[k] for k in want}, want)
        real = os.path.realpath(self.directory)
        self.assertEqual(armed["file_path"], f"{real}/proposal/1")
        self.assertEqual(armed["master"], f"{real}/proposal/1/scan_0001_master.h5")
        # it counts, and only what a reader can see
        self.send(range(4), announced=12, end=False)
        status = client.wait_status(lambda s: s["frames_written"] == 4)
        self.assertEqual((status["state"], status["writing"]), ("writing", True))
        with e2e.open_swmr(status["data_file"]) as f:
            self.assertEqual(list(f["/entry/data/image_id"][:4]), [1, 2, 3, 4])
        self.send(range(4, 12), announced=12, start=False, end=False)
        client.wait_status(lambda s: s["frames_written"] == 12)
        # unstage: stop, as often as one likes
        for _ in range(3):
            code, stopped = client.stop()
            self.assertEqual(code, 200)
            self.assertEqual((stopped["state"], stopped["writing"], stopped["frames_written"]),
                             ("done", False, 12))
        self.assertEqual(stopped["last_series"]["ended_by"], "stop")
        self.assertEqual(stopped["last_series"]["acquisition_id"], "7c1e")
        # the resource that was named at the beginning
        with h5py.File(armed["master"], "r") as f:
            images = f[armed["dataset"]]
            self.assertEqual((images.shape, images.dtype.str), ((12, *SHAPE), armed["dtype_numpy"]))
            for i in range(12):
                np.testing.assert_array_equal(images[i], pixels(i))
        with h5py.File(status["data_file"], "r") as f:
            data = f[status["channels"][0]["data_dataset"]]
            self.assertEqual(list(data.chunks), armed["chunk_shape"])

    def test_frames_written_resets_on_arm(self):
        _, client = self.surface()
        for number in (1, 2):
            code, armed = client.arm(name=f"scan_{number}")
            self.assertEqual((code, armed["frames_written"], armed["series_id"]), (200, 0, None))
            self.send(range(3 * number), number)
            done = client.wait_status(lambda s: s["state"] == "done")
            self.assertEqual((done["frames_written"], done["writing"]), (3 * number, False))
            self.assertEqual(done["file_prefix"], f"scan_{number}")

    def test_the_start_message_tells_what_the_arm_did_not(self):
        _, client = self.surface()
        self.assertIsNone(client.arm(name="x")[1]["shape"])
        self.send([], announced=9, end=False)
        status = client.wait_status(lambda s: s["state"] == "writing")
        self.assertEqual((status["shape"], status["dtype"], status["frames_expected"]),
                         (list(SHAPE), "uint16", 9))
        self.assertEqual(status["frames_written"], 0)
        self.assertEqual(status["channels"],
                         [{"name": "threshold_1", "data_dataset": "/entry/data/data"}])

    def test_without_an_arm_series_are_written_as_configured(self):
        _, client = self.surface(settings=["writer.name=auto_$id"])
        self.send(range(3), 5)
        done = client.wait_status(lambda s: s["state"] == "done")
        self.assertEqual((done["file_prefix"], done["series_id"], done["frames_written"]),
                         ("auto_5", 5, 3))
        self.assertIsNone(done["acquisition_id"])

    def test_a_stop_before_the_first_image_disarms(self):
        _, client = self.surface()
        self.assertEqual(client.arm(name="never")[0], 200)
        code, status = client.stop()
        self.assertEqual((code, status["state"], status["writing"]), (200, "idle", False))
        self.assertIsNone(status["file_prefix"])
        self.send(range(2), 3)
        self.assertEqual(client.wait_status(lambda s: s["state"] == "done")["file_prefix"],
                         "series_3")

    def test_ingest_goes_on_after_a_stop_and_late_images_are_foreign(self):
        ingest, client = self.surface()
        client.arm(name="first", images=100)
        self.send(range(10), announced=100, end=False)
        client.wait_status(lambda s: s["frames_written"] == 10)
        code, status = client.stop()
        self.assertEqual(code, 200)
        self.assertEqual(status["last_series"]["images_lost"], 90)
        self.send(range(10, 15), start=False)  # the detector has not heard of it
        ingest.wait_counter("source_foreign", 5)
        self.assertEqual(client.arm(name="second")[0], 200)
        self.send(range(4), 2)
        done = client.wait_status(lambda s: s["state"] == "done")
        self.assertEqual((done["file_prefix"], done["frames_written"]), ("second", 4))

    def test_stop_says_202_when_its_time_is_over_and_the_draining_goes_on(self):
        slow = os.environ.get("SLUICE_SLOW_SYNC", "")
        if not os.path.exists(slow):
            self.skipTest("tests/slow_sync.so is not built (SLUICE_SLOW_SYNC)")
        hold = f"{self.directory}/hold"
        _, client = self.surface(settings=["writer.durable=close"],
                                 env={**os.environ, "LD_PRELOAD": slow, "SLUICE_TEST_HOLD": hold})
        client.arm(name="slow")
        self.send(range(5), announced=50, end=False)
        client.wait_status(lambda s: s["frames_written"] == 5)
        with open(hold, "wb"):  # the disk takes its time now
            pass
        code, status = client.stop(timeout_s=0.1)
        self.assertEqual((code, status["state"], status["writing"]), (202, "draining", True))
        self.assertEqual(client.get("/healthz")[0], 200)
        os.unlink(hold)
        code, status = client.stop(timeout_s=20)
        self.assertEqual((code, status["state"], status["frames_written"]), (200, "done", 5))


class FullDisk(Http):
    def setUp(self):
        super().setUp()
        self.disk = f"{self.directory}/disk"
        os.mkdir(self.disk)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", self.disk],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            super().tearDown()
            raise unittest.SkipTest(f"no tmpfs can be mounted here: {done.stderr.strip()}")

    def tearDown(self):
        subprocess.run(["umount", "-l", self.disk], check=True)
        super().tearDown()

    def test_an_arm_that_cannot_fit_is_refused(self):
        _, client = self.surface(directory=self.disk,
                                 settings=["writer.free_space_alarm_bytes=2MiB"])
        self.assertEqual(client.arm(name="fits")[0], 200)
        self.send(range(20))
        client.wait_status(lambda s: s["state"] == "done")
        self.assert_refused(client.arm(name="many", images=100000), 409, "no_space", "need about")
        with open(f"{self.disk}/filler", "wb") as f:
            f.write(bytes(3 << 20))
        self.assert_refused(client.arm(name="any"), 409, "no_space", "free_space_alarm_bytes")
        os.unlink(f"{self.disk}/filler")
        self.assertEqual(client.arm(name="any")[0], 200)


class Refusals(Http):
    def test_a_second_arm_is_refused_while_armed_and_while_writing(self):
        _, client = self.surface()
        self.assertEqual(client.arm(name="one", acquisition_id="a-1")[0], 200)
        self.assert_refused(client.arm(name="two"), 409, "busy", "a-1", "stop")
        self.send(range(2), end=False, announced=5)
        client.wait_status(lambda s: s["frames_written"] == 2)
        self.assert_refused(client.arm(name="two"), 409, "busy", "already writing")
        self.assertEqual(client.status()["file_prefix"], "one")

    def test_an_existing_set_is_refused_and_not_renamed(self):
        _, client = self.surface()
        with open(f"{self.directory}/taken_master.h5", "w", encoding="ascii") as f:
            f.write("somebody else's")
        self.assert_refused(client.arm(name="taken"), 409, "exists", "taken")
        self.assertEqual(client.status()["state"], "idle")
        self.assertEqual(client.arm(name="free")[0], 200)

    def test_paths_do_not_leave_the_configured_directory(self):
        _, client = self.surface(directory=f"{self.directory}/root")
        bad = ["../x", "..", "a/../../x", "/etc", "/", f"{self.directory}/root-2", "a//b", ".", "./a",
               "a/.hidden", "ü", "a b", "a\\b", "~", "$id", "-/..", "‮txt", "a" * 141, "d/" * 120]
        for path in bad:
            code, answer = client.arm(directory=path, name="x")
            self.assertEqual((code, answer["reason"]), (400, "bad_name"), path)
        for name in ["../x", "a/b", "/x", "..", ".x", "ü", "a b", "a" * 141]:
            code, answer = client.arm(name=name)
            self.assertEqual((code, answer["reason"]), (400, "bad_name"), name)
        for name in ["a" * 4096, "a\0b", "\u0000", "a\nb", "\x7f"]:
            code, answer = client.arm(name=name)
            self.assertEqual((code, answer["reason"]), (400, "bad_request"), repr(name)[:20])
        self.assertEqual(sorted(os.listdir(self.directory)), [".state", "root"])
        self.assertEqual(os.listdir(f"{self.directory}/root"), [])
        self.assertEqual(client.arm(directory="deep/er", name="x")[0], 200)

    def test_bodies_that_are_not_as_wanted(self):
        _, client = self.surface()
        for body in [b"{", b"[]", b"1", b"\xff\xfe", b'{"name":"a","name":"b"}', b"{}{}",
                     b"[" * 16000, b'{"a":' * 3000, b'{"name":"\\ud800"}', b"nul\0l", b"{'a':1}"]:
            self.assert_refused(client.ask("POST", "/api/v1/arm", body), 400, "bad_request")
        for body in [{"nam": "x"}, {"name": 1}, {"images": -1}, {"images": 1.5}, {"images": "3"},
                     {"images": 2**62}, {"shape": [1]}, {"shape": [0, 4]}, {"shape": [4, 70000]},
                     {"shape": "4x4"}, {"dtype": "u2"}, {"dtype": 4}, {"accept_drops": 1},
                     {"name": "a", "file_prefix": "b"}, {"acquisition_id": "x" * 256},
                     {"directory": ["a"]}]:
            self.assert_refused(client.arm(**body), 400, "bad_request")
        for body in [{"timeout_s": -1}, {"timeout_s": "1"}, {"timeout_s": 1e9}, {"wait": True}]:
            self.assert_refused(client.stop(**body), 400, "bad_request")
        self.assert_refused(client.ask("POST", "/api/v1/arm", b"x" * 20000), 413, "limit")
        self.assert_refused(client.ask("POST", "/api/v1/arm", b"{}", Content_Type="text/plain"), 415,
                            "media_type")
        self.assert_refused(client.get("/nothing"), 404, "not_found")
        self.assert_refused(client.get("/api/v1/arm"), 405, "method")
        self.assert_refused(client.ask("DELETE", "/api/v1/status"), 405, "method")
        self.assertEqual(client.status()["state"], "idle")

    def test_drops_have_to_be_accepted(self):
        ingest, client = self.surface(settings=["ring.overflow=drop", "ring.slots=1",
                                                "writer.durable=flush"])
        self.send(range(400))
        client.wait_status(lambda s: s["state"] in ("done", "failed"))
        dropped = ingest.counter("source_dropped")
        self.assertGreater(dropped, 0, "one slot was enough for 400 images at once")
        self.assertEqual(client.status()["drops_unexplained"], dropped)
        self.assert_refused(client.arm(name="next"), 409, "drops_unexplained", "accept_drops")
        self.assertEqual(client.arm(name="next", accept_drops=True)[0], 200)
        self.assertEqual(client.status()["drops_unexplained"], 0)


class Others(Http):
    def test_prometheus_reads_the_metrics(self):
        try:
            from prometheus_client.parser import text_string_to_metric_families
        except ImportError:
            self.skipTest("python3-prometheus-client is not installed")
        _, client = self.surface()
        self.send(range(30))
        client.wait_status(lambda s: s["state"] == "done")
        code, text = client.get("/metrics")
        self.assertEqual(code, 200)
        families = {f.name: f for f in text_string_to_metric_families(text)}
        self.assertEqual(len(families), text.count("# TYPE"))
        values = {s.name: s.value for f in families.values() for s in f.samples if not s.labels}
        self.assertEqual(values["sluice_source_images_total"], 30)
        self.assertEqual(values["sluice_writer_images_visible_total"], 30)
        self.assertEqual(families["sluice_source_images"].type, "counter")
        for name, least in (("sluice_writer_chunk_write_seconds", 30),
                            ("sluice_writer_flush_seconds", 1),
                            ("sluice_image_latency_seconds", 30)):
            self.assertEqual(families[name].type, "histogram")
            buckets = [s for s in families[name].samples if s.name.endswith("_bucket")]
            counts = [s.value for s in buckets]
            self.assertEqual(counts, sorted(counts))
            bounds = [float(s.labels["le"]) for s in buckets]
            self.assertEqual(bounds, sorted(set(bounds)))
            self.assertGreaterEqual(values[f"{name}_count"], least)
            self.assertEqual(counts[-1], values[f"{name}_count"])
            self.assertLess(values[f"{name}_sum"] / values[f"{name}_count"], 10)

    def test_curl_reads_the_events(self):
        if shutil.which("curl") is None:
            self.skipTest("curl is not installed")
        _, client = self.surface()
        curl = subprocess.Popen(["curl", "-sN", "--max-time", "30", client.url + "/events"],
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(curl.stdout.close)
        self.addCleanup(curl.wait)
        self.addCleanup(curl.kill)
        self.assertEqual(curl.stdout.readline(), "retry: 1000\n")
        client.arm(name="told", acquisition_id="q")
        self.send(range(3))
        events, numbers = [], []
        for line in curl.stdout:
            key, _, value = line.rstrip("\n").partition(": ")
            if key == "event":
                events.append(value)
            elif key == "id":
                numbers.append(int(value))
            elif key == "data":
                notice = json.loads(value)
                self.assertEqual(notice["event"], events[-1])
                if notice["event"] == "end":
                    break
        self.assertEqual((events[0], events[1], events[-1]), ("start", "file", "end"))
        self.assertEqual(set(events), {"start", "file", "visible", "end"})
        self.assertEqual(notice["images_visible"], 3)
        # One that comes back goes on where it was.
        with client.connect() as again:
            again.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: %d\r\n\r\n"
                          % numbers[-3])
            text = b""
            while b"event: end" not in text:
                text += again.recv(4096)
        self.assertEqual(text.count(b"event: "), 2)
        self.assertIn(b"id: %d\n" % numbers[-1], text)

    def test_configuration_and_health(self):
        ingest, client = self.surface(settings=["writer.images_per_file=7"])
        code, config = client.get("/api/v1/config")
        self.assertEqual((code, config["writer"]["images_per_file"]), (200, 7))
        self.assertEqual(config["writer"]["mode"], "0640")
        self.assertEqual(config["writer"]["directory"], [self.directory])
        self.assertEqual(client.get("/healthz"), (200, {"status": "ok"}))
        code, head = client.ask("HEAD", "/metrics")
        self.assertEqual((code, head), (200, ""))
        ingest.signal()
        self.assertEqual(ingest.wait(), 0)

    def test_two_instances_listen_side_by_side(self):
        _, one = self.surface(settings=["instance.name=one"])
        _, two = self.surface(settings=["instance.name=two"])
        self.assertNotEqual(one.url, two.url)
        self.assertEqual((one.status()["instance"], two.status()["instance"]), ("one", "two"))

    def test_ending_answers_who_waits_and_closes_the_streams(self):
        ingest, client = self.surface(series=1)
        with client.connect() as stream, client.connect(), client.connect() as half:
            half.sendall(b"POST /api/v1/arm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n"
                         b"Content-Type: application/json\r\n\r\n{")
            stream.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b"text/event-stream", stream.recv(4096))
            self.send(range(5))
            self.assertEqual(ingest.wait(), 0)  # whoever says nothing is not waited for
            text = b""
            while part := stream.recv(65536):
                text += part
        self.assertIn(b"event: end", text)
        self.assertTrue(text.endswith(b"0\r\n\r\n"), text[-60:])


if __name__ == "__main__":
    e2e.main()

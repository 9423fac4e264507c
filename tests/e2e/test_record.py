# SPDX-License-Identifier: Apache-2.0
"""`sluice record`: what is sent is what is in the folder, whole messages of one part and of many,
pulled and subscribed; it ends when it was told to, overwrites nothing, and leaves no half message
behind. What was recorded of `sluice simulate` replays into `sluice ingest` pixel for pixel."""
import json
import os
import resource
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import numpy as np  # noqa: E402
import zmq  # noqa: E402


def small_files():
    """For the child: no file above 4 KiB; writing one fails with EFBIG."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


class Record(e2e.Case):
    def setUp(self):
        super().setUp()
        self.folder = f"{self.directory}/recorded"

    def record(self, endpoint, *options, **more):
        process = subprocess.Popen([e2e.SLUICE, "record", endpoint, self.folder, *options],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
        self.addCleanup(process.communicate)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def report(self, process, code=0):
        out, err = process.communicate(timeout=60)
        self.assertEqual(code, process.returncode, out + err)
        return json.loads(out) if out else err

    def recorded(self):
        """File names and contents."""
        out = {}
        for name in sorted(os.listdir(self.folder)):
            with open(f"{self.folder}/{name}", "rb") as f:
                out[name] = f.read()
        return out

    def test_verbatim_sends_byte_for_byte_what_was_recorded(self):
        """Two series, damaged messages, empty parts, many parts, other protocols, in their order."""
        px = np.arange(15, dtype="u2").reshape(3, 5)
        messages = [e2e.start((3, 5), "u2", 1)[3:], e2e.image(7, {"threshold_1": px})[:60], e2e.end(),
                    e2e.start((3, 5), "u2", 1, series_id=2, unique_id="b"), e2e.array_image(3, px),
                    b"", [b"", b"x", b""], [bytes([k]) * k for k in range(16)], b"noise"]
        process = self.record(self.detector.endpoint, "--messages", str(len(messages)))
        self.detector.send(*messages)
        self.report(process)
        receiver = self.detector.context.socket(zmq.PULL)
        receiver.setsockopt(zmq.RCVTIMEO, 20000)
        port = receiver.bind_to_random_port("tcp://127.0.0.1")
        started = time.monotonic()
        simulator = e2e.Simulator(f"tcp://127.0.0.1:{port}", "--replay", self.folder, "--verbatim",
                                  "--rate", "20")
        got = [receiver.recv_multipart() for _ in messages]
        self.assertGreater(time.monotonic() - started, (len(messages) - 1) / 20 * 0.9)
        report = simulator.report()
        self.assertEqual(got, [m if isinstance(m, list) else [m] for m in messages])
        self.assertEqual(0, receiver.poll(100))
        receiver.close(0)
        self.assertEqual((report["messages"], report["bytes"], report["stopped"]),
                         (len(messages), sum(len(p) for m in got for p in m), False))

    def test_verbatim_takes_nothing_that_would_change_it(self):
        os.mkdir(self.folder)
        for options in (["--replay", self.folder, "--images", "3"],
                        ["--replay", self.folder, "--fault", "noend"], ["--detector", "tiny"]):
            p = subprocess.run([e2e.SLUICE, "simulate", "--endpoint", "tcp://127.0.0.1:*",
                                "--verbatim", *options], capture_output=True, text=True, timeout=20)
            self.assertEqual((p.returncode, p.stdout), (2, ""), p.stderr)
            self.assertIn("--verbatim", p.stderr)
        p = subprocess.run([e2e.SLUICE, "simulate", "--endpoint", "tcp://127.0.0.1:*", "--verbatim",
                            "--replay", self.folder], capture_output=True, text=True, timeout=20)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertIn("holds no message", p.stderr)

    def test_parts_are_kept_apart_and_in_order(self):
        messages = [[b'{"htype":"dheader-1.0"}', b"{}"], [b"\xd9\xd9\xf7\xa1\x01\x02"],
                    [b"\xa1\x01\x02"], [b'{"htype":"dseries_end-1.0"}'], [b""],
                    [bytes([k]) * k for k in range(12)]]
        process = self.record(self.detector.endpoint, "--messages", str(len(messages)))
        self.detector.send(*messages)
        report = self.report(process)
        self.assertEqual({"messages": 6, "parts": 18, "ended_by": "messages",
                          "bytes": sum(map(len, sum(messages, []))), "directory": self.folder},
                         {k: v for k, v in report.items() if k != "seconds"})
        want = {"000000.part00": messages[0][0], "000000.part01": b"{}",
                "000001.cbor": messages[1][0], "000002.cbor": messages[2][0],
                "000003.part00": messages[3][0], "000004.part00": b"",
                **{f"000005.part{k:02}": bytes([k]) * k for k in range(12)}}
        self.assertEqual(want, self.recorded())

    def test_a_subscriber_hears_its_topic(self):
        socket = self.detector.context.socket(zmq.PUB)
        socket.linger = 0
        self._open.append(socket)
        port = socket.bind_to_random_port("tcp://127.0.0.1")
        process = self.record(f"tcp://127.0.0.1:{port}", "--topic", "mine", "--messages", "3")
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            socket.send_multipart([b"other", b"x"])
            socket.send_multipart([b"mine", b"y"])
            time.sleep(0.01)
        self.assertEqual(6, self.report(process)["parts"])
        self.assertEqual({b"mine", b"y"}, set(self.recorded().values()))

    def test_it_binds_and_ends_when_nothing_more_comes(self):
        process = self.record("ipc://" + f"{self.directory}/socket", "--bind", "--idle", "0.5")
        socket = self.detector.context.socket(zmq.PUSH)
        socket.linger = 0
        self._open.append(socket)
        socket.connect(f"ipc://{self.directory}/socket")
        for k in range(5):
            socket.send(b"x" * 1000)
            time.sleep(0.05)
        report = self.report(process)
        self.assertEqual(("idle", 5), (report["ended_by"], report["messages"]))
        self.assertGreater(report["seconds"], 0)

    def test_bytes_and_time_end_it(self):
        process = self.record(self.detector.endpoint, "--bytes", "2500")
        self.detector.send(*[b"x" * 1000] * 10)
        report = self.report(process)
        self.assertEqual(("bytes", 3000), (report["ended_by"], report["bytes"]))
        self.folder += "2"
        began = time.monotonic()
        self.report(self.record("ipc://nobody", "--seconds", "0.3"), code=1)
        self.assertLess(time.monotonic() - began, 20)
        self.assertEqual({}, self.recorded())

    def test_a_signal_keeps_what_came(self):
        process = self.record(self.detector.endpoint)
        self.detector.send(*[b"x" * 10] * 50)
        deadline = time.monotonic() + 20
        while not os.path.exists(f"{self.folder}/000000.part00"):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        report = self.report(process)
        self.assertEqual("signal", report["ended_by"])
        self.assertEqual(report["messages"], len(self.recorded()))

    def test_nothing_is_overwritten(self):
        os.mkdir(self.folder)
        with open(f"{self.folder}/000000.cbor", "wb") as f:
            f.write(b"precious")
        self.assertIn("not empty", self.report(self.record(self.detector.endpoint), code=2))
        self.assertEqual({"000000.cbor": b"precious"}, self.recorded())

    def test_a_failing_disk_leaves_whole_messages(self):
        process = self.record(self.detector.endpoint, preexec_fn=small_files,
                              restore_signals=False)
        self.detector.send([b"a", b"b"], [b"c", b"x" * 5000], [b"d"])
        out, err = process.communicate(timeout=60)
        self.assertEqual(1, process.returncode)
        self.assertIn("cannot write message 1", err)
        self.assertIn("File too large", err)
        self.assertEqual(("error", 1), (json.loads(out)["ended_by"], json.loads(out)["messages"]))
        self.assertEqual({"000000.part00": b"a", "000000.part01": b"b"}, self.recorded())

    def test_space_is_kept_free(self):
        process = self.record(self.detector.endpoint, "--keep-free", str(2**62))
        self.detector.send(b"x")
        out, err = process.communicate(timeout=60)
        self.assertEqual(1, process.returncode)
        self.assertIn("--keep-free", err)
        self.assertEqual({}, self.recorded())

    def test_usage(self):
        for options, text in (([], "ENDPOINT and DIR"), (["ipc://x"], "ENDPOINT and DIR"),
                              (["ipc://x", self.folder, "y"], "ENDPOINT and DIR"),
                              (["ipc://x", self.folder, "--bind", "--connect"], "exclude"),
                              (["nonsense", self.folder], "cannot connect to nonsense"),
                              (["ipc://x", self.folder, "--messages", "0"], "--messages"),
                              (["ipc://x", self.folder, "--seconds", "-1"], "--seconds"),
                              (["ipc://x", self.directory + "/no/where"], "No such file")):
            done = subprocess.run([e2e.SLUICE, "record", *options], capture_output=True, text=True,
                                  timeout=60)
            self.assertEqual(1 if "No such" in text else 2, done.returncode, options)
            self.assertIn(text, done.stderr)

    def ingested(self, *simulate, settings=()):
        """The pixels that `sluice ingest` writes of what `sluice simulate` sends."""
        self.count = getattr(self, "count", 0) + 1
        os.mkdir(f"{self.directory}/{self.count}")
        ingest = self.ingest(endpoint="tcp://127.0.0.1:*", settings=["source.mode=bind", *settings],
                             directory=f"{self.directory}/{self.count}")
        self.simulate(ingest, *simulate).report()
        self.assertEqual(0, ingest.wait(), ingest.log)
        return e2e.Files(ingest.summaries[0]).images

    def again(self, *simulate):
        """Records what `sluice simulate` sends into a new folder, until nothing more comes."""
        self.count = getattr(self, "count", 0) + 1
        self.folder = f"{self.directory}/recorded{self.count}"
        process = self.record("tcp://127.0.0.1:*", "--bind", "--idle", "0.5")
        line = process.stderr.readline()
        e2e.Simulator(line.split("bound to ")[1].split(",")[0], *simulate).report()
        self.report(process)
        return self.recorded()

    def test_simulate_record_replay_gives_the_same_pixels(self):
        for options, settings in (
                (["--channels", "2"], []),
                (["--protocol", "stream1", "--encoding", "lz4"], []),
                (["--protocol", "array-1.0", "--dtype", "float32", "--encoding", "none"],
                 ["source.idle_timeout_ms=500"])):
            with self.subTest(options=options):
                made = ["--detector", "jungfrau-0.5m", "--images", "4", "--seed", "7", *options]
                direct = self.ingested(*made, settings=settings)
                self.again(*made)
                again = self.ingested("--replay", self.folder, settings=settings)
                self.assertEqual(sorted(direct), sorted(again))
                for channel in direct:
                    self.assertEqual((4, 512, 1024), direct[channel].shape)
                    np.testing.assert_array_equal(direct[channel], again[channel])

    def test_what_was_recorded_replays_byte_for_byte(self):
        for options in (["--protocol", "stream1", "--encoding", "lz4", "--appendix", "more"],
                        ["--protocol", "stream1", "--header", "none"],
                        ["--protocol", "array-1.0", "--encoding", "none", "--first-frame", "17"],
                        ["--protocol", "stream2"]):
            with self.subTest(options=options):
                first = self.again("--detector", "jungfrau-0.5m", "--images", "3", "--seed", "5",
                                   *options)
                self.assertGreaterEqual(len(first), 5)
                self.assertEqual(first, self.again("--replay", self.folder))


if __name__ == "__main__":
    e2e.main()

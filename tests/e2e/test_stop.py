# SPDX-License-Identifier: Apache-2.0
"""Stopping and leaving: SIGTERM and SIGINT idle and in the middle, a drain that is bounded, a second
signal that gives up and says what was lost, the number of series, exit codes, and usage errors that
say what to do.

Where storage has to be slow it hangs on a gate: fdatasync (writer.durable=flush) waits for as long
as a file exists (tests/support/slow_sync.c, preloaded)."""
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (16, 24)
SLOW_SYNC = os.environ.get("SLUICE_SLOW_SYNC", "build/tests/slow_sync.so")


def pixels(image_id):
    return np.random.default_rng(image_id).poisson(5, SHAPE).astype("u2")


def start(images, **more):
    return e2e.start(SHAPE, "u2", images, **more)


def image(image_id, **more):
    return e2e.image(image_id, {"threshold_1": pixels(image_id)}, **more)


class Stop(e2e.Case):
    def setUp(self):
        super().setUp()
        self.gate = f"{self.directory}/gate"

    def hang(self):
        """From now on storage hangs."""
        open(self.gate, "w").close()

    def go_on(self):
        os.unlink(self.gate)

    def wait_hanging(self, seconds=20):
        deadline = time.monotonic() + seconds
        while not os.path.exists(self.gate + ".hit"):
            self.assertLess(time.monotonic(), deadline, "fdatasync is not called")
            time.sleep(0.002)

    def gated_ingest(self, *settings):
        """An ingest whose storage can hang."""
        if not os.path.exists(SLOW_SYNC):
            raise unittest.SkipTest(f"{SLOW_SYNC} is not there (SLUICE_SLOW_SYNC)")
        environment = {**os.environ, "LD_PRELOAD": os.path.abspath(SLOW_SYNC),
                       "SLUICE_TEST_HOLD": self.gate,
                       "ASAN_OPTIONS": "verify_asan_link_order=0"}
        return self.ingest(series=0, settings=["writer.durable=flush", *settings], env=environment)

    def hanging_ingest(self, before, after, *settings):
        """Has `before` images visible, storage hanging, and `after` more received; 1000 announced.
        """
        ingest = self.gated_ingest(*settings)
        self.detector.send(start(1000), *map(image, range(before)))
        ingest.wait_counter("writer_images_visible", before)
        self.hang()
        self.detector.send(image(before))
        self.wait_hanging()
        self.detector.send(*map(image, range(before + 1, before + after)))
        ingest.wait_counter("source_images", before + after)
        return ingest

    def assert_images(self, summary, ids):
        """These images and no others, with right pixels."""
        files = e2e.Files(summary)
        there = files.columns["image_id"]
        self.assertEqual([int(i) - 1 for i in there if i], sorted(ids))
        for i in ids:
            np.testing.assert_array_equal(files.images["data"][i], pixels(i))
        self.assertTrue(all(f == 1 for f in files.finished))

    # --- an orderly stop

    def test_a_stop_while_idle_leaves_at_once_with_0(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                ingest = self.ingest(series=0)
                begin = time.monotonic()
                ingest.signal(number)
                self.assertEqual(ingest.wait(), 0)
                self.assertLess(time.monotonic() - begin, 5)
                self.assertEqual(ingest.summaries, [])

    def test_a_signal_of_somebody_that_means_nothing_does_not_keep_it_from_stopping(self):
        ingest = self.ingest(series=0)
        for _ in range(3):
            ingest.signal(signal.SIGUSR1)
            time.sleep(.1)
        ingest.signal()
        self.assertEqual(ingest.wait(20), 0, "".join(ingest.log))

    def test_a_stop_between_series_keeps_the_exit_code_of_what_was(self):
        for sent, code in ((3, 0), (2, 3)):
            with self.subTest(code):
                ingest = self.ingest(series=0)
                self.detector.send(start(3), *map(image, range(sent)), e2e.end())
                ingest.wait_summaries(1)
                ingest.signal()
                self.assertEqual(ingest.wait(), code)
                self.assertEqual(len(ingest.summaries), 1)

    def test_a_stop_writes_all_that_was_received(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                ingest = self.hanging_ingest(5, 95)
                ingest.signal(number)
                ingest.wait_said("draining")
                self.assertLess(ingest.counter("writer_images_visible"), 100)
                self.go_on()
                self.assertEqual(ingest.wait(), 3)
                (s,) = ingest.summaries
                self.assert_counts(s, expected=1000, received=100, written=100, lost=900,
                                   lost_ranges=[[100, 999]], ended_by="stop", state="done")
                self.assert_images(s, range(100))
                os.unlink(self.gate + ".hit")

    def test_a_stop_after_the_last_image_loses_nothing(self):
        ingest = self.gated_ingest()
        self.hang()
        self.detector.send(start(50), *map(image, range(50)))
        self.wait_hanging()
        ingest.wait_counter("source_images", 50)
        ingest.signal()
        ingest.wait_said("draining")
        self.go_on()
        self.assertEqual(ingest.wait(), 0)
        self.assert_counts(ingest.summaries[0], received=50, written=50, lost=0, ended_by="stop")
        self.assert_images(ingest.summaries[0], range(50))

    def test_what_waits_for_a_slot_is_written_too(self):
        # The ring is full for longer than a moment, libzmq holds what the detector has got rid of.
        ingest = self.gated_ingest("ring.slots=8")
        self.hang()
        self.detector.send(start(1000), *map(image, range(60)))
        self.wait_hanging()
        ingest.wait_counter("source_waits", 1)
        ingest.signal()
        ingest.wait_said("draining")
        time.sleep(1.5)  # storage hangs so long
        self.go_on()
        self.assertEqual(ingest.wait(), 3)
        (s,) = ingest.summaries
        self.assert_counts(s, received=60, written=60, lost=940, ended_by="stop", state="done")
        self.assert_images(s, range(60))

    def test_a_stop_ends_while_the_detector_goes_on_sending(self):
        ingest = self.ingest(series=0)
        self.detector.send(start(100000))
        self.detector.socket.setsockopt(e2e.zmq.SNDTIMEO, 0)
        deadline, sent, stopped = time.monotonic() + 30, 0, False
        while ingest.process.poll() is None:
            self.assertLess(time.monotonic(), deadline, "a stop does not end")
            try:
                self.detector.send(image(sent))
                sent += 1
            except e2e.zmq.Again:
                time.sleep(0.001)
            if not stopped and sent % 50 == 0 and ingest.counter("source_images") >= 100:
                ingest.signal()
                stopped = True
        self.assertEqual(ingest.wait(), 3)
        (s,) = ingest.summaries
        self.assert_counts(s, ended_by="stop", state="done")
        self.assertEqual(s["images_written"], s["images_received"])
        self.assertGreaterEqual(s["images_written"], 100)
        self.assert_images(s, range(s["images_written"]))

    def test_a_given_up_drain_counts_what_waited_for_a_slot(self):
        ingest = self.gated_ingest("ring.slots=8", "writer.drain_timeout_ms=200")
        self.hang()
        self.detector.send(start(1000), *map(image, range(60)))
        self.wait_hanging()
        ingest.wait_counter("source_waits", 1)
        ingest.signal()
        ingest.wait_said("giving up")
        self.go_on()
        self.assert_given_up(ingest, 0, 60)

    # --- giving up

    def assert_given_up(self, ingest, before, after):
        """What was visible is there, what waited is counted and named; the file is in order."""
        self.assertEqual(ingest.wait(), 3)
        (s,) = ingest.summaries
        self.assert_counts(s, expected=1000, received=before + after, ended_by="stop", failed=0)
        written = s["images_written"]
        self.assertEqual(s["images_dropped"], before + after - written)
        self.assertGreater(s["images_dropped"], 0)
        self.assertGreaterEqual(written, before)
        self.assertEqual(s["lost_ranges"], [[written, 999]])
        self.assertIn(f"images={s['images_dropped']}", ingest.wait_said("given up: images"))
        self.assert_images(s, range(written))

    def test_a_second_signal_gives_up_and_says_what_was_lost(self):
        ingest = self.hanging_ingest(5, 95)
        ingest.signal(signal.SIGINT)
        ingest.wait_said("draining")
        ingest.signal(signal.SIGINT)
        ingest.wait_said("second signal: giving up")
        self.go_on()
        self.assert_given_up(ingest, 5, 95)

    def test_the_drain_is_bounded(self):
        ingest = self.hanging_ingest(5, 95, "writer.drain_timeout_ms=200")
        ingest.signal()
        ingest.wait_said("writer.drain_timeout_ms is over: giving up")
        self.go_on()
        self.assert_given_up(ingest, 5, 95)

    def test_storage_that_never_comes_back_does_not_keep_the_process(self):
        ingest = self.hanging_ingest(5, 20, "writer.drain_timeout_ms=100")
        begin = time.monotonic()
        ingest.signal()
        self.assertEqual(ingest.wait(), 1)
        self.assertLess(time.monotonic() - begin, 30)
        line = ingest.wait_said("closing hangs")
        self.assertIn("5 images visible", line)
        self.assertIn("25 received", line)
        with h5py.File(f"{self.directory}/series_1_data_000001.h5", "r", swmr=True) as f:
            ids = f["/entry/data/image_id"][()]
            self.assertGreaterEqual(np.count_nonzero(ids), 5)
            for row in np.nonzero(ids)[0]:
                np.testing.assert_array_equal(f["/entry/data/data"][row], pixels(row))

    # --- the number of series, and the worst of them

    def test_it_leaves_after_the_wanted_number_of_series(self):
        ingest = self.ingest(series=2)
        for number in (1, 2, 3):
            who = {"series_id": number, "unique_id": f"s-{number}"}
            self.detector.send(start(1, **who), image(0, **who), e2e.end(number, f"s-{number}"))
        self.assertEqual(ingest.wait(), 0)
        self.assertEqual([s["series_id"] for s in ingest.summaries], [1, 2])
        self.assertFalse(os.path.exists(f"{self.directory}/series_3_master.h5"))

    def test_the_worst_series_wins(self):
        open(f"{self.directory}/taken", "w").close()  # where a directory is wanted
        for kinds, code in (("lossy good", 3), ("failing lossy good", 1), ("lossy failing", 1)):
            with self.subTest(kinds):
                ingest = self.ingest(series=len(kinds.split()),
                                     settings=["writer.name=$unique_id/s_$id"])
                for number, kind in enumerate(kinds.split(), 1):
                    who = {"series_id": number, "unique_id": "taken" if kind == "failing" else kind}
                    self.detector.send(start(2 if kind == "lossy" else 1, **who), image(0, **who),
                                       e2e.end(number, who["unique_id"]))
                self.assertEqual(ingest.wait(), code)
                self.assertEqual([s["state"] for s in ingest.summaries],
                                 ["failed" if k == "failing" else "done" for k in kinds.split()])

    # --- usage

    def usage(self, *arguments, user=None):
        """stderr of an ingest that must refuse to begin."""
        done = subprocess.run([e2e.SLUICE, "ingest", *arguments], capture_output=True, text=True,
                              timeout=30, user=user)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr

    def test_usage_errors_say_what_to_do(self):
        here = ["--set", f"writer.directory={self.directory}",
                "--set", f"instance.state_directory={self.directory}/.state"]
        there = [*here, "--set", f"source.endpoint={self.detector.endpoint}"]
        other = e2e.Detector()
        self.addCleanup(other.close)
        wrong = f"{self.directory}/wrong.yaml"
        with open(wrong, "w") as f:
            f.write("source:\n  endpoint: tcp://127.0.0.1:1\nring:\n  slots: many\n")
        cases = {
            "no endpoint": (here, ["source.endpoint", "tcp://"]),
            "unknown key": ([*there, "--set", "ring.slotz=3"], ["ring.slotz", "ring.slots"]),
            "not a number": ([*there, "--set", "ring.slots=many"], ["ring.slots", "65536"]),
            "out of bounds": ([*there, "--set", "ring.slots=0"], ["ring.slots", "1", "65536"]),
            "unknown word": ([*there, "--set", "ring.overflow=maybe"],
                             ["ring.overflow", "wait", "drop"]),
            "not an assignment": ([*there, "--set", "ring.slots"], ["ring.slots", "="]),
            "unknown option": ([*there, "--sets", "ring.slots=3"], ["--sets", "--help"]),
            "no option": ([*there, "ring.slots=3"], ["ring.slots=3", "--help"]),
            "no such file": ([*there, "-c", f"{self.directory}/no.yaml"], ["no.yaml", "No such"]),
            "wrong file": ([*here, "-c", wrong], ["wrong.yaml:4", "ring.slots"]),
            "no series": ([*there, "--series", "0"], ["--series", "above 0"]),
            "wrong endpoint": ([*here, "--set", "source.endpoint=tcp:/nowhere"],
                               ["source.endpoint", "tcp://"]),
            "endpoint in use": ([*there, "--set", "source.mode=bind"],
                                ["source.endpoint", "in use", "source.mode"]),
            "notices in use": ([*there, "--set", f"notify.endpoint={other.endpoint}"],
                               ["notify.endpoint", "in use"]),
            "a file, no directory": ([*there, "--set", f"writer.directory={wrong}/x"],
                                     ["writer.directory", wrong]),
            "a directory that cannot be made": ([*there, "--set", "writer.directory=/proc/sluice"],
                                                ["writer.directory", "/proc/sluice"]),
        }
        for what, (arguments, said) in cases.items():
            with self.subTest(what):
                message = self.usage(*arguments)
                for word in said:
                    self.assertIn(word, message)
                self.assertLess(len(message.splitlines()), 6, message)

    def test_an_unwritable_directory_is_a_usage_error(self):
        os.mkdir(f"{self.directory}/locked", 0o555)
        os.mkdir(f"{self.directory}/state", 0o777)
        os.chmod(f"{self.directory}/state", 0o777)
        os.chmod(self.directory, 0o755)
        nobody = 65534 if os.geteuid() == 0 else None
        try:
            subprocess.run([e2e.SLUICE, "--version"], user=nobody, check=True, capture_output=True)
        except OSError as reason:
            raise unittest.SkipTest(f"nobody cannot run {e2e.SLUICE}: {reason}") from None
        message = self.usage("--set", f"source.endpoint={self.detector.endpoint}",
                             "--set", f"writer.directory={self.directory}/locked",
                             "--set", f"instance.state_directory={self.directory}/state",
                             user=nobody)
        self.assertIn("writer.directory", message)
        self.assertIn("Permission denied", message)

    def test_a_second_instance_of_a_name_is_refused(self):
        self.ingest(series=0, settings=["instance.name=one"])
        message = self.usage("--set", f"source.endpoint={self.detector.endpoint}",
                             "--set", f"writer.directory={self.directory}",
                             "--set", f"instance.state_directory={self.directory}/.state",
                             "--set", "instance.name=one")
        self.assertIn("instance.name", message)


if __name__ == "__main__":
    e2e.main()

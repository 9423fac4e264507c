# SPDX-License-Identifier: Apache-2.0
"""Arms, stops and series at random, all at once over real sockets, and what must hold whatever the
order was: one summary a series; an accepted arm names one series, or a stop took it back; the files
are those that were armed; frames_written never exceeds what was sent and never goes back; a stop
leaves ingest running, a signal in the middle ends it in order. SLUICE_SEED repeats a run."""
import collections
import os
import random
import sys
import threading
import time
import traceback

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import http_client  # noqa: E402
import numpy as np  # noqa: E402
import zmq  # noqa: E402

SHAPE = (24, 32)
PLANE = e2e.plane(np.zeros(SHAPE, "u2"))
SECONDS = float(os.environ.get("SLUICE_HAMMER_SECONDS", "2"))
Arm = collections.namedtuple("Arm", "name directory code begin")


class Hammer(e2e.Case):
    def setUp(self):
        super().setUp()
        self.seed = int(os.environ.get("SLUICE_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
        print(f"seed {self.seed}", file=sys.stderr)
        self.over, self.ending = threading.Event(), threading.Event()
        self.problems, self.arms, self.stops = [], [], []
        self.sent, self.started = collections.Counter(), []
        self.stream = b""
        self.detector.socket.setsockopt(zmq.SNDTIMEO, 5000)  # nobody takes the last ones

    def tell(self, *what):
        if not self.ending.is_set():
            self.problems.append(what)

    def actor(self, act, *arguments):
        """A thread that does this again and again, with random numbers of its own."""
        rng = random.Random(f"{self.seed} {act.__name__} {arguments}")

        def run():
            try:
                while not self.over.is_set():
                    act(rng, *arguments)
            except Exception:  # the program ends while somebody asks
                self.tell(traceback.format_exc())
        thread = threading.Thread(target=run)
        thread.start()
        return thread

    # what goes on at once

    def send_series(self, rng):
        number = len(self.started) + 1
        who = {"series_id": number, "unique_id": f"series-{number}"}
        count = rng.randrange(40)
        self.started.append(number)
        self.detector.send(e2e.start(SHAPE, "u2", count or 1, **who))
        for i in range(count):
            if rng.random() < 0.05:
                continue  # lost
            self.sent[number] += 1
            self.detector.send(e2e.image(i, {"threshold_1": PLANE}, **who))
            if rng.random() < 0.05:
                time.sleep(rng.random() * 0.02)
        if rng.random() < 0.8:
            self.detector.send(e2e.end(number, who["unique_id"]))
        if rng.random() < 0.7:
            time.sleep(rng.random() * 0.1)

    def arm(self, rng, who):
        name, directory = f"arm{who}_{len(self.arms)}", rng.choice([None, "x", "x/y"])
        begin = time.monotonic()
        code, answer = self.client.arm(name=name, acquisition_id=f"id-{name}", directory=directory)
        self.arms.append(Arm(name, directory or "", code, begin))
        if code not in (200, 409):
            self.tell("arm", code, answer)
        if code == 200 and answer["file_prefix"] == name and answer["state"] == "armed" \
                and answer["frames_written"] != 0:
            self.tell("not reset", answer)
        time.sleep(rng.random() * 0.05)

    def stop(self, rng, _):
        patience = rng.choice([0, 0.001, 0.01, 10])
        code, answer = self.client.stop(timeout_s=patience)
        self.stops.append(time.monotonic())
        if code != 200 and (code != 202 or patience == 10):
            self.tell("stop", code, answer)
        time.sleep(rng.random() * 0.1)

    def watch(self, rng):
        status = self.client.status()
        number, state, written = status["series_id"], status["state"], status["frames_written"]
        if status["writing"] != (state in ("armed", "writing", "draining")):
            self.tell("writing", status)
        if state == "armed" and (number is not None or written != 0):
            self.tell("armed", status)
        if number is not None and not self.seen.get(number, 0) <= written <= self.sent[number]:
            self.tell("count", status, self.seen.get(number), self.sent[number])
        if state in ("done", "failed") and (status["last_series"]["series_id"], status["last_series"][
                "images_visible"], state) != (number, written, "done"):
            self.tell("done", status)
        self.seen[number] = written
        time.sleep(rng.random() * 0.002)

    def listen_events(self):
        with self.client.connect(60) as s:
            s.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while part := s.recv(65536):
                self.stream += part

    # what must hold

    def check_series(self, ingest, all_of_them):
        closed = collections.Counter(s["series_id"] for s in ingest.summaries)
        self.assertEqual(max(closed.values()), 1, closed)
        self.assertLessEqual(set(closed), set(self.started))
        if all_of_them:
            self.assertEqual(sorted(closed), self.started)
        for summary in ingest.summaries:
            self.assert_counts(summary, failed=0)
            self.assertLessEqual(summary["images_visible"], self.sent[summary["series_id"]])

    def check_names(self, ingest, all_of_them):
        arms = {a.name: a for a in self.arms}
        used = set()
        for summary in ingest.summaries:
            of = summary.get("acquisition_id")
            arm = arms.get(of[3:]) if of else None
            if of:
                self.assertNotIn(of, used, "an arm named two series")
                used.add(of)
                if arm is None:
                    self.assertFalse(all_of_them, f"{of} was never armed")
                    continue  # its answer was cut off by the end
                self.assertEqual(arm.code, 200, arm)
            if summary["master"] is None:
                continue  # not one image came
            place = os.path.join(os.path.realpath(self.directory), arm.directory if arm else "")
            name = arm.name if arm else f"series_{summary['series_id']}"
            self.assertEqual(summary["master"], os.path.join(place, f"{name}_master.h5"))
        for arm in self.arms if all_of_them else ():
            if arm.code == 200 and f"id-{arm.name}" not in used:
                self.assertTrue(any(s >= arm.begin for s in self.stops), f"{arm} is forgotten")
        masters = [f for _, _, files in os.walk(self.directory) for f in files
                   if f.endswith("_master.h5")]
        self.assertEqual(len(masters), sum(s["master"] is not None for s in ingest.summaries))

    def hammer(self, orderly):
        settings = ["http.listen=127.0.0.1:0", "writer.free_space_alarm_bytes=0",
                    f"writer.images_per_file={random.Random(self.seed).choice([3, 10, 1000])}"]
        ingest = self.ingest(None, settings)
        self.client = http_client.Client(
            ingest.wait_said("HTTP on").split("HTTP on ")[1].split(",")[0].strip())
        self.seen = {}
        stream = threading.Thread(target=self.listen_events)
        stream.start()
        actors = [self.actor(self.send_series), self.actor(self.watch),
                  *(self.actor(act, who) for act in (self.arm, self.stop) for who in (1, 2))]
        time.sleep(SECONDS)
        if orderly:
            self.over.set()
            for actor in actors:
                actor.join()
            sent = len(self.started)
            self.detector.send(e2e.start(SHAPE, "u2", 1, series_id=sent + 1, unique_id="last"))
            self.started.append(sent + 1)
            self.client.wait_status(lambda s: s["series_id"] == sent + 1)  # all before it has arrived
            self.assertEqual(self.client.stop()[0], 200)
            self.assertEqual(self.client.get("/healthz")[0], 200)
        self.ending.set()
        ingest.signal()
        code = ingest.wait()
        self.over.set()
        for thread in (*actors, stream):
            thread.join()
        self.detector.socket.setsockopt(zmq.LINGER, 0)
        self.assertEqual(self.problems, [], f"seed {self.seed}")
        self.assertIn(code, (0, 3))
        self.check_series(ingest, orderly)
        self.check_names(ingest, orderly)
        self.assertTrue(self.stream.endswith(b"0\r\n\r\n"), self.stream[-100:])
        accepted = sum(a.code == 200 for a in self.arms)
        print(f"{len(self.started)} series, {len(self.arms)} arms ({accepted} accepted), "
              f"{len(self.stops)} stops, {len(self.stream)} bytes of events", file=sys.stderr)
        self.assertGreater(min(len(ingest.summaries), accepted, len(self.stops)), 0)

    def test_arms_stops_and_series_in_any_order(self):
        self.hammer(orderly=True)

    def test_a_signal_in_the_middle(self):
        self.hammer(orderly=False)


if __name__ == "__main__":
    e2e.main()

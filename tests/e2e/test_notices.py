# SPDX-License-Identifier: Apache-2.0
"""Notices: their order and counts, and that each is true when it arrives: a file that is announced
can be opened, images that are visible are read by a reader that has only just opened the file, at
the end everything is closed. Nobody who listens, slowly or not at all, disturbs the writer."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (24, 32)
PER_FILE = 40
KEYS = {"event", "series_id", "file", "first", "last", "images_visible", "images_lost"}


def pixels(image_id):
    return np.random.default_rng(image_id).poisson(5, SHAPE).astype("u2")


class Notices(e2e.Case):
    def setUp(self):
        super().setUp()
        self.endpoint = f"ipc://{self.directory}/notices"

    def notified_ingest(self, series=1, settings=()):
        return self.ingest(series, [f"notify.endpoint={self.endpoint}",
                                    f"writer.images_per_file={PER_FILE}", *settings])

    def messages(self, ids, announced=None, series_id=1):
        who = {"series_id": series_id, "unique_id": f"series-{series_id}"}
        ids = list(ids)
        yield e2e.start(SHAPE, "u2", max(ids) + 1 if announced is None else announced, **who)
        for i in ids:
            yield e2e.image(i, {"threshold_1": pixels(i)}, **who)
        yield e2e.end(series_id, who["unique_id"])

    def assert_visible(self, notices, ids):
        """A reader that opens the files only now sees what the last notice says: its first and last
        image, those between that had been sent before the last, and as many as it counts."""
        notice, count = notices[-1], 0
        for path in {n["file"] for n in notices if n["event"] == "visible"}:
            with e2e.open_swmr(path) as f:
                key, images = f["/entry/data/image_id"][()], f["/entry/data/data"]
                count += np.count_nonzero(key)
                if path != notice["file"]:
                    continue
                for i in range(notice["first"], notice["last"] + 1):
                    edge = i in (notice["first"], notice["last"])
                    if edge or i in ids[:ids.index(notice["last"])]:
                        self.assertEqual(key[i % PER_FILE], i + 1, f"image {i} at {notice}")
                        np.testing.assert_array_equal(images[i % PER_FILE], pixels(i))
        self.assertGreaterEqual(count, notice["images_visible"])

    def assert_story(self, notices, summary, ids):
        """The notices of one series: start, files, images, end; counts that only grow."""
        self.assertTrue(all(set(n) == KEYS for n in notices), notices[0])
        self.assertEqual({n["series_id"] for n in notices}, {summary["series_id"]})
        events = [n["event"] for n in notices]
        self.assertEqual((events[0], events[-1]), ("start", "end"))
        self.assertEqual((events.count("start"), events.count("end")), (1, 1))
        self.assertEqual(set(events), {"start", "file", "visible", "end"})
        files = [n["file"] for n in notices if n["event"] == "file"]
        self.assertEqual(sorted(files), sorted(summary["files"]))
        counts = [n["images_visible"] for n in notices]
        self.assertEqual(counts, sorted(counts))
        self.assertEqual(notices[0]["file"], summary["master"])
        self.assertEqual(notices[-1]["file"], summary["master"])
        self.assertEqual(notices[-1]["images_visible"], summary["images_visible"])
        self.assertEqual(notices[-1]["images_lost"], summary["images_lost"])
        named, known = set(), {}
        for n in notices:
            if n["event"] == "file":
                self.assertEqual(n["first"] % PER_FILE, 0)
                self.assertEqual(n["last"], n["first"] + PER_FILE - 1)
                known[n["file"]] = n
            elif n["event"] == "visible":
                self.assertIn(n["file"], known, "a file is announced before its images")
                self.assertLessEqual(known[n["file"]]["first"], n["first"])
                self.assertLessEqual(n["last"], known[n["file"]]["last"])
                self.assertLessEqual(n["first"], n["last"])
                named.update(range(n["first"], n["last"] + 1))
        self.assertLessEqual(set(ids), named, "an image that no notice named")

    def send_slowly(self, messages):
        for message in messages:
            try:
                self.detector.send(message)
            except e2e.zmq.ZMQError:
                return  # the test is over
            time.sleep(0.001)

    def listen_to_all(self, ids, **more):
        """Sends a series, looks at the files at every notice; notices, summary, exit code."""
        ids = list(ids)
        ingest = self.notified_ingest()
        listener = self.listen(self.endpoint)
        sender = threading.Thread(target=self.send_slowly, args=[self.messages(ids, **more)])
        sender.start()
        self.addCleanup(sender.join)
        notices = []
        for notice in listener.until_end():
            notices.append(notice)
            if notice["event"] == "visible":
                self.assert_visible(notices, ids)
            elif notice["event"] == "file":
                self.assertTrue(os.path.exists(notice["file"]))
            elif notice["event"] == "end":
                for path in [notice["file"], *{n["file"] for n in notices}]:
                    with h5py.File(path, "r") as f:  # closed: no SWMR needed
                        self.assertIn("data", f["/entry"])
                ingest.wait_said("series closed")
        sender.join()
        code = ingest.wait()
        return notices, ingest.summaries[0], code

    def test_a_path_is_not_taken_from_another_instance(self):
        notify = f"notify.endpoint=ipc://{self.directory}/notices"
        self.ingest(None, [notify])
        second = self.ingest(None, [notify, "instance.name=second"], wait_ready=False)
        self.assertEqual(second.wait(20), 2)
        self.assertTrue(second.said("notify.endpoint: cannot bind"), second.log)
        self.listen(f"ipc://{self.directory}/notices")  # the first one still answers

    def test_a_series_in_order(self):
        notices, summary, code = self.listen_to_all(range(130))
        self.assertEqual(code, 0)
        self.assert_story(notices, summary, range(130))
        visible = [n for n in notices if n["event"] == "visible"]
        self.assertGreater(len(visible), 5, "images become visible in a few lumps only")
        self.assertTrue(all(a["last"] < b["first"] for a, b in zip(visible, visible[1:])))
        self.assertEqual(sum(n["last"] - n["first"] + 1 for n in visible), 130)
        self.assertTrue(all(n["images_lost"] == 0 for n in notices))

    def test_lost_images_are_counted_as_they_are_seen_to_be_missing(self):
        ids = [i for i in range(100) if i % 10 != 3]
        notices, summary, code = self.listen_to_all(ids, announced=110)
        self.assertEqual(code, 3)
        self.assert_story(notices, summary, ids)
        self.assertEqual(notices[-1]["images_lost"], 20)
        self.assertEqual(max(n["images_lost"] for n in notices[:-1]), 10)

    def test_images_in_any_order(self):
        ids = [int(i) for i in np.random.default_rng(7).permutation(130)]
        notices, summary, code = self.listen_to_all(ids)
        self.assertEqual(code, 0)
        self.assert_story(notices, summary, ids)

    def test_the_end_comes_after_the_summary(self):
        ingest = self.notified_ingest(series=3)
        listener = self.listen(self.endpoint)
        for number in (1, 2, 3):
            self.detector.send(*self.messages(range(5), series_id=number))
            for notice in listener.until_end():
                self.assertEqual(notice["series_id"], number)
            # (written before the notice; our thread may still be reading it)
            self.assertEqual(ingest.wait_summaries(number, 5)[-1]["series_id"], number)
        self.assertEqual(ingest.wait(), 0)

    def test_a_series_without_images_has_a_start_and_an_end(self):
        ingest = self.notified_ingest()
        listener = self.listen(self.endpoint)
        self.detector.send(e2e.start(SHAPE, "u2", 5), e2e.end())
        notices = list(listener.until_end())
        self.assertEqual([n["event"] for n in notices], ["start", "end"])
        self.assertEqual((notices[1]["file"], notices[1]["images_lost"]), (None, 5))
        self.assertEqual(ingest.wait(), 3)

    def test_listeners_who_do_not_read_or_vanish_disturb_nobody(self):
        count = 3000
        ingest = self.notified_ingest(settings=["writer.flush_images=1"])
        deaf = self.listen(self.endpoint, high_water=1)
        gone = self.listen(self.endpoint)
        good = self.listen(self.endpoint)
        messages = list(self.messages(range(count)))
        self.detector.send(*messages[:200])
        self.assertEqual(gone.next()["event"], "start")
        gone.close()
        self.detector.send(*messages[200:])
        notices = list(good.until_end())
        self.assertEqual(ingest.wait(), 0)
        self.assert_counts(ingest.summaries[0], expected=count, written=count, lost=0)
        self.assertEqual(notices[-1]["images_visible"], count)
        self.assertEqual(deaf.next()["event"], "start")


if __name__ == "__main__":
    e2e.main()

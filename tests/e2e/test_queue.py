# SPDX-License-Identifier: Apache-2.0
"""libzmq's queue is bounded in bytes on a connection that is in use: wherever in the stream images
become large, they all arrive. Senders are never ahead by more than a few messages, so that what
libzmq's thread has not been told is not made up for by messages that wait."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from sluice_e2e import Case, end, image, main, np, plane, start, zmq  # noqa: E402

SMALL, LARGE = np.zeros((4, 4), "u1"), np.full((128, 32), 7, "u1")
SETTINGS = ["source.receive_hwm=1000", "source.receive_bytes=512KiB"]
LOWERED = "libzmq holds"
MARK = re.compile(LOWERED + r" (\d+) messages")
WANTED = re.compile("libzmq holds 9[56] messages")  # and two more of the size


def is_as_wanted(ingest):
    return any(WANTED.search(line) for line in ingest.log)


def mask_of_ones():
    return {"threshold_1": plane(np.ones(LARGE.shape, "f4"), "none")}


class Queue(Case):
    def send_series(self, ingest, socket, number, pixels, images):
        """The messages of a series; the ingest has taken all of them then."""
        data = {"threshold_1": plane(pixels, "none")}
        names = dict(series_id=number, unique_id=f"series-{number}")
        before = ingest.counter("source_messages")
        socket.send(start(pixels.shape, "u1", images, **names))
        for i in range(images):
            socket.send(image(i, data, **names))
            if i % 20 == 19:
                ingest.wait_counter("source_messages", before + i + 1, 10)
        socket.send(end(**names))
        ingest.wait_counter("source_messages", before + images + 2, 10)

    def assert_all_came(self, ingest, images):
        self.assertEqual(ingest.wait(), 0)
        self.assertEqual([s["images_written"] for s in ingest.summaries], images)

    def test_large_images_after_any_number_of_small_ones_all_arrive(self):
        for small in (1, 30, 49, 100, 201, 470, 497, 510, 560, 700, 903):
            with self.subTest(small=small):
                ingest = self.ingest(2, [*SETTINGS, f"writer.name=small_{small}_%i"])
                self.send_series(ingest, self.detector.socket, 1, SMALL, small)
                self.send_series(ingest, self.detector.socket, 2, LARGE, 150)
                self.assert_all_came(ingest, [small, 150])
                self.assertTrue(is_as_wanted(ingest), ingest.log)

    def test_the_bound_comes_within_half_the_mark_of_messages(self):
        ingest = self.ingest(3, SETTINGS)
        for number, (pixels, images) in enumerate(((SMALL, 100), (LARGE, 600), (SMALL, 300)), 1):
            self.send_series(ingest, self.detector.socket, number, pixels, images)
        self.assert_all_came(ingest, [100, 600, 300])
        self.assertTrue(is_as_wanted(ingest), ingest.log)

    def test_a_start_as_large_as_several_images_lowers_the_mark_before_they_come(self):
        mask = {"threshold_1": plane(np.zeros(LARGE.shape, "u4"), "none")}
        ingest = self.ingest(1, SETTINGS)
        names = dict(series_id=1, unique_id="series-1")
        self.detector.socket.send(start(LARGE.shape, "u1", 300, **names, pixel_mask=mask,
                                        flatfield=mask_of_ones()))
        self.assertIn("a start of", ingest.wait_said(LOWERED))
        for i in range(300):
            self.detector.socket.send(image(i, {"threshold_1": plane(LARGE, "none")}, **names))
        self.detector.socket.send(end(**names))
        self.assert_all_came(ingest, [300])

    def test_large_images_leave_two_of_them_and_all_arrive(self):
        ingest = self.ingest(1, ["source.receive_hwm=1000", "source.receive_bytes=8KiB"])
        self.send_series(ingest, self.detector.socket, 1, LARGE, 200)
        self.assert_all_came(ingest, [200])
        self.assertTrue(ingest.said(f"{LOWERED} 2 messages"), ingest.log)

    def test_a_series_of_small_images_behind_one_of_large_ones_has_the_whole_mark_again(self):
        ingest = self.ingest(4, [*SETTINGS, "writer.name=again_%i"])
        for number, (pixels, images) in enumerate(
                ((LARGE, 200), (SMALL, 700), (LARGE, 150), (SMALL, 733)), 1):
            self.send_series(ingest, self.detector.socket, number, pixels, images)
        self.assert_all_came(ingest, [200, 700, 150, 733])
        marks = [int(m.group(1)) for m in map(MARK.search, ingest.log) if m]
        wanted = [mark for mark in marks if mark in (95, 96, 1000)]
        self.assertEqual([mark == 1000 for mark in wanted], [False, True, False, True], marks)

    def test_two_detectors_at_a_bound_socket_are_both_heard(self):
        ingest = self.simulated_ingest(3, SETTINGS)
        first, second = (self.detector.context.socket(zmq.PUSH) for _ in range(2))
        for socket in (first, second):
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.SNDTIMEO, 20000)
            socket.connect(ingest.bound_to())
        try:
            self.send_series(ingest, first, 1, SMALL, 130)
            self.send_series(ingest, second, 2, LARGE, 500)
            self.send_series(ingest, first, 3, LARGE, 500)
        finally:
            first.close()
            second.close()
        self.assert_all_came(ingest, [130, 500, 500])
        self.assertTrue(ingest.said(LOWERED))
        self.assertFalse(is_as_wanted(ingest))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Bursts of small images, as fast as they go: late, doubled and missing ones, files that follow each
other, several channels, in each way of writing. Every chunk in the files is, byte for byte, what was
sent, and every flush by count and by piece leaves the same."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import cbor2  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

IMAGES = 2500
FRAMES = 11  # different ones, sent in turn
LOST = set(range(300, 310)) | {1999}
LATE = {k: 150 for k in (17, 640, 1280)}  # so many later
DOUBLED = {5, 128, 129, 1100}
PER_FILE = 900


def order():
    """The ids as they are sent."""
    waiting, ids = {}, []
    for k in range(IMAGES):
        if k in LATE:
            waiting.setdefault(k + LATE[k], []).append(k)
        elif k not in LOST:
            ids += [k, k] if k in DOUBLED else [k]
        ids += waiting.pop(k, [])
    return ids


class Bursts(e2e.Case):
    def setUp(self):
        super().setUp()
        numbers = np.random.default_rng(256)
        self.frames = [numbers.integers(0, 60000, (90 + k, 120)).astype("u2")[:90]
                       for k in range(FRAMES)]

    def burst(self, channels, *settings):
        """What is in each dataset for each id, as bytes."""
        names = ["threshold_1", "threshold_2"][:channels]
        planes = [e2e.plane(f) for f in self.frames]
        sent = [e2e.image(k, {c: planes[(k + n) % FRAMES] for n, c in enumerate(names)})
                for k in order()]
        ingest = self.ingest(settings=[f"writer.images_per_file={PER_FILE}", *settings])
        self.detector.send(e2e.start((90, 120), "u2", IMAGES, names), *sent[:40])
        time.sleep(0.25)  # from then on images may share a flush
        self.detector.send(*sent[40:], e2e.end())
        self.assertEqual(ingest.wait(), 3, "".join(ingest.log[-20:]))  # some are missing
        (summary,) = ingest.summaries
        self.assert_counts(summary, written=IMAGES - len(LOST), lost=len(LOST),
                           duplicate=len(DOUBLED), refused=0, failed=0, state="done")
        self.assertEqual(len(summary["files"]), -(-IMAGES // PER_FILE))
        found = {}
        for number, path in enumerate(summary["files"]):
            with h5py.File(path, "r") as f:
                data = f["/entry/data"]
                for row, key in enumerate(data["image_id"][()]):
                    if key != 0:
                        self.assertEqual(key, number * PER_FILE + row + 1)
                        found[int(key) - 1] = [
                            data[d].id.read_direct_chunk((row, 0, 0))[1]
                            for d in (["data"] if channels == 1 else names)]
        return found

    def check(self, channels, *settings):
        found = self.burst(channels, *settings)
        self.assertEqual(sorted(found), sorted(set(range(IMAGES)) - LOST))
        payloads = [self.payload(f) for f in self.frames]
        for k, chunks in found.items():
            for n, chunk in enumerate(chunks):
                self.assertEqual(chunk, payloads[(k + n) % FRAMES], f"image {k} channel {n}")

    @staticmethod
    def payload(frame):
        """As it stands in the message."""
        tag = cbor2.loads(e2e.image(0, {"threshold_1": e2e.plane(frame)}))["data"]["threshold_1"]
        return tag.value[1].value.value[2]

    def test_past_the_page_cache(self):
        self.check(1)

    def test_past_the_page_cache_by_count(self):
        self.check(1, "writer.flush_at=count", "writer.flush_unread_images=1", "source.nap_us=0")

    def test_with_two_channels(self):
        self.check(2)

    def test_while_somebody_may_follow(self):
        self.check(1, "writer.flush_unread_us=0")

    def test_with_flushes_of_few_images(self):
        self.check(1, "writer.flush_images=3", "writer.flush_unread_images=60")

    def test_through_the_page_cache(self):
        self.check(1, "writer.io=cached")

    def test_by_hdf5(self):
        self.check(1, "writer.io=hdf5")

    def test_with_short_queues(self):
        self.check(1, "ring.slots=7", "source.receive_hwm=5", "source.nap_us=100000")


if __name__ == "__main__":
    e2e.main()

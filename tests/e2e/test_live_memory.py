# SPDX-License-Identifier: Apache-2.0
"""Live readers fed from the writer's memory: the pixels are exact whatever is still there, nothing
is read from the disk while it is, and neither a killed writer, a second one, foreign files nor the
lack of shared memory change what a reader gets. Both ways to the disk."""
import glob
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (512, 600)  # 614 kB that do not get smaller: full pieces
COUNT = 80
FEEDS = "/dev/shm/sluice-live-"


def pixels(number):
    return np.random.default_rng(number).integers(0, 60000, SHAPE, "u2")


MESSAGES = []


def messages():
    if not MESSAGES:
        MESSAGES.extend(e2e.image(i, {"threshold_1": pixels(i)}, encoding="none")
                        for i in range(COUNT))
    return MESSAGES


def goes_past_the_cache(directory):
    """Where a reader without the feed would have to go to the disk."""
    path = os.path.join(directory, "probe")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_DIRECT))
    except OSError:
        return False
    return True


class Reader:
    """`sluice stats --follow`: it holds every chunk against its checksum."""

    def __init__(self, path):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [e2e.SLUICE, "stats", path, "--follow", "--json", "--wait", "30", "--timeout", "10"],
            stdout=subprocess.PIPE, stderr=self.errors, text=True)

    def next(self):
        return json.loads(self.process.stdout.readline())

    def rest(self):
        """Lines that are left, and the exit code."""
        lines = [json.loads(line) for line in self.process.stdout]
        code = self.process.wait(30)
        self.errors.seek(0)
        self.said = self.errors.read()
        return lines, code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class LiveMemory(e2e.Case):
    def read(self, directory=None, name="series_1"):
        reader = Reader(os.path.join(directory or self.directory, name + "_master.h5"))
        self._open.append(reader)
        return reader

    def assert_exact(self, lines, first=0, count=COUNT):
        self.assertEqual([l["image"] for l in lines], list(range(first, count)))
        for line in lines:
            image = pixels(line["image"])
            self.assertEqual((line["sum"], line["min"], line["max"], line["invalid"]),
                             (int(image.sum()), int(image.min()), int(image.max()), 0), line)

    def burst(self, *settings):
        """A reader that is there from the first image on; returns its lines."""
        ingest = self.ingest(settings=settings)
        reader = self.read()
        self.detector.send(e2e.start(SHAPE, "u2", COUNT), messages()[0])
        first = reader.next()
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock
        self.detector.send(*messages()[1:])
        lines = [first] + [reader.next() for _ in range(COUNT - 1)]
        self.detector.send(e2e.end())
        rest, code = reader.rest()
        self.disk_bytes = 512 * (resource.getrusage(resource.RUSAGE_CHILDREN).ru_inblock - before)
        self.assertEqual(code, 0, reader.said)
        self.assertEqual(rest[-1]["summary"]["bad"], 0, rest)
        self.assertEqual(ingest.wait(), 0)
        self.assert_exact(lines)
        self.assertEqual(glob.glob(f"{FEEDS}{ingest.process.pid}-*"), [])
        return ingest

    def test_nothing_is_read_from_the_disk(self):
        if not goes_past_the_cache(self.directory):
            self.skipTest("O_DIRECT is not possible in " + self.directory)
        ingest = self.burst("writer.live_memory_bytes=128MiB")  # more than all images
        if not ingest.said(FEEDS):
            self.skipTest("no shared memory here")
        self.assertLess(self.disk_bytes, 4 << 20)  # of 49 MB: what came before the reader

    def test_a_reader_that_comes_while_images_are_written_from_the_arena(self):
        """Until then they are, in its whole size; from then on they are found in memory."""
        for arena in ("0", "3MiB", "64MiB"):
            with self.subTest(arena):
                ingest = self.ingest(settings=[f"ring.arena_bytes={arena}"])
                self.detector.send(e2e.start(SHAPE, "u2", COUNT), *messages()[:30])
                reader = self.read()
                first = [reader.next() for _ in range(25)]
                self.detector.send(*messages()[30:], e2e.end())
                lines, code = reader.rest()
                self.assertEqual(code, 0, reader.said)
                self.assertEqual(ingest.wait(), 0)
                self.assert_exact(first + lines[:-1])
                self.tearDown()
                self.setUp()

    def test_off_there_is_no_feed_and_the_disk_is_read(self):
        ingest = self.burst("writer.live_memory_bytes=0", "writer.spill_after=0")
        self.assertFalse(ingest.said(FEEDS))
        if goes_past_the_cache(self.directory):
            self.assertGreater(self.disk_bytes, 20 << 20)

    def test_pieces_that_are_used_again_while_they_are_read(self):
        """So little memory that most of it is gone when the reader comes."""
        for size in ("1", "6MiB"):
            with self.subTest(size):
                self.burst(f"writer.live_memory_bytes={size}", "writer.flush_images=16")
                self.tearDown()
                self.setUp()

    def test_compressed_images_of_three_planes(self):
        ingest = self.simulated_ingest(settings=["writer.live_memory_bytes=16MiB"])
        reader = self.read()
        sender = self.simulate(ingest, "--detector", "eiger2-500k", "--channels", "3", "--images",
                               "300", "--series-id", "1")
        lines, code = reader.rest()
        self.assertEqual(code, 0, reader.said)
        sender.report()
        self.assertEqual(ingest.wait(), 0)
        self.assertEqual(lines[-1]["summary"]["bad"], 0, lines[-1])
        self.assertEqual(sum("image" in line for line in lines), 900)

    def test_who_cannot_reach_the_files_cannot_read_the_feed(self):
        for directory, made, mode in ((0o700, "0755", 0o600), (0o755, "0700", 0o600)):
            with self.subTest(directory=directory, made=made):
                os.chmod(self.directory, directory)
                ingest = self.ingest(settings=["writer.mode=0644", f"writer.directory_mode={made}"])
                for feed in glob.glob(f"{FEEDS}{ingest.process.pid}-*"):
                    self.assertEqual(os.stat(feed).st_mode & 0o777, mode)
                ingest.signal(signal.SIGTERM)
                ingest.wait()

    def test_through_the_page_cache(self):
        for io in ("cached", "hdf5"):
            with self.subTest(io):
                ingest = self.burst(f"writer.io={io}")
                self.assertFalse(ingest.said(FEEDS))
                self.assertFalse(ingest.said("io_uring"))  # nobody asked for it
                self.tearDown()
                self.setUp()

    def test_a_program_that_it_would_start_gets_none_of_its_descriptors(self):
        """Neither data files nor the feed, ring, sockets and counters: all are close-on-exec."""
        for io in ("direct", "cached"):
            with self.subTest(io):
                ingest = self.ingest(settings=[f"writer.io={io}"])
                self.detector.send(e2e.start(SHAPE, "u2", COUNT), *messages()[:20])
                ingest.wait_counter("writer_images_visible", 20)
                process = f"/proc/{ingest.process.pid}"
                names = []
                for number in os.listdir(f"{process}/fd"):
                    if int(number) <= 2:
                        continue
                    try:
                        name = os.readlink(f"{process}/fd/{number}")
                        with open(f"{process}/fdinfo/{number}", encoding="ascii") as info:
                            flags = next(line for line in info if line.startswith("flags"))
                    except FileNotFoundError:  # closed since it was listed
                        continue
                    if ".tmp-" in name:  # a master, for the milliseconds in which HDF5 writes it
                        continue
                    self.assertTrue(int(flags.split()[1], 8) & os.O_CLOEXEC, name)
                    names.append(name)
                self.assertTrue(any("_data_" in name for name in names), names)
                self.detector.send(e2e.end())
                self.assertEqual(ingest.wait(), 3)  # the others never came
                self.tearDown()
                self.setUp()

    def test_a_foreign_file_in_the_place_of_a_feed(self):
        names = [f"{FEEDS}test-{os.getpid()}-{i}" for i in range(3)]
        try:
            with open(names[0], "wb") as f:
                f.write(b"SLUICELV" + os.urandom(20000))
            open(names[1], "wb").close()
            os.mkfifo(names[2])
            self.burst()
        finally:
            for name in names:
                if os.path.exists(name):
                    os.remove(name)

    def test_a_killed_writer_and_the_next_one(self):
        ingest = self.ingest()
        reader = self.read()
        self.detector.send(e2e.start(SHAPE, "u2", 1000), *messages()[:60])
        lines = [reader.next() for _ in range(40)]
        ingest.signal(signal.SIGKILL)
        ingest.wait()
        rest, code = reader.rest()
        self.assertEqual(code, 1)
        self.assertIn("writer has died", reader.said)
        lines += [l for l in rest if "image" in l]
        self.assert_exact(lines, count=len(lines))
        left = glob.glob(f"{FEEDS}{ingest.process.pid}-*")
        # Who reads the dead writer's file now finds it in the file.
        again = subprocess.run([e2e.SLUICE, "stats", os.path.join(
            self.directory, "series_1_master.h5"), "--json"], stdout=subprocess.PIPE, text=True,
            check=False)
        found = [json.loads(l) for l in again.stdout.splitlines()]
        self.assert_exact([l for l in found if "image" in l], count=len(lines))
        other = self.ingest()  # it, or any other that was started meanwhile, has removed it
        self.assertEqual([name for name in left if os.path.exists(name)], [])
        other.signal(signal.SIGTERM)
        other.wait()

    def test_two_writers_in_one_directory(self):
        with e2e.Detector() as second:
            one = self.ingest(settings=["writer.name=one"])
            two = self.ingest(settings=["writer.name=two"], endpoint=second.endpoint)
            readers = [self.read(name="one"), self.read(name="two")]
            self.detector.send(e2e.start(SHAPE, "u2", COUNT), messages()[0])
            second.send(e2e.start(SHAPE, "u2", COUNT), messages()[0])
            lines = [[reader.next()] for reader in readers]
            for message in messages()[1:]:
                self.detector.send(message)
                second.send(message)
            self.detector.send(e2e.end())
            second.send(e2e.end())
            for reader, mine in zip(readers, lines):
                rest, code = reader.rest()
                self.assertEqual(code, 0, reader.said)
                self.assert_exact(mine + rest[:-1])
            self.assertEqual((one.wait(), two.wait()), (0, 0))

    def test_a_reader_that_stands_still_is_in_nobodys_way(self):
        ingest = self.ingest(settings=["writer.live_memory_bytes=2MiB"])
        reader = self.read()
        self.detector.send(e2e.start(SHAPE, "u2", COUNT), messages()[0])
        lines = [reader.next()]
        os.kill(reader.process.pid, signal.SIGSTOP)
        child = int(subprocess.run(["pgrep", "-P", str(reader.process.pid)], text=True,
                                   stdout=subprocess.PIPE, check=True).stdout)
        os.kill(child, signal.SIGSTOP)
        self.detector.send(*messages()[1:], e2e.end())
        self.assertEqual(ingest.wait(), 0)
        self.assert_counts(ingest.summaries[0], written=COUNT, lost=0)
        time.sleep(0.05)
        os.kill(child, signal.SIGCONT)
        os.kill(reader.process.pid, signal.SIGCONT)
        rest, code = reader.rest()
        self.assertEqual(code, 0, reader.said)
        self.assert_exact(lines + rest[:-1])


if __name__ == "__main__":
    e2e.main()

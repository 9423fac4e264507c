# SPDX-License-Identifier: Apache-2.0
"""Memory in a running series: a steady stream takes no page faults, keys that place memory are
kept, and what cannot be had is said."""
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402

with open(e2e.SLUICE, "rb") as program:
    code = program.read()
SANITIZED = b"__asan_init" in code or b"__tsan_init" in code

STEADY = 0.05  # page faults an image: metadata of files grows by a page now and then


class Memory(e2e.Case):
    def faults_an_image(self, images, *options, settings=()):
        """Page faults of the second half of a stream, divided by its images."""
        ingest = self.simulated_ingest(settings=["writer.images_per_file=0", *settings])
        simulator = self.simulate(ingest, "--images", str(images), *options)
        ingest.wait_counter("source_images", images // 2)
        first = ingest.counter("source_images"), ingest.counter("source_faults_minor")
        self.assertEqual(simulator.report()["series"][0]["images"], images)
        self.assertEqual(ingest.wait(), 0)
        last = ingest.counter("source_images"), ingest.counter("source_faults_minor")
        self.assert_counts(ingest.summaries[0], written=images, lost=0)
        self.assertEqual(ingest.counter("source_faults_major"), 0)
        faults = (last[1] - first[1]) / (last[0] - first[0])
        print(f"{options}: {faults:.3f} page faults an image, of {last[0] - first[0]} images; "
              f"{first[1]} before", flush=True)
        return faults

    def test_a_steady_run_of_thousands_of_images_takes_no_page_faults(self):
        faults = self.faults_an_image(6000, "--detector", "s256", "--rate", "3000")
        self.assertLess(faults, STEADY)

    @unittest.skipIf(SANITIZED, "a sanitizer has its own malloc")
    def test_images_too_large_for_the_heap_of_the_c_library_take_none(self):
        options = ("--detector", "eiger2-16m", "--encoding", "none", "--distinct", "1",
                   "--rate", "20")
        bounds = ("ring.slots=4", "source.receive_hwm=2")  # all that may wait is faulted in
        kept = self.faults_an_image(16, *options,
                                    settings=["memory.ready_bytes=512MiB", *bounds])
        given_back = self.faults_an_image(16, *options, settings=["memory.heap=system", *bounds])
        self.assertLess(kept, 50)
        self.assertGreater(given_back, 1000)  # 36 MB are 8800 pages

    def test_huge_pages_off_and_reserved_ones_that_are_not_there_work_too(self):
        for setting in ("memory.huge_pages=off", "memory.huge_pages=reserved",
                        "memory.ready_bytes=0", "memory.numa_node=0"):
            with self.subTest(setting):
                self.faults_an_image(40, "--detector", "s256", "--rate", "100",
                                     settings=[setting])

    def test_a_node_that_is_not_there_is_a_configuration_error(self):
        ingest = self.ingest(settings=["memory.numa_node=1000"], wait_ready=False)
        self.assertEqual(ingest.wait(), 2)
        self.assertTrue(ingest.said("memory.numa_node"), ingest.log)

    def test_a_cpu_that_is_not_there_is_said_and_the_run_goes_on(self):
        ingest = self.simulated_ingest(settings=["source.io_cpu=1000"])
        simulator = self.simulate(ingest, "--images", "5", "--detector", "tiny")
        simulator.report()
        self.assertEqual(ingest.wait(), 0)
        self.assertTrue(ingest.said("libzmq's thread cannot run on cpu 1000"), ingest.log)

    @unittest.skipIf(SANITIZED, "a sanitizer's shadow cannot be locked")
    def test_locked_memory_is_locked_or_refused(self):
        raise_limit = ("import resource; unlimited = resource.RLIM_INFINITY; "
                       "resource.setrlimit(resource.RLIMIT_MEMLOCK, (unlimited, unlimited))")
        may = subprocess.run([sys.executable, "-c", raise_limit], stderr=subprocess.DEVNULL)
        settings = ["memory.lock=on", "ring.memory_bytes_max=16MiB", "memory.ready_bytes=8MiB"]
        ingest = self.simulated_ingest(settings=settings, wait_ready=False)
        if may.returncode != 0:
            self.assertEqual(ingest.wait(), 2)
            self.assertTrue(ingest.said("LimitMEMLOCK"), ingest.log)
            return
        ingest.wait_said(" ready")
        with open(f"/proc/{ingest.process.pid}/status") as f:
            locked = next(int(line.split()[1]) for line in f if line.startswith("VmLck:"))
        self.assertGreater(locked, 16 * 1024)
        simulator = self.simulate(ingest, "--images", "5", "--detector", "tiny")
        simulator.report()
        self.assertEqual(ingest.wait(), 0)


if __name__ == "__main__":
    e2e.main()

# SPDX-License-Identifier: Apache-2.0
"""Memory in a running series: a steady stream takes no page faults, keys that place memory are
kept, and what cannot be had is said."""
import ctypes
import os
import resource
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402

with open(e2e.SLUICE, "rb") as program:
    code = program.read()
SANITIZED = b"__asan_init" in code or b"__tsan_init" in code

LIBC = ctypes.CDLL(None)
CAP_IPC_LOCK, PR_CAPBSET_DROP, PR_SET_THP_DISABLE = 14, 24, 41


def forbid_locking():
    """Between fork and exec: nothing may be locked from now on, not even by root."""
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))
    LIBC.prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0)


def forbid_huge_pages():
    if LIBC.prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0:
        raise OSError("no PR_SET_THP_DISABLE")


def can_lock(preexec):
    lock = ("import ctypes, sys; page = ctypes.create_string_buffer(8192); "
            "sys.exit(ctypes.CDLL(None).mlock(page, ctypes.c_size_t(8192)) != 0)")
    return subprocess.run([sys.executable, "-c", lock], preexec_fn=preexec).returncode == 0


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

    @unittest.skipIf(SANITIZED, "a sanitizer has its own malloc")
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

    @unittest.skipIf(can_lock(forbid_locking), "leave to lock memory cannot be taken away here")
    def test_without_leave_to_lock_it_does_not_start_and_says_what_to_raise(self):
        ingest = self.ingest(settings=["memory.lock=on"], wait_ready=False,
                             preexec_fn=forbid_locking)
        self.assertEqual(ingest.wait(), 2)
        self.assertTrue(ingest.said("memory.lock"), ingest.log)
        self.assertTrue(ingest.said("LimitMEMLOCK"), ingest.log)

    @unittest.skipIf(can_lock(forbid_locking), "leave to lock memory cannot be taken away here")
    def test_without_leave_to_lock_buffers_are_written_all_the_same(self):
        ingest = self.simulated_ingest(preexec_fn=forbid_locking)
        simulator = self.simulate(ingest, "--images", "40", "--detector", "eiger2-r-500k")
        self.assertEqual(simulator.report()["series"][0]["images"], 40)
        self.assertEqual(ingest.wait(), 0)
        self.assert_counts(ingest.summaries[0], written=40, lost=0)

    def run_without(self, wanted, *settings, **more):
        """Huge pages are not granted: that is said, and the images are written."""
        ingest = self.simulated_ingest(settings=settings, **more)
        simulator = self.simulate(ingest, "--images", "20", "--detector", "eiger2-r-500k")
        simulator.report()
        self.assertEqual(ingest.wait(), 0)
        self.assert_counts(ingest.summaries[0], written=20, lost=0)
        self.assertTrue(ingest.said(wanted), ingest.log)

    def test_huge_pages_that_are_not_granted_are_said_and_small_ones_used(self):
        self.run_without("huge_pages=0MiB (", preexec_fn=forbid_huge_pages)

    def test_a_reserved_pool_that_is_empty_is_said_and_others_are_used(self):
        with open("/proc/meminfo") as meminfo:
            free = next((int(line.split()[1]) for line in meminfo
                         if line.startswith("HugePages_Free:")), 0)
        if free > 0:
            self.skipTest("the system has reserved huge pages")
        self.run_without("reserved huge pages", "memory.huge_pages=reserved",
                         "ring.arena_bytes=4MiB")


if __name__ == "__main__":
    e2e.main()

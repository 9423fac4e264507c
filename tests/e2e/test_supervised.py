# SPDX-License-Identifier: Apache-2.0
"""`sluice ingest` under a service manager: a socket of the test's own takes what systemd would be
told. READY comes when the socket is open, the watchdog is fed idle and writing, a storage that hangs
(fdatasync on a gate, tests/support/slow_sync.c) ends the feeding and its return resumes it, STOPPING
comes with SIGTERM, and a start that fails says why."""
import os
import re
import socket
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (16, 24)
WATCHDOG_S = 0.8
SLOW_SYNC = os.environ.get("SLUICE_SLOW_SYNC", "build/tests/slow_sync.so")


class Manager:
    """Binds a notify socket and keeps every message with its time."""

    def __init__(self, address):
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + address[1:] if address[0] == "@" else address)
        self.socket.settimeout(0.1)
        self.closing = False
        self.heard = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        while not self.closing:
            try:
                text = self.socket.recv(4096).decode()
                self.heard.append((time.monotonic(), text))
            except TimeoutError:
                pass

    def texts(self):
        return [text for _, text in list(self.heard)]

    def feeds(self, since=0.0):
        return [t for t, text in list(self.heard) if text == "WATCHDOG=1\n" and t >= since]

    def wait(self, pattern, seconds=20, since=0.0):
        deadline = time.monotonic() + seconds
        while True:
            for t, text in list(self.heard):
                if t >= since and re.search(pattern, text):
                    return text
            if time.monotonic() > deadline:
                raise AssertionError(f"never heard: {pattern}: {self.texts()[-10:]}")
            time.sleep(0.005)

    def environment(self):
        return {**os.environ, "NOTIFY_SOCKET": self.address,
                "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}

    def close(self):
        self.closing = True
        self.thread.join()
        self.socket.close()


def image(image_id):
    pixels = np.random.default_rng(image_id).poisson(5, SHAPE).astype("u2")
    return e2e.image(image_id, {"threshold_1": pixels})


class Supervised(e2e.Case):
    def manager(self, address):
        manager = Manager(address)
        self.addCleanup(manager.close)
        return manager

    def test_ready_fed_and_stopping(self):
        manager = self.manager(f"{self.directory}/notify")
        ingest = self.ingest(series=0, env=manager.environment())
        self.assertEqual("READY=1\nSTATUS=waiting for a series\n", manager.wait("READY"))
        began = time.monotonic()
        self.detector.send(e2e.start(SHAPE, "u2", 10))
        for k in range(10):
            self.detector.send(image(k))
            time.sleep(0.1)
        manager.wait("STATUS=writing; series closed 0 .*images visible [1-9]")
        self.detector.send(e2e.end())
        ingest.wait_summaries(1)
        manager.wait("STATUS=waiting for a series; series closed 1 .failed 0., images visible 10, "
                     "lost 0")
        time.sleep(2 * WATCHDOG_S)
        feeds = manager.feeds(began)
        gaps = np.diff([began, *feeds, time.monotonic()])
        self.assertLess(gaps.max(), WATCHDOG_S)
        self.assertGreater(len(feeds), 5)
        self.assertEqual([], [t for t in manager.texts() if "STOPPING" in t])
        ingest.signal()
        self.assertEqual(0, ingest.wait())
        self.assertEqual("STOPPING=1\nEXTEND_TIMEOUT_USEC=60000000\nSTATUS=closing files\n",
                         manager.wait("STOPPING"))

    def test_an_abstract_socket_and_an_end_by_itself(self):
        manager = self.manager(f"@sluice-e2e-{os.getpid()}")
        ingest = self.ingest(series=1, env=manager.environment())
        manager.wait("READY=1")
        self.detector.send(e2e.start(SHAPE, "u2", 1), image(0), e2e.end())
        self.assertEqual(0, ingest.wait())
        manager.wait("STOPPING=1")

    def test_hanging_storage_ends_the_feeding(self):
        if not os.path.exists(SLOW_SYNC):
            raise unittest.SkipTest(f"{SLOW_SYNC} is not there (SLUICE_SLOW_SYNC)")
        manager = self.manager(f"{self.directory}/notify")
        gate = f"{self.directory}/gate"
        ingest = self.ingest(series=1, settings=["writer.durable=flush"], env={
            **manager.environment(), "LD_PRELOAD": os.path.abspath(SLOW_SYNC),
            "SLUICE_TEST_HOLD": gate, "ASAN_OPTIONS": "verify_asan_link_order=0"})
        self.detector.send(e2e.start(SHAPE, "u2", 3), image(0))
        ingest.wait_counter("writer_images_visible", 1)
        manager.wait("WATCHDOG=1")
        open(gate, "w").close()
        self.detector.send(image(1))
        deadline = time.monotonic() + 20
        while not os.path.exists(gate + ".hit"):
            self.assertLess(time.monotonic(), deadline, "fdatasync is not called")
            time.sleep(0.002)
        hung = time.monotonic()
        manager.wait("STATUS=agent writer is in one cycle", since=hung)
        said = time.monotonic()
        time.sleep(2 * WATCHDOG_S)  # systemd would have acted by now
        self.assertEqual([], manager.feeds(said))
        os.unlink(gate)
        gone_on = time.monotonic()
        manager.wait("WATCHDOG=1", since=gone_on)
        self.detector.send(image(2), e2e.end())
        self.assertEqual(0, ingest.wait())
        self.assertEqual(3, ingest.summaries[0]["images_visible"])

    def test_a_start_that_fails_says_why_and_is_never_ready(self):
        manager = self.manager(f"{self.directory}/notify")
        done = subprocess.run(
            [e2e.SLUICE, "ingest", "--set", "source.endpoint=tcp://no-such-host.invalid:1",
             "--set", "source.mode=bind", "--set", f"writer.directory={self.directory}",
             "--set", f"instance.state_directory={self.directory}"],
            env=manager.environment(), capture_output=True, text=True, timeout=60)
        self.assertEqual(2, done.returncode)
        manager.wait("STATUS=source.endpoint: cannot bind")
        self.assertEqual([], [t for t in manager.texts() if "READY" in t])


if __name__ == "__main__":
    e2e.main()

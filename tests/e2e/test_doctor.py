# SPDX-License-Identifier: Apache-2.0
"""`sluice doctor`: a setting that costs is named with what to do about it, a good one is ok, the
machine's floors are measured on real files, and nothing is left behind."""
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

# A machine as a beamline would want it; each test spoils one thing.
GOOD = {
    "sys/devices/system/cpu/isolated": "4-7",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance",
    "sys/devices/system/cpu/cpu0/cpuidle/state0/latency": "0",
    "sys/devices/system/cpu/cpu0/cpuidle/state1/latency": "2",
    "sys/devices/system/node/online": "0",
    "sys/devices/system/clocksource/clocksource0/current_clocksource": "tsc",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never",
    "proc/swaps": "Filename\tType\tSize\tUsed\tPriority",
    "proc/self/status": "Name:\tsluice\nCapEff:\t000001ffffffffff",
    "proc/meminfo": "MemTotal:       131072000 kB",
    "proc/sys/net/ipv4/tcp_rmem": "4096\t131072\t67108864",
    "proc/sys/net/core/rmem_max": "67108864",
    "proc/sys/kernel/io_uring_disabled": "0",
    "proc/sys/vm/dirty_ratio": "20",
    "sys/class/net/eth1/operstate": "up",
    "sys/class/net/eth1/speed": "100000",
    "sys/class/net/eth1/mtu": "9000",
    "sys/class/net/eth1/statistics/rx_missed_errors": "0",
    "sys/class/net/eth1/statistics/rx_dropped": "0",
}


class Doctor(e2e.Case):
    def doctor(self, *options, code=0, **more):
        done = subprocess.run(
            [e2e.SLUICE, "doctor", "--json", "--directory", self.directory, *options],
            capture_output=True, text=True, timeout=120, **more)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        out = {}
        for check in json.loads(done.stdout)["checks"]:
            out.setdefault(check["name"], []).append((check["state"], check["text"]))
        return out

    def machine(self, changes, *options, **more):
        root = os.path.join(self.directory, "root")
        for path, text in {**GOOD, **changes}.items():
            path = os.path.join(root, path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text + "\n")
        return self.doctor("--root", root, *options, **more)

    def costs(self, name, advice, changes, *options, **more):
        self.assertNotIn("warning", [s for s, _ in self.machine({}, *options, **more).get(name, [])])
        found = self.machine(changes, *options, **more)[name]
        self.assertIn("warning", [s for s, _ in found], found)
        self.assertTrue(any(advice in text for _, text in found), found)

    def test_each_setting_that_costs_is_named_with_what_to_do(self):
        cpu, net = "sys/devices/system/cpu/cpu0", "sys/class/net/eth1"
        self.costs("clock rate", "cpupower", {f"{cpu}/cpufreq/scaling_governor": "powersave"})
        self.costs("idle states", "idle-set", {f"{cpu}/cpuidle/state2/latency": "400"})
        self.costs("memory nodes", "source.cpu", {"sys/devices/system/node/online": "0-1"})
        self.costs("clock", "tsc", {"sys/devices/system/clocksource/clocksource0/"
                                    "current_clocksource": "hpet"})
        self.costs("huge pages", "madvise",
                   {"sys/kernel/mm/transparent_hugepage/enabled": "always madvise [never]"})
        self.costs("swap", "swapoff", {"proc/swaps": "Filename\n/swap file 1 0 -2"})
        self.costs("receive buffer", "tcp_rmem",
                   {"proc/sys/net/ipv4/tcp_rmem": "4096\t131072\t6291456"})
        self.costs("source.receive_buffer_bytes", "rmem_max=33554432",
                   {"proc/sys/net/core/rmem_max": "212992"},
                   "--set", "source.receive_buffer_bytes=32MiB")
        self.costs("network", "9000", {f"{net}/mtu": "1500"})
        self.assertIn("eth1: speed unknown, MTU 9000",
                      self.machine({f"{net}/speed": "-1"})["network"][0][1])
        self.costs("network", "ethtool", {f"{net}/statistics/rx_missed_errors": "17"})
        self.costs("io_uring", "page cache", {"proc/sys/kernel/io_uring_disabled": "2"})

    def test_advice_that_the_configuration_makes_needless_is_not_given(self):
        found = self.machine({"proc/sys/kernel/io_uring_disabled": "2"},
                             "--set", "writer.io=cached")
        self.assertNotIn("io_uring", found)
        self.assertEqual("warning", found["dirty pages"][0][0])
        self.assertNotIn("dirty pages", self.machine({}, "--set", "writer.io=direct"))
        two = {"sys/devices/system/node/online": "0-1"}
        found = self.machine(two, "--set", "source.cpu=0", "--set", "writer.cpu=1")
        self.assertEqual("ok", found["memory nodes"][0][0])

    def test_an_idle_state_that_is_switched_off_does_not_count(self):
        cpu = "sys/devices/system/cpu/cpu0/cpuidle/state2"
        found = self.machine({f"{cpu}/latency": "400", f"{cpu}/disable": "1"})
        self.assertEqual("ok", found["idle states"][0][0])

    def test_a_limit_on_locked_memory_matters_only_without_the_capability(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (8 << 20, 8 << 20))
        self.costs("locked memory", "LimitMEMLOCK",
                   {"proc/self/status": "CapEff:\t0000000000000000"}, preexec_fn=limit)

    def test_the_floors_are_measured_and_nothing_is_left_behind(self):
        found = self.doctor("--quick")
        for name in ("memory copy", "bslz4", "receiving", "until safe"):
            self.assertEqual("ok", found[name][0][0], found)
        self.assertIn("disk rate", found)  # a warning where O_DIRECT is refused
        self.assertEqual([], os.listdir(self.directory))

    def test_settings_alone_take_a_moment_and_measure_nothing(self):
        found = self.doctor("--no-measure")
        self.assertIn("processors", found)
        self.assertIn("file system", found)
        self.assertNotIn("disk rate", found)

    def test_a_directory_that_cannot_be_written_is_a_failure(self):
        locked = os.path.join(self.directory, "file")
        open(locked, "w").close()
        found = self.doctor("--quick", "--directory", locked, code=1)
        self.assertIn("failed", [state for state, _ in found["disk rate"]])

    def test_a_directory_that_is_not_there_is_said_and_not_made(self):
        missing = os.path.join(self.directory, "missing")
        found = self.doctor("--quick", "--directory", missing)
        self.assertTrue(any("not there" in text for _, text in found["file system"]), found)
        self.assertFalse(os.path.exists(missing))

    def test_a_signal_ends_it_and_cleans_up(self):
        process = subprocess.Popen([e2e.SLUICE, "doctor", "--directory", self.directory],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not os.listdir(self.directory) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        self.assertEqual(1, process.returncode)
        self.assertIn("stopped by a signal", said)
        self.assertEqual([], os.listdir(self.directory))

    def test_wrong_use_is_refused(self):
        for options in (["--root", "/no/such"], ["--set", "no.key=1"], ["more"], ["--what"],
                        ["--directory"]):
            done = subprocess.run([e2e.SLUICE, "doctor", *options], capture_output=True, text=True)
            self.assertEqual(2, done.returncode, options)
            self.assertNotEqual("", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)

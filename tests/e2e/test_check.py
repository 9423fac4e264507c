# SPDX-License-Identifier: Apache-2.0
"""`sluice ingest --check`: everything that would stop `sluice ingest` is found and named, one line
each, nothing is started, made or left behind, and the exit code says whether it would run."""
import json
import os
import resource
import socket
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402


def few_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (70, 70))


class Check(e2e.Case):
    def run_check(self, *settings, options=(), **more):
        command = [e2e.SLUICE, "ingest", "--check", *options]
        for s in (f"source.endpoint={self.detector.endpoint}",
                  f"writer.directory={self.directory}",
                  f"instance.state_directory={self.directory}", *settings):
            command += ["--set", s]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, **more)

    def check(self, *settings, code=0, options=(), **more):
        """The list, as {name: [(state, text)…]}."""
        done = self.run_check(*settings, options=["--json", *options], **more)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        out = {}
        for c in json.loads(done.stdout)["checks"]:
            out.setdefault(c["name"], []).append((c["state"], c["text"]))
        return out

    def failed(self, name, text, *settings, **more):
        """This one failed, saying this, and nothing else did."""
        checks = self.check(*settings, code=1, **more)
        bad = [(n, t) for n, found in checks.items() for s, t in found if s == "failed"]
        self.assertEqual([name], [n for n, _ in bad], checks)
        self.assertIn(text, bad[0][1])

    def warned(self, name, text, *settings, **more):
        checks = self.check(*settings, **more)
        self.assertTrue([t for s, t in checks[name] if s == "warning" and text in t], checks)

    def test_all_is_well_and_nothing_is_left(self):
        checks = self.check("notify.endpoint=tcp://127.0.0.1:*", "writer.cpu=0")
        for name in ("configuration", "instance.name", "source.endpoint", "notify.endpoint",
                     "writer.name", "writer.directory", "free space", "memory",
                     "file descriptors", "HDF5 filters"):
            self.assertIn(name, checks)
        for name in ("source.endpoint", "notify.endpoint", "writer.directory"):
            self.assertEqual("ok", checks[name][0][0], checks)
        self.assertEqual([], os.listdir(self.directory))

    def test_the_list_for_people(self):
        done = self.run_check("source.endpoint=tcp://127.0.0.1:1")
        self.assertEqual(0, done.returncode)
        lines = done.stdout.splitlines()
        self.assertTrue(any(line.startswith("warning  source.endpoint: nobody answers")
                            for line in lines), lines)
        self.assertRegex(lines[-1], r"^\d+ checks, 0 failed, (1 warning|\d+ warnings)$")

    def test_endpoints(self):
        self.warned("source.endpoint", "nobody answers",
                    f"source.endpoint=ipc://{self.directory}/x")
        self.failed("source.endpoint", "resolved", "source.endpoint=tcp://no-such-host.invalid:1")
        self.failed("source.endpoint", "cannot connect to", "source.endpoint=ipc:///" + "x" * 200)
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            taken = f"tcp://127.0.0.1:{busy.getsockname()[1]}"
            self.failed("source.endpoint", "in use", "source.mode=bind", f"source.endpoint={taken}")
            self.failed("notify.endpoint", "in use", f"notify.endpoint={taken}")
            self.failed("http.listen", "in use", f"http.listen={taken[6:]}")
        with socket.socket(socket.AF_UNIX) as busy:
            busy.bind(f"{self.directory}/busy")
            busy.listen()
            for key in ("notify.endpoint", "source.endpoint"):
                self.failed(key, "in use", "source.mode=bind", f"{key}=ipc://{self.directory}/busy",
                            *(["source.endpoint=tcp://127.0.0.1:*"] if key[0] == "n" else []))
            with socket.socket(socket.AF_UNIX) as peer:
                peer.connect(f"{self.directory}/busy")  # it is still the one that listens there
        os.unlink(f"{self.directory}/busy")
        self.check(f"notify.endpoint=ipc://{self.directory}/free")
        self.failed("notify.endpoint", "No such file", f"notify.endpoint=ipc://{self.directory}/no/n")
        self.assertEqual([], os.listdir(self.directory))  # libzmq would leave its own there
        self.assertEqual("ok", self.check("http.listen=0")["http.listen"][0][0])
        self.failed("http.listen", "http.token_file", "http.listen=0.0.0.0:0")
        self.failed("http.listen", "none", "http.listen=0", f"http.token_file={self.directory}/none")

    def test_keys(self):
        d = self.directory
        for name in ("a", "b"):
            subprocess.run([e2e.SLUICE, "keygen", f"{d}/{name}"], check=True, capture_output=True)
        with open(f"{d}/a.key", encoding="ascii") as a, open(f"{d}/b.key_secret", encoding="ascii") as b:
            mixed = a.read() + b.read()[len("metadata\ncurve\n"):]  # the public key of a comes first
        with open(f"{d}/mixed", "w", encoding="ascii", opener=lambda *x: os.open(*x, 0o600)) as f:
            f.write(mixed)
        notices, peer = f"notify.endpoint=ipc://{d}/n", f"source.curve_server_file={d}/a.key"
        checks = self.check(notices, f"notify.curve_secret_file={d}/a.key_secret", peer,
                            f"source.curve_secret_file={d}/b.key_secret")
        for name in ("notify.endpoint", "source.curve_secret_file"):
            self.assertEqual("ok", checks[name][0][0], checks)
        for file, text in (("none", "cannot read"), ("a.key", "no secret key"), ("mixed", "no pair")):
            self.failed("notify.endpoint", text, notices, f"notify.curve_secret_file={d}/{file}")
            self.failed("source.curve_secret_file", text, peer,
                        f"source.curve_secret_file={d}/{file}")
        self.failed("source.curve_server_file", "cannot read", "source.curve_server_file=/none")
        os.chmod(f"{d}/a.key_secret", 0o644)
        self.failed("source.curve_secret_file", "everybody", "source.mode=bind",
                    "source.endpoint=tcp://127.0.0.1:*", f"source.curve_secret_file={d}/a.key_secret")

    def test_no_message_of_the_detector_is_taken(self):
        self.check()
        ingest = self.ingest()
        self.check(code=0)  # also beside one that runs
        self.detector.send(*[e2e.start((4, 4), "u2", 0), e2e.end()])
        self.assertEqual(0, ingest.wait())

    def test_directories(self):
        d = self.directory
        with open(f"{d}/file", "w"):
            pass
        self.failed("writer.directory", "not a directory", f"writer.directory={d}/file")
        checks = self.check(f"writer.directory={d},{d}/to/be/made")
        self.assertIn("will be made in", checks["writer.directory"][1][1])
        self.assertFalse(os.path.exists(f"{d}/to"))
        self.failed("writer.directory", "cannot make a file", "writer.directory=/proc")
        self.failed("writer.group", "no group", "writer.group=no-such-group")
        self.failed("writer.name", "relative", "writer.name=../up")
        self.failed("instance.state_directory", "cannot write",
                    f"instance.state_directory={d}/file/x")

    def test_what_this_user_may_not(self):
        if os.geteuid() != 0:
            raise unittest.SkipTest("needs root, to become nobody")
        os.chmod(self.directory, 0o755)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        for path in ("locked", "open", "state"):
            os.mkdir(f"{self.directory}/{path}")
            os.chmod(f"{self.directory}/{path}", 0o755 if path == "locked" else 0o777)
        try:
            subprocess.run([e2e.SLUICE, "--version"], check=True, capture_output=True, **nobody)
        except OSError as reason:
            raise unittest.SkipTest(f"nobody cannot run {e2e.SLUICE}: {reason}") from None
        state = f"instance.state_directory={self.directory}/state"
        locked = f"writer.directory={self.directory}/locked"
        self.failed("writer.directory", "Permission denied", state, locked, **nobody)
        self.failed("writer.directory", "cannot be made in", state, locked + "/below", **nobody)
        self.failed("writer.group", "is this user in it?", state, "writer.group=root",
                    f"writer.directory={self.directory}/open", **nobody)
        self.assertEqual([], os.listdir(f"{self.directory}/open"))

    def test_space_memory_and_descriptors(self):
        self.failed("free space", "make room", options=["--need", str(2**60)])
        self.check(options=["--need", "1"])
        self.warned("free space", "writer.free_space_alarm_bytes",
                    "writer.free_space_alarm_bytes=1024TiB")
        self.failed("memory", "lower ring.memory_bytes_max", "ring.memory_bytes_max=64TiB")
        self.check("codec.memory_bytes_max=64TiB")  # not used
        self.failed("memory", "lower", "codec.memory_bytes_max=64TiB", "codec.filter=lz4")
        self.failed("memory", "source.rest_bytes", "source.rest_bytes=1TiB")
        self.check("source.rest_bytes=1TiB", "writer.from_messages=off")  # not used
        self.failed("file descriptors", "LimitNOFILE", preexec_fn=few_descriptors)
        self.warned("source.cpu", "cannot be used", "source.cpu=1023")
        self.warned("HDF5 filters", "no plugin", env={**os.environ,
                                                      "HDF5_PLUGIN_PATH": self.directory})

    def test_an_instance_that_runs(self):
        self.ingest(series=0, settings=["instance.name=one"])
        state = f"instance.state_directory={self.directory}/.state"
        self.failed("instance.name", "in use", state, "instance.name=one")
        self.check(state, "instance.name=two")

    def test_usage(self):
        self.assertEqual(2, self.run_check("ring.slots=0").returncode)
        self.assertEqual(2, self.run_check(options=["--need", "x"]).returncode)
        done = subprocess.run([e2e.SLUICE, "ingest", "--json"], capture_output=True, text=True)
        self.assertEqual(2, done.returncode)
        self.assertIn("--check", done.stderr)


if __name__ == "__main__":
    e2e.main()

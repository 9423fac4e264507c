# SPDX-License-Identifier: Apache-2.0
"""`sluice status`, `sluice arm` and `sluice stop` against a running ingest: what they print, their
exit codes, and what they say when nobody answers, or somebody else does."""
import json
import os
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (24, 32)


class Control(e2e.Case):
    def surface(self, settings=(), **more):
        return self.ingest(None, ["http.listen=127.0.0.1:0", "writer.free_space_alarm_bytes=0",
                                  *settings], **more)

    def send(self, ids, announced, end=True, number=1):
        who = {"series_id": number, "unique_id": f"series-{number}"}
        self.detector.send(e2e.start(SHAPE, "u2", announced, **who))
        for i in ids:
            self.detector.send(e2e.image(i, {"threshold_1": np.zeros(SHAPE, "u2")}, **who))
        if end:
            self.detector.send(e2e.end(number, who["unique_id"]))

    def command(self, *words, state=True):
        command = [e2e.SLUICE, *words]
        if state:
            command += ["--set", f"instance.state_directory={self.directory}/.state"]
        return command

    def run_verb(self, *words, state=True):
        """Exit code, stdout, stderr."""
        done = subprocess.run(self.command(*words, state=state), capture_output=True, text=True,
                              timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_the_instance_is_found_by_its_name_and_says_how_it_is(self):
        self.surface()
        code, out, err = self.run_verb("status")
        self.assertEqual((code, err), (0, ""))
        self.assertTrue(out.startswith("state        idle\n"), out)
        code, out, _ = self.run_verb("status", "--json")
        self.assertEqual((code, json.loads(out)["state"]), (0, "idle"))

    def test_arm_watch_stop(self):
        ingest = self.surface()
        code, out, err = self.run_verb("arm", "scan_1", "--directory", "a/b", "--images", "8", "--id",
                                       "x-7", "--shape", "24x32", "--dtype", "uint16")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("state        armed, acquisition x-7", out)
        self.assertIn("/a/b/scan_1_*", out)
        code, out, err = self.run_verb("arm", "scan_2")
        self.assertEqual((code, out), (1, ""))
        self.assertIn("armed already", err)
        self.send(range(5), 8, end=False)
        ingest.wait_counter("writer_images_visible", 5)
        self.assertIn("5 visible of 8", self.run_verb("status")[1])
        code, out, _ = self.run_verb("stop")
        self.assertEqual(code, 0)
        self.assertIn("last series  1: done, 5 of 8 images, ended by stop", out)
        self.assertEqual(self.run_verb("stop")[0], 0)
        self.assertTrue(os.path.exists(f"{self.directory}/a/b/scan_1_master.h5"))

    def test_wait_ends_with_the_series_and_its_losses(self):
        self.surface()
        for number, ids, want in ((1, range(6), 0), (2, range(4), 3)):
            waiting = subprocess.Popen(self.command("arm", f"n{number}", "--wait"), text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            while '"armed"' not in self.run_verb("status", "--json")[1]:
                self.assertIsNone(waiting.poll(), "it did not wait")
            self.send(ids, 6, number=number)
            out, err = waiting.communicate(timeout=30)
            self.assertEqual((waiting.returncode, err), (want, ""), out)
            self.assertIn("state        done", out)

    def test_the_service_is_found_without_naming_its_directory(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to write into /run/sluice")
        name = f"test-{os.getpid()}"
        i = e2e.Ingest(self.detector.endpoint, self.directory, None, umask=0o077, settings=[
            "http.listen=127.0.0.1:0", f"instance.name={name}", "instance.state_directory=/run/sluice"])
        self._open.append(i)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []}
        try:
            done = subprocess.run([e2e.SLUICE, "status", "--set", f"instance.name={name}"],
                                  capture_output=True, text=True, check=False, timeout=30, cwd="/",
                                  env={"XDG_RUNTIME_DIR": "/run/user/none"}, **nobody)
        except OSError as reason:
            self.skipTest(f"nobody cannot run {e2e.SLUICE}: {reason}")
        finally:
            i.signal()
            i.wait()
            os.unlink(f"/run/sluice/{name}.counters")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("state        idle", done.stdout)

    def test_nobody_there(self):
        code, _, err = self.run_verb("status")
        self.assertEqual(code, 1)
        self.assertIn("http.listen", err)
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        code, _, err = self.run_verb("status", "--url", f"http://127.0.0.1:{port}")
        self.assertEqual(code, 1)
        self.assertIn("Connection refused", err)

    def test_somebody_else_answers(self):
        answers = [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\n\r\nhello",
                   b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}", b"HTTP/1.1 20",
                   b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100000, b"\0" * 100, b"HTTP/1.1 200 OK\r\n\r\n[]",
                   b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (5 << 20)]
        with socket.create_server(("127.0.0.1", 0)) as server:
            def serve():
                for text in answers:
                    peer, _ = server.accept()
                    with peer:
                        peer.recv(4096)
                        try:
                            peer.sendall(text)
                        except OSError:
                            pass  # it had enough

            thread = threading.Thread(target=serve)
            thread.start()
            url = f"127.0.0.1:{server.getsockname()[1]}"
            for text in answers:
                code, _, err = self.run_verb("status", "--url", url)
                self.assertEqual(code, 1, text[:40])
                self.assertTrue(err.startswith("sluice status: "), err)
            thread.join()

    def test_a_token(self):
        path = f"{self.directory}/token"
        with open(path, "w", encoding="ascii") as f:
            f.write("0123456789abcdef\n")
        os.chmod(path, 0o600)
        self.surface(settings=[f"http.token_file={path}"])
        code, _, err = self.run_verb("status")
        self.assertEqual(code, 1)
        self.assertIn("(401)", err)
        self.assertEqual(self.run_verb("status", "--token-file", path)[0], 0)
        self.assertEqual(self.run_verb("status", "--set", f"http.token_file={path}")[0], 0)

    def test_usage(self):
        for words in (["status", "x"], ["stop", "--timeout", "0"], ["arm", "a", "b"],
                      ["arm", "--images", "-1"], ["arm", "--shape", "24"], ["status", "--url", "x"],
                      ["status", "--url", "http://a:b"], ["arm", "--nonsense"],
                      ["status", "--timeout", "x"], ["status", "--token-file", "/nowhere", "--url",
                                                     "localhost:1"]):
            code, out, err = self.run_verb(*words)
            self.assertEqual((code, out), (2, ""), words)
            self.assertNotEqual(err, "")
        for verb in ("status", "arm", "stop"):
            code, out, err = self.run_verb(verb, "--help", state=False)
            self.assertEqual((code, err), (0, ""))
            self.assertTrue(out.startswith(f"usage: sluice {verb}"))


if __name__ == "__main__":
    e2e.main()

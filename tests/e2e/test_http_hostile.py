# SPDX-License-Identifier: Apache-2.0
"""Clients that mean no good, or are broken: foreign hosts and origins, wrong tokens, headers and
bodies without end, a thousand idle connections, a request byte by byte, readers that do not read.
Each is refused or bounded, others still get through, and the images are written all the same."""
import contextlib
import os
import random
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import http_client  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (24, 32)
TOKEN = "0123456789abcdef-correct-horse"


class Hostile(e2e.Case):
    def surface(self, series=None, settings=(), listen="127.0.0.1:0", **headers):
        ingest = self.ingest(series, [f"http.listen={listen}", "writer.free_space_alarm_bytes=0",
                                      *settings])
        url = ingest.wait_said("HTTP on").split("HTTP on ")[1].split(",")[0].strip()
        return ingest, http_client.Client(url, **headers)

    def token_file(self, text=TOKEN, mode=0o600):
        path = f"{self.directory}/token"
        with open(path, "w", encoding="ascii") as f:
            f.write(text + "\n")
        os.chmod(path, mode)
        return path

    def send(self, count, number=1):
        pixels = np.zeros(SHAPE, "u2")
        who = {"series_id": number, "unique_id": f"series-{number}"}
        self.detector.send(e2e.start(SHAPE, "u2", count, **who))
        for i in range(count):
            self.detector.send(e2e.image(i, {"threshold_1": pixels}, **who))
        self.detector.send(e2e.end(number, who["unique_id"]))

    def assert_still_works(self, client, number=1):
        """Somebody else is answered in good time, and a series is written whole."""
        begin = time.monotonic()
        client.status()
        self.assertLess(time.monotonic() - begin, 10)
        self.send(20, number)
        status = client.wait_status(lambda s: s["state"] == "done" and s["series_id"] == number)
        self.assertEqual(status["frames_written"], 20)


class Senders(Hostile):
    def test_foreign_hosts_and_origins_are_refused(self):
        _, client = self.surface(settings=["http.host_names=beamline.example.org"])
        port = client.address[1]
        for host in ["evil.example.com", f"evil.example.com:{port}", "127.0.0.1.evil.com", "", "[::1",
                     "localhost:", "localhost:x", "127.0.0.1:1:2", "a@localhost", "localhost/"]:
            self.assertEqual(client.raw_code("GET", "/api/v1/status", f"Host: {host}"), 403, host)
        self.assertIn(client.raw_code("GET", "/api/v1/status"), (400, 403))  # no Host at all
        for host in ["localhost", f"127.0.0.1:{port}", "[::1]:80", "10.1.2.3", socket.gethostname(),
                     "Beamline.Example.org", f"LOCALHOST:{port}"]:
            self.assertEqual(client.raw_code("GET", "/api/v1/status", f"Host: {host}"), 200, host)
        here = f"Host: localhost:{port}"
        for origin in ["http://evil.example.com", "null", f"http://localhost:{port + 1}", "localhost",
                       f"http://localhost:{port}.evil.com", "file://"]:
            for path, method in (("/api/v1/status", "GET"), ("/api/v1/stop", "POST")):
                self.assertEqual(client.raw_code(method, path, here, f"Origin: {origin}",
                                                 "Content-Length: 0"), 403, origin)
        self.assertEqual(client.raw_code("GET", "/metrics", here, "Sec-Fetch-Site: cross-site"), 403)
        self.assertEqual(client.raw_code("POST", "/api/v1/stop", here, "Content-Length: 0",
                                         f"Origin: http://localhost:{port}"), 200)

    def test_requests_that_can_be_read_in_two_ways_are_refused(self):
        _, client = self.surface()
        hidden = b"POST /api/v1/arm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
        for lines in (["Host: localhost"], ["Content-Length: 0", f"Content-Length: {len(hidden)}"],
                      ["Transfer-Encoding: chunked", "Content-Length: 0"],
                      ["Origin: http://localhost", "Origin: http://localhost"],
                      ["Authorization: Bearer a", "Authorization: Bearer b"]):
            head = ["POST /api/v1/stop HTTP/1.1", "Host: localhost", *lines, "", ""]
            answer = client.raw("\r\n".join(head).encode() + hidden)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 "), (lines, answer))
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)
        # nor is the body of a refused request taken for the next one
        for head in ("Content-Type: text/plain", "Origin: http://evil.example.com"):
            answer = client.raw(f"POST /api/v1/stop HTTP/1.1\r\nHost: localhost\r\n{head}\r\n"
                                f"Content-Length: {len(hidden)}\r\n\r\n".encode() + hidden)
            self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)
        self.assertEqual(client.status()["state"], "idle")

    def test_the_token_is_needed_where_there_is_one(self):
        path = self.token_file()
        _, client = self.surface(settings=[f"http.token_file={path}"])
        for given in [None, "", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}x",
                      f"Bearer {TOKEN}{TOKEN}", f"Basic {TOKEN}", TOKEN, f"Bearer  {TOKEN}",
                      "Bearer " + "0" * len(TOKEN)]:
            headers = {} if given is None else {"Authorization": given}
            for method, what in (("GET", "/api/v1/status"), ("GET", "/metrics"), ("GET", "/events"),
                                 ("POST", "/api/v1/stop")):
                code, answer = client.ask(method, what, **headers)
                self.assertEqual((code, answer["reason"]), (401, "token"), given)
        self.assertEqual(client.get("/healthz")[0], 200)
        known = http_client.Client(client.url, Authorization=f"Bearer {TOKEN}")
        self.assertEqual(known.arm(name="a")[0], 200)
        self.assertEqual(known.stop()[0], 200)

    def assert_not_started(self, *settings, words):
        ingest = self.ingest(None, settings, wait_ready=False)
        self.assertEqual(ingest.wait(20), 2)
        self.assertTrue(ingest.said(words), ingest.log)

    def test_addresses_that_others_reach_need_a_token(self):
        for listen in ("0.0.0.0:0", "*:0", "[::]:0"):
            self.assert_not_started(f"http.listen={listen}", words="set http.token_file")
        for listen in ("nowhere", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:80", ":80", "[::1]"):
            self.assert_not_started(f"http.listen={listen}", words="http.listen")
        listen = "http.listen=127.0.0.1:0"
        self.assert_not_started(listen, "http.token_file=/nowhere", words="cannot read")
        self.assert_not_started(listen, f"http.token_file={self.token_file(mode=0o644)}",
                                words="everybody may read")
        self.assert_not_started(listen, f"http.token_file={self.token_file('short')}",
                                words="16 to")
        self.assert_not_started(listen, f"http.token_file={self.token_file('two words are too many')}",
                                words="16 to")
        _, client = self.surface(listen="0.0.0.0:0",
                                 settings=[f"http.token_file={self.token_file()}"])
        client = http_client.Client(f"http://127.0.0.1:{client.address[1]}",
                                    Authorization=f"Bearer {TOKEN}")
        self.assertEqual(client.status()["state"], "idle")

    def test_a_port_that_is_taken_is_said(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assert_not_started(f"http.listen={port}", words="Address already in use")


class Load(Hostile):
    def test_requests_beyond_the_bounds(self):
        _, client = self.surface()
        here = "Host: localhost"
        self.assertIn(client.raw_code("GET", "/" + "a" * 70000, here), (0, 400, 414, 431))
        self.assertIn(client.raw_code("GET", "/api/v1/status", here, "X: " + "b" * 70000),
                      (0, 400, 413, 431))
        many = [f"X-{i}: y" for i in range(5000)]
        self.assertIn(client.raw_code("GET", "/api/v1/status", here, *many), (0, 400, 413, 431))
        json = "Content-Type: application/json"
        for length in ("20000", "99999999999999", "18446744073709551616", "-1", "x"):
            self.assertIn(client.raw_code("POST", "/api/v1/arm", here, json,
                                          f"Content-Length: {length}"), (0, 400, 413), length)
        chunks = b"".join(b"1000\r\n" + b" " * 4096 + b"\r\n" for _ in range(40)) + b"0\r\n\r\n"
        self.assertIn(client.raw_code("POST", "/api/v1/arm", here, json, "Transfer-Encoding: chunked",
                                      body=chunks), (0, 413))
        self.assertEqual(client.raw_code("GET", "/api/v1/status", here, "Content-Length: 5",
                                         body=b"hello"), 413)
        self.assert_still_works(client)

    def test_bytes_that_are_no_requests(self):
        _, client = self.surface()
        rng = random.Random(20261122)
        print("seed 20261122")
        seed = b"POST /api/v1/arm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n" \
               b"Content-Type: application/json\r\n\r\n{\"name\":\"x\"}"
        for _ in range(150):
            data = bytearray(seed)
            for _ in range(rng.randint(1, 8)):
                where = rng.randrange(len(data))
                kind = rng.randrange(3)
                if kind == 0:
                    data[where] = rng.randrange(256)
                elif kind == 1:
                    del data[where:where + rng.randint(1, 9)]
                else:
                    data[where:where] = rng.randbytes(rng.randint(1, 9))
            with client.connect() as s:
                s.sendall(bytes(data) or b"\n")
                s.shutdown(socket.SHUT_WR)
                s.settimeout(40)
                try:
                    while s.recv(65536):
                        pass
                except ConnectionResetError:
                    pass
        client.stop()
        self.assert_still_works(client)

    def test_a_thousand_idle_connections(self):
        ingest, client = self.surface(settings=["http.connections_max=64"])
        files = len(os.listdir(f"/proc/{ingest.process.pid}/fd"))
        with contextlib.ExitStack() as idle:
            for _ in range(1000):
                s = idle.enter_context(socket.socket())
                s.setblocking(False)
                s.connect_ex(client.address)
            self.assert_still_works(client)
            more = len(os.listdir(f"/proc/{ingest.process.pid}/fd")) - files
            self.assertLess(more, 64 + 16 + 16, "idle connections are kept without a bound")

    def test_a_request_byte_by_byte_does_not_last(self):
        _, client = self.surface()
        slow = [client.connect() for _ in range(20)]
        body = client.connect()
        body.sendall(b"POST /api/v1/arm HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
                     b"Content-Type: application/json\r\n\r\n")
        begin = time.monotonic()
        gone = set()
        while len(gone) < 21 and time.monotonic() - begin < 30:
            for s in [*slow, body]:
                if s in gone:
                    continue
                try:
                    s.sendall(b"x" if s is body else b"G")
                    s.setblocking(False)
                    if s.recv(100) == b"":
                        gone.add(s)
                except BlockingIOError:
                    pass
                except OSError:
                    gone.add(s)
                finally:
                    s.setblocking(True)
            time.sleep(0.5)
        self.assertEqual(len(gone), 21, "a trickle of bytes keeps a connection")
        for s in [*slow, body]:
            s.close()
        self.assert_still_works(client)

    def test_streams_are_bounded_and_nobody_waits_for_their_readers(self):
        ingest, client = self.surface(settings=["writer.flush_images=1"])
        deaf = []
        codes = []
        for _ in range(20):
            s = client.connect()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            codes.append(int(s.recv(12).split()[1]))
            deaf.append(s)
        self.assertEqual((codes.count(200), codes.count(503)), (16, 4))
        self.send(3000)
        status = client.wait_status(lambda s: s["state"] == "done")
        self.assertEqual(status["frames_written"], 3000)
        for s in deaf:
            s.close()
        self.assertEqual(ingest.counter("writer_notices_left_out"), 0)
        deadline = time.monotonic() + 20  # the places of those that went are given to others
        while True:
            with client.connect() as s:
                s.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
                if s.recv(12).split()[1] == b"200":
                    break
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)

    def test_arms_and_stops_at_once_leave_a_state_that_makes_sense(self):
        _, client = self.surface()
        answers = []

        def hammer(who):
            rng = random.Random(who)
            for k in range(25):
                answers.append(client.arm(name=f"n{who}-{k}")[0] if rng.random() < 0.5
                               else client.stop()[0])

        threads = [threading.Thread(target=hammer, args=[w]) for w in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        self.assertEqual(len(answers), 150)
        self.assertLessEqual(set(answers), {200, 409})
        self.assertEqual(client.stop()[1]["state"], "idle")
        self.assert_still_works(client)


if __name__ == "__main__":
    e2e.main()

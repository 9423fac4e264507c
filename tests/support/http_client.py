# SPDX-License-Identifier: Apache-2.0
"""An HTTP client for the tests, on urllib, and raw requests for what no client would send."""
import json
import socket
import time
import urllib.error
import urllib.parse
import urllib.request


class Client:
    """The surface of one ingest; `headers` go with every request."""

    def __init__(self, url, **headers):
        self.url, self.headers = url, {k.replace("_", "-"): v for k, v in headers.items()}
        parts = urllib.parse.urlsplit(url)
        self.address = (parts.hostname, parts.port)

    def ask(self, method, path, body=None, timeout=20, **headers):
        """Code and JSON (or text) of an answer, also of a refusal."""
        given = {**self.headers, **{k.replace("_", "-"): v for k, v in headers.items()}}
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            given.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=given)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                code, kind, text = answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as refusal:
            code, kind, text = refusal.code, refusal.headers["Content-Type"], refusal.read()
        return code, json.loads(text) if kind == "application/json" else text.decode()

    def get(self, path, **more):
        return self.ask("GET", path, **more)

    def status(self):
        code, status = self.get("/api/v1/status")
        if code != 200:
            raise AssertionError(f"status: {code} {status}")
        return status

    def arm(self, **body):
        return self.ask("POST", "/api/v1/arm", body)

    def stop(self, **body):
        return self.ask("POST", "/api/v1/stop", body or None, timeout=60)

    def wait_status(self, what, timeout=20):
        """The first status for which `what` holds."""
        deadline = time.monotonic() + timeout
        while True:
            status = self.status()
            if what(status):
                return status
            if time.monotonic() > deadline:
                raise AssertionError(f"it does not come: {status}")
            time.sleep(0.01)

    def connect(self, timeout=20):
        return socket.create_connection(self.address, timeout)

    def raw(self, data, timeout=20):
        """Whatever comes back for these bytes until the other side closes."""
        with self.connect(timeout) as s:
            try:
                s.sendall(data)
            except OSError:
                pass  # refused before all of it was sent
            answer = b""
            try:
                while part := s.recv(65536):
                    answer += part
            except ConnectionResetError:
                pass
            return answer

    def raw_code(self, method, path, *lines, body=b"", timeout=20):
        """The status code of a request written by hand; 0: closed without an answer."""
        head = [f"{method} {path} HTTP/1.1", *lines, "Connection: close", "", ""]
        data = "\r\n".join(head).encode("latin-1") + body
        answer = self.raw(data, timeout)
        return int(answer.split(None, 2)[1]) if answer.startswith(b"HTTP/") else 0

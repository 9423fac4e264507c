# SPDX-License-Identifier: Apache-2.0
"""Encrypted ZeroMQ: notices to listeners that know our key, images from senders that do; key files
from `sluice keygen` and from pyzmq; whoever has no key, or another one, gets nothing."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import numpy as np  # noqa: E402
import zmq  # noqa: E402
import zmq.auth  # noqa: E402

SHAPE = (8, 8)


class Curve(e2e.Case):
    def setUp(self):
        super().setUp()
        if not zmq.has("curve"):
            super().tearDown()
            self.skipTest("this libzmq has no CURVE")
        self.context = zmq.Context()

    def tearDown(self):
        self.context.destroy(linger=0)
        super().tearDown()

    def keygen(self, name, want=0):
        done = subprocess.run([e2e.SLUICE, "keygen", f"{self.directory}/{name}"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, want, done.stderr)
        return f"{self.directory}/{name}.key_secret", f"{self.directory}/{name}.key"

    def socket(self, kind, **options):
        s = self.context.socket(kind)
        s.setsockopt(zmq.RCVTIMEO, 20000)
        s.setsockopt(zmq.SNDTIMEO, 20000)
        for name, value in options.items():
            s.setsockopt(getattr(zmq, name), value)
        return s

    def client_keys(self, server_public):
        public, secret = zmq.curve_keypair()
        return {"CURVE_SERVERKEY": server_public, "CURVE_PUBLICKEY": public, "CURVE_SECRETKEY": secret}

    def series(self, number=1, images=3):
        who = {"series_id": number, "unique_id": f"series-{number}"}
        yield e2e.start(SHAPE, "u2", images, **who)
        for i in range(images):
            yield e2e.image(i, {"threshold_1": np.full(SHAPE, i, "u2")}, **who)
        yield e2e.end(number, who["unique_id"])

    def test_keygen_writes_what_pyzmq_reads(self):
        secret_file, public_file = self.keygen("own")
        public, secret = zmq.auth.load_certificate(secret_file)
        self.assertEqual(zmq.curve_public(secret), public)
        self.assertEqual(zmq.auth.load_certificate(public_file), (public, None))
        self.assertEqual(os.stat(secret_file).st_mode & 0o777, 0o600)
        self.keygen("own", want=1)  # nothing is overwritten
        self.assertEqual(zmq.auth.load_certificate(secret_file), (public, secret))

    def test_notices_reach_only_listeners_with_the_key(self):
        # pyzmq's own files are as good
        _, secret_file = zmq.auth.create_certificates(self.directory, "pyzmq")
        os.chmod(secret_file, 0o600)
        public, _ = zmq.auth.load_certificate(secret_file)
        endpoint = f"ipc://{self.directory}/notices"
        ingest = self.ingest(2, [f"notify.endpoint={endpoint}",
                                 f"notify.curve_secret_file={secret_file}"])
        other, _ = zmq.curve_keypair()
        good = self.socket(zmq.SUB, SUBSCRIBE=b"", **self.client_keys(public))
        plain = self.socket(zmq.SUB, SUBSCRIBE=b"")
        wrong = self.socket(zmq.SUB, SUBSCRIBE=b"", **self.client_keys(other))
        monitor = good.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        for s in (plain, wrong, good):
            s.connect(endpoint)
        self.assertTrue(monitor.poll(20000), "no handshake")
        good.disable_monitor()
        monitor.close(0)
        self.detector.send(*self.series(1))
        ingest.wait_summaries(1)
        self.detector.send(*self.series(2))  # the subscription is there by now
        self.assertEqual(ingest.wait(), 0)
        self.assertEqual(good.recv_multipart()[0], b"sluice")
        for s in (plain, wrong):
            self.assertEqual(s.poll(300), 0, "a notice without the key")

    def test_a_detector_with_a_key(self):
        secret_file, _ = self.keygen("detector")
        _, public_file = self.keygen("other")
        public, secret = zmq.auth.load_certificate(secret_file)
        server = self.socket(zmq.PUSH, CURVE_SERVER=1, CURVE_PUBLICKEY=public,
                             CURVE_SECRETKEY=secret, LINGER=0)
        endpoint = f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}"
        wrong = self.ingest(1, [f"source.curve_server_file={public_file}"], endpoint=endpoint,
                            directory=f"{self.directory}/wrong")
        self.assertIn("source.curve_", wrong.wait_said("connected, but not for long"))
        ingest = self.ingest(1, [f"source.curve_server_file={secret_file[:-len('_secret')]}",
                                 "instance.name=right"], endpoint=endpoint)
        for message in self.series():
            server.send(message)
        self.assertEqual(ingest.wait(), 0)
        self.assert_counts(ingest.summaries[0], written=3, lost=0)

    def test_senders_need_our_key_where_we_bind(self):
        secret_file, public_file = self.keygen("ours")
        public, _ = zmq.auth.load_certificate(public_file)
        ingest = self.ingest(1, ["source.mode=bind", f"source.curve_secret_file={secret_file}"],
                             endpoint="tcp://127.0.0.1:*")
        plain = self.socket(zmq.PUSH, LINGER=0)
        plain.connect(ingest.bound_to())
        plain.send(b"hello")
        good = self.socket(zmq.PUSH, LINGER=5000, **self.client_keys(public))
        good.connect(ingest.bound_to())
        for message in self.series():
            good.send(message)
        self.assertEqual(ingest.wait(), 0)
        self.assert_counts(ingest.summaries[0], received=3, written=3, lost=0)
        self.assertEqual(ingest.counter("source_messages"), 5)

    def test_keys_that_cannot_be_used_are_said_at_the_start(self):
        secret_file, public_file = self.keygen("k")
        for setting, words in ((f"notify.curve_secret_file={public_file}", "no secret key"),
                               ("notify.curve_secret_file=/nowhere", "cannot read"),
                               ("source.curve_server_file=/nowhere", "cannot read"),
                               (f"source.curve_secret_file={secret_file}", "source.curve_server_file")):
            ingest = self.ingest(1, [setting, f"notify.endpoint=ipc://{self.directory}/n"],
                                 wait_ready=False)
            self.assertEqual(ingest.wait(20), 2, setting)
            self.assertTrue(ingest.said(words), ingest.log)


if __name__ == "__main__":
    e2e.main()

# SPDX-License-Identifier: Apache-2.0
"""libsluice-follow as others use it: installed into a scratch prefix, a program built against it by
pkg-config and by find_package, run on a growing series; and a C++ and a hostile use.

usage: reader_library.py BUILD_DIR SOURCE_DIR [unittest arguments]"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

try:
    import h5py  # noqa: F401
    import hdf5plugin  # noqa: F401
    import numpy as np
except ImportError as missing:
    print(f"SKIP: {missing} (Debian: python3-h5py python3-hdf5plugin python3-numpy)")
    sys.exit(77)

SUPPORT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support")
sys.path.insert(0, SUPPORT)
import swmr_set  # noqa: E402

BUILD, SOURCE = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
EXAMPLE = os.path.join(SOURCE, "readers/library/example")
for tool in ("cmake", "cc", "pkg-config", "nm"):
    if not shutil.which(tool):
        print(f"SKIP: no {tool}")
        sys.exit(77)


def run(*command, **more):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


class Writer:
    """swmr_set.py as a process."""

    def __init__(self, s):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(SUPPORT, "swmr_set.py"), json.dumps(s)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "ok\n"

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class ReaderLibrary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        cls.prefix = os.path.join(cls.scratch.name, "prefix")
        for component in ("runtime", "development"):
            run("cmake", "--install", BUILD, "--prefix", cls.prefix, "--component", component)
        found = [os.path.join(d, f) for d, _, files in os.walk(cls.prefix) for f in files]
        cls.library = next(f for f in found if os.path.basename(f) == "libsluice-follow.so.0")
        cls.libdir = os.path.dirname(cls.library)
        cls.environment = {**os.environ, "LD_LIBRARY_PATH": cls.libdir,
                           "PKG_CONFIG_PATH": os.path.join(cls.libdir, "pkgconfig")}
        cls.flags = run("pkg-config", "--cflags", "--libs", "sluice-follow",
                        env=cls.environment).split()
        cls.by_pkg_config = cls.compile("by_pkg_config", os.path.join(EXAMPLE, "follow_series.c"))

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    @classmethod
    def compile(cls, name, source, compiler="cc"):
        program = os.path.join(cls.scratch.name, name)
        run(compiler, "-Wall", "-Wextra", "-Werror", source, *cls.flags, "-o", program)
        return program

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def spec(self, **changes):
        return swmr_set.spec(directory=self.folder, **changes)

    def line(self, s, image, channel):
        p, m = swmr_set.pixels(s, image, channel), swmr_set.mask(s, channel)
        total = int(p[(m & 0xFFFF) == 0].sum(dtype="u8"))
        return [image, channel, total, image % s["per_file"] * .01]

    def check(self, s, out, images, lost=()):
        lines = [x.split() for x in out.splitlines()]
        self.assertEqual(lines.pop(), ["end", "complete", str(max(images) + 1)])
        self.assertEqual(sorted(int(x[0]) for x in lines if x[1] == "lost"), list(lost))
        got = [[int(x[0]), x[1], float(x[2]), float(x[3])] for x in lines if x[1] != "lost"]
        self.assertEqual(sorted(got), [self.line(s, i, c) for i in images for c in s["channels"]])

    def follow(self, program):
        """A consumer that is there before the files, and one that comes in the middle."""
        s = self.spec(channels=["threshold_1", "threshold_2"])
        start = lambda: subprocess.Popen([program, self.folder + "/run_master.h5"],  # noqa: E731
                                         stdout=subprocess.PIPE, text=True, env=self.environment)
        early = start()
        w = Writer(s)
        for i in range(12):
            w.do(write=[i], flush=True)
        first = early.stdout.readline()  # while the writer has the file open
        self.assertEqual(first.split()[:2], ["0", "threshold_1"])
        late = start()
        w.do(write=[14, 13], flush=True)
        w.do(write=list(range(16, 23)), flush=True, close=0)
        w.do(state="done")
        w.end()
        out = late.communicate(timeout=60)[0]
        images = [i for i in range(23) if i not in (12, 15)]
        self.check(s, out, images, lost=(12, 15))
        rest = early.stdout.read()
        early.stdout.close()
        early.wait(60)
        self.check(s, first + rest, images, lost=(12, 15))
        self.assertEqual((early.returncode, late.returncode), (0, 0))

    def test_a_program_built_by_pkg_config_follows_a_growing_series(self):
        self.follow(self.by_pkg_config)

    def test_a_program_built_by_find_package_follows_a_growing_series(self):
        build = os.path.join(self.scratch.name, "by_cmake")
        run("cmake", "-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        run("cmake", "--build", build)
        self.follow(os.path.join(build, "follow_series"))

    def test_only_the_interface_is_visible(self):
        symbols = [x.split()[-1].split("@")[0] for x in
                   run("nm", "-D", "--defined-only", self.library).splitlines()]
        self.assertTrue(all(x.startswith("sluice_reader_") or x == "SLUICE_FOLLOW_0"
                            for x in symbols), symbols)
        with open(os.path.join(self.prefix, "include/sluice/follow.h")) as f:
            header = f.read()
        for symbol in symbols:
            self.assertIn(symbol + "(" if symbol[0] == "s" else "", header)

    def test_the_header_is_valid_cxx(self):
        compiler = shutil.which("c++") or shutil.which("g++")
        if not compiler:
            self.skipTest("no C++ compiler")
        source = os.path.join(self.folder, "x.cc")
        with open(source, "w") as f:
            f.write('#include <sluice/follow.h>\n#include <cstdio>\n'
                    'int main() { std::puts(sluice_reader_version()); return 0; }\n')
        out = run(self.compile("cxx", source, compiler), env=self.environment)
        self.assertRegex(out, r"^\d+\.\d+\.\d+\n$")

    def test_columns_chunks_and_wrong_use(self):
        s = self.spec(channels=["data"], per_file=4)
        w = Writer(s)
        w.do(write=[0, 1, 2, 3, 5], flush=True)
        w.do(state="done")
        w.end()
        with h5py.File(self.folder + "/run_data_000001.h5", "r") as f:
            chunk = f["entry/data/data"].id.read_direct_chunk((2, 0, 0))[1]
            arrival = int(f["entry/data/arrival_time"][2])
            checksum = int(f["entry/data/checksum"][2])
        program = self.compile("probe", os.path.join(SOURCE, "tests/interop/reader_probe.c"))
        out = json.loads(run(program, self.folder + "/run.nxs", env=self.environment))
        self.assertEqual(out["chunk_bytes"], len(chunk))
        self.assertEqual(out["chunk_sum"], int(np.frombuffer(chunk, "u1").sum(dtype="u8")))
        self.assertEqual((out["encoding"], out["image_id"]), (2, 3))
        self.assertEqual((out["arrival"], out["arrival_column"]), (arrival, arrival))
        self.assertEqual(out["checksum"], checksum)
        self.assertEqual(out["saturation"], s["saturation"])
        self.assertEqual(out["file"], self.folder + "/run_data_000001.h5")
        self.assertEqual(out["lost_image"], 4)
        # no column, an image dataset as column, a text that is none, a lost image, short buffer,
        # no channel: each its answer
        self.assertEqual(out["answers"], [3, 3, -2, 3, -3, 3])
        self.assertIn("no column nothing", out["message"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

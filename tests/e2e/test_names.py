# SPDX-License-Identifier: Apache-2.0
"""What files are called and who may touch them: patterns, hostile ids and channel names, names that
are taken, several directories, modes and groups."""
import grp
import hashlib
import os
import re
import stat
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "support"))
import sluice_e2e as e2e  # noqa: E402
import file_rules  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402

SHAPE = (12, 20)
SAFE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def pixels(image_id, channel=0):
    return np.random.default_rng(100 * channel + image_id).poisson(6, SHAPE).astype("u2")


class Names(e2e.Case):
    def messages(self, count=2, channels=("threshold_1",), **identity):
        planes = [{c: pixels(i, k) for k, c in enumerate(channels)} for i in range(count)]
        number = identity.get("series_id", 1)
        unique = identity.get("unique_id", "series-1")
        return [e2e.start(SHAPE, "u2", count, channels, **identity),
                *(e2e.image(i, p, **identity) for i, p in enumerate(planes)),
                e2e.end(number, unique)]

    def record(self, *messages, code=0, **how):
        """One series through a fresh ingest: its summary and process."""
        ingest = self.ingest(**how)
        self.detector.send(*messages)
        self.assertEqual(ingest.wait(), code, "".join(ingest.log))
        (summary,) = ingest.summaries
        return summary, ingest

    def files(self, directory=None):
        """All files below a directory, relative, without our state."""
        top = directory or self.directory
        return sorted(os.path.relpath(os.path.join(folder, name), top)
                      for folder, _, names in os.walk(top) for name in names
                      if ".state" not in os.path.relpath(folder, top).split("/"))

    def touch(self, name, content=b"not ours"):
        path = os.path.join(self.directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content)
        return path

    def fingerprints(self):
        """What every file is now: content and time."""
        prints = {}
        for name in self.files():
            path = os.path.join(self.directory, name)
            with open(path, "rb") as f:
                prints[name] = (hashlib.sha256(f.read()).hexdigest(), os.stat(path).st_mtime_ns,
                                os.stat(path).st_ino)
        return prints

    def assert_readable(self, summary, channels=1, count=2):
        """The images, through the links and virtual datasets of every master."""
        for master in [summary["master"]] + [
                os.path.join(os.path.dirname(summary["master"]), m) for m in
                self.files(os.path.dirname(summary["master"])) if m.endswith("_master.h5")]:
            self.assertEqual(file_rules.check_set(master), [])
        for path in summary["files"]:
            with h5py.File(path, "r") as f:
                images = file_rules.image_datasets(f)
                self.assertEqual(len(images), channels)
                for d in images.values():
                    self.assertEqual(len(d), count)

    # --- patterns

    def test_a_pattern_makes_sub_directories(self):
        days = [time.strftime("%Y%m%d", time.gmtime())]
        s, _ = self.record(*self.messages(series_id=7, unique_id="ABC-1"), settings=[
            "writer.name=$date/run_$id/${unique_id}_x", "writer.directory_mode=0751"])
        days.append(time.strftime("%Y%m%d", time.gmtime()))
        bases = [f"{day}/run_7/ABC-1_x" for day in days]
        base = next(b for b in bases if os.path.exists(f"{self.directory}/{b}_master.h5"))
        self.assertEqual(self.files(), [f"{base}.nxs", f"{base}_data_000001.h5",
                                        f"{base}_master.h5"])
        self.assertEqual(s["master"], f"{self.directory}/{base}_master.h5")
        for part in (base.split("/")[0], os.path.dirname(base)):
            self.assertEqual(stat.S_IMODE(os.stat(f"{self.directory}/{part}").st_mode), 0o751)
        self.assert_readable(s)

    def test_a_late_start_is_marked_behind_the_whole_name(self):
        start, *rest = self.messages()
        s, _ = self.record(*rest, settings=["writer.name=a/$id"])
        self.assertEqual(self.files(), ["a/1_nostart.nxs", "a/1_nostart_data_000001.h5",
                                        "a/1_nostart_master.h5"])
        self.assert_readable(s)

    def test_wrong_patterns_are_usage_errors(self):
        for pattern, said in (("/etc/$id", "relative"), ("../$id", "'..'"), ("a//b", "empty"),
                              ("a/$id/", "empty"), ("$user", "$unique_id"), ("x" * 200, "140")):
            with self.subTest(pattern):
                ingest = self.ingest(settings=[f"writer.name={pattern}"], wait_ready=False)
                self.assertEqual(ingest.wait(), 2)
                self.assertTrue(ingest.said("writer.name") and ingest.said(said), ingest.log)

    # --- what comes from outside

    def test_hostile_unique_ids_stay_one_safe_component(self):
        ids = ["../../x", "/etc/x", "..", ".", "", "a/b\\c:d*e?f", ".hidden", "-rf", "näme \u2603",
               "a\nb\tc", "$id", "%s%n", "x" * 127, "con nul", "`id`;ls"]
        os.mkdir(f"{self.directory}/in")
        ingest = self.ingest(series=len(ids), directory=f"{self.directory}/in",
                             settings=["writer.name=$unique_id"])
        for number, unique in enumerate(ids):
            self.detector.send(*self.messages(series_id=number, unique_id=unique))
        self.assertEqual(ingest.wait(), 0, "".join(ingest.log))
        self.assertEqual(self.files(), sorted(f"in/{n}" for n in self.files(f"{self.directory}/in")))
        names = self.files(f"{self.directory}/in")
        self.assertEqual(len(names), 3 * len(ids))
        for name in names:
            self.assertRegex(name, SAFE.pattern + r"\Z")
        self.assertEqual(len({s["master"] for s in ingest.summaries}), len(ids))
        for s in ingest.summaries:
            self.assertEqual(os.path.dirname(s["master"]), f"{self.directory}/in")
            self.assert_counts(s, received=2, written=2, lost=0)
        self.assert_readable(ingest.summaries[0])

    def test_a_unique_id_that_is_none_is_refused_with_its_reason(self):
        good = {"series_id": 2, "unique_id": "good"}
        for bad, said in (("../" * 1365, "too long"), ("a\0/../b", "NUL")):
            with self.subTest(said):
                s, ingest = self.record(*self.messages(unique_id=bad), *self.messages(**good),
                                        settings=["writer.name=$unique_id"], code=3)
                self.assertTrue(ingest.said("series_unique_id") and ingest.said(said), ingest.log)
                self.assert_counts(s, received=2, written=2, lost=0)
                self.assertEqual(self.files(), ["good.nxs", "good_data_000001.h5",
                                                "good_master.h5"])
                for name in self.files():
                    os.unlink(f"{self.directory}/{name}")

    def test_channel_names_that_are_unsafe_or_clash(self):
        sent = ["image_id", "data", "data_000001", "a b", "a_b", "a/b", "../x", "checksum_a_b",
                "finished", "9", "frame_status", "ä", "user_data", "c" * 63]
        s, _ = self.record(*self.messages(channels=sent))
        self.assert_counts(s, received=2, written=2, lost=0)
        with h5py.File(s["files"][0], "r") as f:
            found = {}
            for name, d in file_rules.image_datasets(f).items():
                self.assertRegex(name, r"[A-Za-z][A-Za-z0-9_]*\Z")
                self.assertFalse(name.startswith("data"))
                found[d.attrs["channel"].decode()] = d[()]
            self.assertEqual(len(found), len(sent))
            for k, channel in enumerate(sent):
                wanted = channel.replace("ä", "\\u00e4")
                self.assertIn(wanted, list(found))
                for i in range(2):
                    np.testing.assert_array_equal(found[wanted][i], pixels(i, k), channel)
        self.assertEqual(len(self.files()), 1 + 2 * len(sent))
        for name in self.files():
            self.assertRegex(name, SAFE.pattern + r"\Z")
        self.assertEqual(file_rules.check_data_file(s["files"][0]), [])
        self.assert_readable(s, channels=len(sent))

    # --- names that are taken

    def test_a_taken_name_gets_a_number_for_the_whole_set(self):
        self.record(*self.messages())
        for n in (2, 3):
            before = self.fingerprints()
            s, ingest = self.record(*self.messages())
            self.assertEqual(s["master"], f"{self.directory}/series_1_{n}_master.h5")
            self.assertEqual(s["files"], [f"{self.directory}/series_1_{n}_data_000001.h5"])
            self.assertTrue(os.path.exists(f"{self.directory}/series_1_{n}.nxs"))
            self.assertTrue(ingest.said(f"series_1_{n}"))
            after = self.fingerprints()
            self.assertEqual(len(after), len(before) + 3)
            self.assertEqual({k: after[k] for k in before}, before, "an old file was changed")
            self.assert_readable(s)

    def test_any_file_of_the_set_takes_the_name(self):
        channels = ("threshold_1", "threshold_2")
        takers = ["s_1.nxs", "s_2_master.h5", "s_3_threshold_2_master.h5", "s_4_threshold_2.nxs",
                  "s_5_data_000007.h5", "sub/s_6_data_000001.h5"]
        for name in takers:
            self.touch(name)
        before = self.fingerprints()
        for number, taker in enumerate(takers, 1):
            with self.subTest(taker):
                folder = os.path.dirname(taker)
                s, _ = self.record(*self.messages(channels=channels, series_id=number),
                                   settings=[f"writer.name={os.path.join(folder, 's_$id')}"])
                self.assertEqual(s["master"], os.path.join(self.directory, folder,
                                                           f"s_{number}_2_master.h5"))
        after = self.fingerprints()
        self.assertEqual({k: after[k] for k in before}, before, "an old file was changed")

    def test_names_that_only_begin_alike_are_free(self):
        for name in ("series_10_master.h5", "series_1_data", "series_1.h5", "series_1_other_master.h5"):
            self.touch(name)
        s, _ = self.record(*self.messages())
        self.assertEqual(s["master"], f"{self.directory}/series_1_master.h5")

    def test_a_name_that_is_taken_after_the_start_is_left_alone(self):
        start, *rest = self.messages()
        for name in ("series_1_data_000001.h5", "series_1_master.h5"):
            with self.subTest(name):
                ingest = self.ingest()
                self.detector.send(start)
                ingest.wait_said("series open")
                path = self.touch(name)
                self.detector.send(*rest)
                code = ingest.wait()
                with open(path, "rb") as f:
                    self.assertEqual(f.read(), b"not ours")
                (s,) = ingest.summaries
                self.assert_counts(s, received=2, written=2, lost=0)
                if "data" in name:
                    self.assertEqual(code, 0)
                    self.assertEqual(s["master"], f"{self.directory}/series_1_2_master.h5")
                    self.assert_readable(s)
                else:  # the images are there already, so the name cannot change
                    self.assertEqual((code, s["state"], s["master"]), (1, "failed", None))
                    self.assertTrue(ingest.said(f"{path}: the file is there"), ingest.log)
                    self.assertEqual(e2e.Files(s).columns["image_id"].tolist(), [1, 2])
                for other in self.files():
                    os.unlink(os.path.join(self.directory, other))

    # --- directories

    def test_a_relative_directory_gives_absolute_paths(self):
        s, _ = self.record(*self.messages(), directory="out/deep", cwd=self.directory)
        self.assertEqual(s["master"], f"{self.directory}/out/deep/series_1_master.h5")
        self.assertEqual(s["files"], [f"{self.directory}/out/deep/series_1_data_000001.h5"])
        self.assert_readable(s)

    def test_with_several_directories_the_first_is_used_and_all_are_looked_at(self):
        a, b = f"{self.directory}/a", f"{self.directory}/b"
        s, _ = self.record(*self.messages(), directory=f'["{a}", "{b}"]')
        self.assertEqual(s["master"], f"{a}/series_1_master.h5")
        self.assertEqual(self.files(b), [])
        self.touch("b/series_2_master.h5")
        s, _ = self.record(*self.messages(series_id=2), directory=f'["{a}", "{b}"]')
        self.assertEqual(s["master"], f"{a}/series_2_2_master.h5")

    def test_a_file_where_a_sub_directory_is_wanted_fails_the_series_and_harms_nothing(self):
        self.touch("sub")
        s, ingest = self.record(*self.messages(), code=1, settings=["writer.name=sub/s_$id"])
        self.assert_counts(s, received=2, written=0, failed=2, lost=2, state="failed")
        self.assertTrue(ingest.said(f"{self.directory}/sub"))
        self.assertEqual(self.files(), ["sub"])

    # --- who may touch them

    def test_modes_while_writing_and_when_finished(self):
        notices = f"ipc://{self.directory}/notices"
        ingest = self.ingest(settings=[
            "writer.mode=0664", "writer.images_per_file=2", "writer.name=sub/s_$id",
            "writer.directory_mode=0770", f"notify.endpoint={notices}"])
        listener = self.listen(notices)
        start, *images = self.messages(4)[:-1]

        def mode(name):
            return stat.S_IMODE(os.stat(f"{self.directory}/sub/s_1{name}").st_mode)

        self.detector.send(start, *images[:3])
        visible = 0
        while visible < 3:
            visible = listener.next()["images_visible"]
        self.assertEqual(mode("_data_000002.h5"), 0o664)
        late = time.monotonic() + 10  # the masters come between images, each when it is whole
        while time.monotonic() < late and not os.path.exists(f"{self.directory}/sub/s_1.nxs"):
            time.sleep(0.01)
        self.assertEqual(mode("_master.h5"), 0o664)
        self.assertEqual(mode(".nxs"), 0o664)
        self.assertEqual(stat.S_IMODE(os.stat(f"{self.directory}/sub").st_mode), 0o770)
        self.detector.send(images[3], e2e.end())
        self.assertEqual(ingest.wait(), 0)
        for name in ("_data_000001.h5", "_data_000002.h5", "_master.h5", ".nxs"):
            self.assertEqual(mode(name), 0o444, name)
        self.assert_readable(ingest.summaries[0])

    def test_the_group_is_given_to_files_and_directories(self):
        others = [g for g in os.getgroups() if g != os.getgid()]
        if os.geteuid() == 0:
            others = [g.gr_gid for g in grp.getgrall() if g.gr_gid != os.getgid()]
        if not others:
            raise unittest.SkipTest("no second group to give files to")
        self.record(*self.messages(), settings=[
            f"writer.group={grp.getgrgid(others[0]).gr_name}", "writer.name=sub/s_$id"])
        for name in ["sub"] + self.files():
            self.assertEqual(os.stat(f"{self.directory}/{name}").st_gid, others[0], name)
        self.assertEqual(len(self.files()), 3)

    def test_a_group_that_is_not_there_is_a_usage_error(self):
        ingest = self.ingest(settings=["writer.group=no_such_group"], wait_ready=False)
        self.assertEqual(ingest.wait(), 2)
        self.assertTrue(ingest.said("no_such_group"))


if __name__ == "__main__":
    e2e.main()

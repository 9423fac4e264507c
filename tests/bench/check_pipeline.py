# SPDX-License-Identifier: Apache-2.0
"""`sluice bench` for a moment: every round is valid, the figures of the JSON follow from its rounds,
nothing is left behind, peers that are not there or die are said, and so is wrong usage; every row of
the table of targets is measured or skipped with a word; a comparison finds what is worse. Times are
not judged."""
import copy
import glob
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

BIN = sys.argv[1]
DROP, PWRITE, DISK, INGEST, LIVE, PYTHON = (
    "pull-and-drop", "pull-and-pwrite", "disk, O_DIRECT", "sluice ingest", "ingest + reader",
    "python peer")
STAGES = ["received", "written", "visible", "read"]


def run(*arguments, directory="."):
    environment = dict(os.environ, TMPDIR=directory)  # messages are made there, too
    return subprocess.run([BIN, "bench", *arguments], cwd=directory, capture_output=True,
                          text=True, timeout=240, env=environment)


def near(a, b):
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b))


def check_latencies(case, round_):
    """A live reader sees every image at every stage, in order; others are not timed."""
    path = round_["sent_to_ms"]
    if round_["receiver"] == PYTHON and case["mode"] == "paced":
        assert list(path) == ["visible"], path
    elif round_["receiver"] == LIVE:
        assert list(path) == STAGES, path
        for before, after in zip(STAGES, STAGES[1:]):
            assert path[before]["p50"] <= path[after]["p50"], path
    else:
        assert path == {}, path
    for stage in path.values():
        values = [stage[q] for q in ("p50", "p90", "p99", "p99.9", "max")]
        assert values == sorted(values) and values[0] > 0, stage


def check_machine(round_):
    """What the host did is known of every round."""
    assert round_["steal_percent"] >= 0
    if len(os.sched_getaffinity(0)) > 1:
        assert round_["way_ns_before"] > 0 and round_["way_ns_after"] > 0, round_


def comparable(pairs):
    """Those between which the host moved no processors, or all where there are none."""
    def ways(pair):
        return [r[key] or 1 for r in pair for key in ("way_ns_before", "way_ns_after")]
    return [p for p in pairs if max(ways(p)) <= 2 * min(ways(p))] or pairs


def check_case(case, python):
    images, paced = case["images"], case["mode"] == "paced"
    expected = ([DROP, PWRITE] + ([] if paced else [DISK]) + [INGEST] + ([LIVE] if paced else []) +
                ([PYTHON] if python else []))
    assert [r["receiver"] for r in case["receivers"]] == expected
    assert len(case["rounds"]) == 2 * len(expected), "every round is kept"
    for round_ in case["rounds"]:
        if round_["receiver"] == DISK and round_["skipped"]:
            print("SKIP: the disk's own limit:", round_["reason"])
            continue
        assert round_["valid"], round_["reason"]
        assert round_["images"] == images and round_["bytes"] > 0
        assert round_["seconds"] > 0 and round_["cpu_seconds"] > 0
        assert (round_["latency_p50_ms"] is not None) == (
            round_["receiver"] in (INGEST, LIVE, PYTHON))
        check_latencies(case, round_)
        check_machine(round_)
    by = {(r["round"], r["receiver"]): r for r in case["rounds"]}
    rates, costs = [], []
    for number in range(2):
        drop, pwrite, ingest = (by[number, name] for name in (DROP, PWRITE, INGEST))
        disk = by.get((number, DISK))
        if disk and disk["valid"]:
            assert disk["bytes"] >= 0.5 * ingest["bytes"], "the disk was given too little"
        rates.append((ingest, drop))
        costs.append((ingest, pwrite))
    rates = [a["bytes"] / a["seconds"] / b["bytes"] * b["seconds"] for a, b in comparable(rates)]
    costs = [a["cpu_seconds"] / b["cpu_seconds"] for a, b in comparable(costs)]
    ingest = next(r for r in case["receivers"] if r["receiver"] == INGEST)
    assert near(ingest["rate_of_drop"]["median"], sum(rates) / len(rates))
    assert near(ingest["cpu_of_pwrite"]["median"], sum(costs) / len(costs))
    assert near(ingest["rate_of_drop"]["max"], max(rates))


def check_measured(directory):
    done = run("--quick", "--repeat", "2", "--made", "--set", "64x64", "--set", "r500k1",
               "--rate", "1000", "--json", "-", directory=directory)
    print(done.stderr)
    assert done.returncode == 0, done.returncode
    result = json.loads(done.stdout)
    assert result["all_valid"] and result["quick"] and result["machine"]["cores"] >= 1
    assert [(c["set"], c["mode"]) for c in result["cases"]] == [
        ("64x64", "burst"), ("64x64", "paced"), ("r500k1", "burst"), ("r500k1", "paced")]
    if result["python"] is None:
        print("SKIP: python peer:", result["python_skipped"])
    for case in result["cases"]:
        check_case(case, result["python"] is not None)
    assert os.listdir(directory) == [], "files are removed"


def check_rates(directory):
    """A share of the maximum needs a burst to know it from."""
    done = run("--quick", "--made", "--set", "64x64", "--rate", "80%", "--no-python", "--json",
               "-", directory=directory)
    assert done.returncode == 0, done.stderr
    burst, paced = json.loads(done.stdout)["cases"]
    rate = next(r for r in burst["receivers"] if r["receiver"] == INGEST)["images_per_s"]
    assert near(paced["rate_hz"], 0.8 * rate["median"]) and paced["share_of_maximum"] == 0.8
    alone = run("--quick", "--made", "--set", "64x64", "--mode", "paced", "--rate", "80%",
                "--no-python", directory=directory)
    assert alone.returncode == 0 and "SKIPPED: 80 %" in alone.stdout, alone.stdout


def check_faults(directory):
    lossy = run("--quick", "--made", "--set", "64x64", "--mode", "burst", "--no-python", "--key",
                "source.id_jump_max=1", "--key", "ring.memory_bytes_max=1MiB", "--key",
                "ring.overflow=drop", "--key", "ring.slots=1", directory=directory)
    print(lossy.stdout)
    assert lossy.returncode == 3 and "INVALID" in lossy.stdout, "lost images are no result"
    broken = run("--quick", "--made", "--set", "64x64", "--no-python", "--key", "no.such=1",
                 directory=directory)
    assert broken.returncode == 1 and "no.such" in broken.stderr, broken.stderr
    full = run("--made", "--set", "64x64", "--mode", "burst", "--no-python", "--images",
               "1000000000", directory=directory)
    assert full.returncode == 1 and "are free" in full.stderr, full.stderr
    assert os.listdir(directory) == []


def check_peers(directory):
    """An interpreter that is not there, one without the modules, and one that dies at work."""
    quick = ("--quick", "--made", "--set", "64x64", "--mode", "burst")
    absent = run(*quick, "--python", "/no/such/python3", directory=directory)
    assert absent.returncode == 0, absent.stderr
    assert "SKIPPED: python peer: /no/such/python3" in absent.stdout, absent.stdout
    script = os.path.join(directory, "python")
    for body, expected in (
            ("exit 1", "SKIPPED: python peer:"),
            ('case "$*" in *import*zmq,\\ numpy*) exit 0;; esac\necho "dead as planned" >&2\nexit 9',
             "INVALID: round 1 of python peer: the peer failed; the receiver said: dead as planned")):
        with open(script, "w", encoding="ascii") as out:
            out.write("#!/bin/sh\n" + body + "\n")
        os.chmod(script, stat.S_IRWXU)
        done = run(*quick, "--python", script, directory=directory)
        assert done.returncode == 0, (done.returncode, done.stderr)
        assert expected in done.stdout, done.stdout
    os.unlink(script)
    assert os.listdir(directory) == []


def check_targets(directory):
    """All rows, kernels and peers with them; the verdicts of a quick run mean nothing."""
    file = os.path.join(directory, "targets.json")
    done = run("--targets", "--quick", "--codec-library", os.devnull, "--json", file,
               directory=directory)
    print(done.stdout, done.stderr)
    assert done.returncode == 0, done.returncode
    assert "SKIPPED: codec library:" in done.stdout, "a library that is none is said"
    with open(file, encoding="utf-8") as text:
        result = json.load(text)
    figures = {f["name"]: f for f in result["figures"]}
    assert len(figures) == len(result["figures"]), "names are unique"
    assert len(result["targets"]) == 28
    for target in result["targets"]:
        figure = figures.get(target["figure"])
        expected = "skipped"
        if figure:
            sign = 1 if target["better"] == "more" else -1
            reached = [wanted is not None and sign * (figure["median"] - wanted) >= 0
                       for wanted in (target["must"], target["aim"])]
            expected = ("MISSED" if not reached[0] else "met, aim too" if reached[1] else "met")
            assert figure["target"] and figure["better"] == target["better"], figure
        assert target["verdict"] == expected and target["work"] in done.stdout, target
    measured = [t["work"] for t in result["targets"] if t["verdict"] != "skipped"]
    assert len(measured) >= (24 if result["python"] else 21), measured
    for figure in result["figures"]:
        assert figure["min"] <= figure["median"] <= figure["max"] and figure["rounds"] >= 1, figure
    check_memory(directory, done, result)
    return file, result


def check_kernel(directory):
    """One kernel by itself; its figures add up."""
    done = run("--kernels=record", "--quick", "--no-python", "--json", "-", directory=directory)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    values = {f["name"]: f["median"] for f in result["figures"]}
    assert values and all(name.startswith("kernel/record/") for name in values), values
    for name in ("one channel", "three channels, user data", "flushed by itself"):
        total, *parts = (values[f"kernel/record/{name}/{part}"]
                         for part in ("cpu_us_per_image", "append_cpu_us", "flush_cpu_us"))
        assert near(total, sum(parts)) and min(parts) > 0, values
    assert os.listdir(directory) == []


def check_memory(directory, done, result):
    """Three sets once more in memory; where there is none, that is said and the others go on."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", "/dev/shm"], capture_output=True, text=True)
    cases = [c["set"] for c in result["cases"] if c["directory"] == "/dev/shm"]
    if kind.stdout.strip() == "tmpfs" and "GB of memory are free" not in done.stdout:
        assert cases == ["r500k3", "e16m", "s256"], cases
        kinds = {c["file_system"] for c in result["cases"]}
        assert ("in memory beside disk" in done.stdout) == (len(kinds) > 1), kinds
        assert any(f["name"] == "e16m/burst/tmpfs/sluice ingest/rate_of_pwrite"
                   for f in result["figures"])
    else:
        print("SKIP: cases in memory: /dev/shm is", kind.stdout.strip() or "not there")
        assert cases == []
    none = run("--targets", "--quick", "--no-python", "--tmpfs", "/proc/self", directory=directory)
    assert none.returncode == 2 and "--tmpfs" in none.stderr, none.stderr


def write(directory, name, value):
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(value if isinstance(value, str) else json.dumps(value))
    return path


def check_compare(directory, file, result):
    same = run("--compare", file, file, directory=directory)
    assert same.returncode == 0 and " 0 better, 0 worse" in same.stdout, same.stdout
    for factor, code, word in ((2, 0, "better"), (0.5, 1, "WORSE")):
        changed = copy.deepcopy(result)
        figure = next(f for f in changed["figures"] if f["ratio"] and f["better"] == "more")
        for key in ("median", "min", "max"):
            figure[key] *= factor
        after = write(directory, "after.json", changed)
        done = run("--compare", file, after, directory=directory)
        line = next(l for l in done.stdout.splitlines() if figure["name"] in l)
        assert done.returncode == code and line.startswith(word), done.stdout
    noisy = copy.deepcopy(changed)  # half of it, but the ranges of the rounds touch
    for results in (noisy, result):
        one = next(f for f in results["figures"] if f["name"] == figure["name"])
        one.update(rounds=5, min=one["median"] * 0.4, max=one["median"] * 2)
    before = write(directory, "before.json", result)
    done = run("--compare", before, write(directory, "after.json", noisy), directory=directory)
    assert done.returncode == 0, done.stdout
    absolute = copy.deepcopy(result)
    for figure in absolute["figures"]:
        if not figure["ratio"] and not figure["target"] and figure["better"] == "more":
            figure.update({k: figure[k] * 0.1 for k in ("median", "min", "max")})
    after = write(directory, "after.json", absolute)
    assert run("--compare", before, after, directory=directory).returncode == 0
    assert run("--compare", before, after, "--all", directory=directory).returncode == 1
    other = dict(result, figures=[dict(result["figures"][0], name="other", ratio=True)])
    for unusable in ("no json", {"figures": []}, {"figures": [{"name": "x"}]}, other):
        bad = write(directory, "bad.json", unusable)
        done = run("--compare", before, bad, directory=directory)
        assert done.returncode == 2 and done.stderr, (unusable, done)
    assert run("--compare", before, "/no/such.json", directory=directory).returncode == 2


def check_usage():
    for wrong in (["--set", "none"], ["--repeat", "0"], ["--mode", "slow"], ["--rate", "-1"],
                  ["--rate", "101%"], ["--rate", "10x"], ["--receive", "drop"], ["--file", "x"],
                  ["--receive", "files", "--images", "1", "--endpoint", "x"],
                  ["--directory", "/no/such"], ["--compare", "x"], ["--all"],
                  ["--codec-library", "/no/such.so"], ["--kernels=none"], ["--made", "--replay", "."], ["word"]):
        done = run(*wrong)
        assert done.returncode == 2 and done.stderr and not done.stdout, wrong
    everything = run("--set", "all", "--images", "1000000000", "--mode", "burst", "--no-python")
    assert everything.returncode == 1 and "are free" in everything.stderr, everything.stderr
    assert run("--help").returncode == 0 and "r500k3" in run("--list").stdout


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
        return text.read().split()


def feeds_of_children(pid):
    """What ingests that it started share with live readers."""
    return [feed for child in children(pid) for feed in glob.glob(f"/dev/shm/sluice-live-{child}-*")]


def start_long(place):
    """A benchmark that goes on for a while, in a process group of its own, until an ingest of it
    has its feed."""
    os.makedirs(place, exist_ok=True)
    command = [BIN, "bench", "--set", "64x64", "--mode", "burst", "--no-python", "--images",
               "50000", "--repeat", "20", "--directory", place]
    bench = subprocess.Popen(command, env=dict(os.environ, TMPDIR=place), text=True,
                             start_new_session=True, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE)
    feeds = []
    deadline = time.monotonic() + 60
    while not feeds and bench.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
        feeds = feeds_of_children(bench.pid) if bench.poll() is None else []
    if not feeds:
        print("SKIP: no feed for live readers was seen before the signal")
    return bench, feeds


def check_stopped(directory):
    """A signal ends it with nothing left behind, in shared memory neither: to it alone, or to all
    of its processes, as a terminal sends it when it is closed."""
    place = os.path.join(directory, "stopped")
    for number, send in ((signal.SIGTERM, os.kill), (signal.SIGINT, os.kill),
                         (signal.SIGHUP, os.killpg)):
        bench, feeds = start_long(place)
        send(bench.pid, number)
        said = bench.communicate(timeout=60)[1]
        assert bench.returncode == 1 and "stopped by a signal" in said, (number, said)
        os.rmdir(place)  # which is empty
        assert not any(os.path.exists(feed) for feed in feeds), feeds


def folders(place):
    return glob.glob(os.path.join(place, "sluice-bench-*"))


def gone(pid):
    """No such process, or one that only waits for its parent to take note."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as text:
            return text.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def check_killed(directory):
    """What a killed one left is removed by the next one in the same directory, with a word; what
    another one or another machine uses is not, nor is a folder that only has such a name."""
    place = os.path.join(directory, "killed")
    killed, _ = start_long(place)
    left, pids = folders(place), children(killed.pid)
    killed.kill()
    killed.communicate(timeout=60)
    assert len(left) == 2 and folders(place), "messages and files"
    deadline = time.monotonic() + 60
    while not all(gone(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert all(gone(pid) for pid in pids), "children end with it"
    other = os.path.join(place, "sluice-bench-others")
    os.mkdir(other)
    elsewhere = os.path.join(place, "sluice-bench-elsewhere")  # on a file system with several
    os.makedirs(os.path.join(elsewhere, "files"))
    with open(os.path.join(elsewhere, "lock"), "w", encoding="ascii") as lock:
        lock.write(f"not-{os.uname().nodename}\n")
    living, _ = start_long(place)
    used = [path for path in folders(place) if path not in left + [other, elsewhere]]
    assert len(used) == 2 and not any(os.path.exists(path) for path in left), (left, used)
    done = run("--quick", "--made", "--set", "64x64", "--mode", "burst", "--no-python",
               directory=place)
    assert done.returncode == 0 and "killed" not in done.stderr, done.stderr
    assert living.poll() is None and all(os.path.isdir(path) for path in used)
    living.terminate()
    said = living.communicate(timeout=60)[1]
    for path in left:
        assert f"removed what a killed benchmark left: {path}" in said, said
    assert os.path.isdir(os.path.join(elsewhere, "files")), said
    shutil.rmtree(elsewhere)
    os.rmdir(other)
    os.rmdir(place)  # which is empty


def main():
    check_usage()
    with tempfile.TemporaryDirectory() as directory:
        check_measured(directory)
        check_rates(directory)
        check_faults(directory)
        check_stopped(directory)
        check_killed(directory)
        check_peers(directory)
        check_kernel(directory)
        check_compare(directory, *check_targets(directory))


main()

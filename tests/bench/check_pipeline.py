# SPDX-License-Identifier: Apache-2.0
"""`sluice bench` for a moment, on made frames: every round is valid, the figures of the JSON follow
from its rounds, nothing is left behind, and wrong usage is said. Times are not judged."""
import json
import os
import subprocess
import sys
import tempfile

BIN = sys.argv[1]
RECEIVERS = ["pull-and-drop", "pull-and-pwrite", "disk, O_DIRECT", "sluice ingest"]


def run(*arguments, directory="."):
    return subprocess.run([BIN, "bench", *arguments], cwd=directory, capture_output=True,
                          text=True, timeout=240)


def near(a, b):
    return abs(a - b) <= 1e-6 * max(abs(a), abs(b))


def check_case(case):
    images = case["images"]
    assert [r["receiver"] for r in case["receivers"]] == RECEIVERS
    assert len(case["rounds"]) == 2 * len(RECEIVERS), "every round is kept"
    for round_ in case["rounds"]:
        if round_["receiver"] == RECEIVERS[2] and not round_["valid"]:
            print("SKIP: the disk's own limit:", round_["reason"])
            continue
        assert round_["valid"], round_["reason"]
        assert round_["images"] == images and round_["bytes"] > 0
        assert round_["seconds"] > 0 and round_["cpu_seconds"] > 0
        has_latency = round_["receiver"] == "sluice ingest"
        assert (round_["latency_p50_ms"] is not None) == has_latency
    by = {(r["round"], r["receiver"]): r for r in case["rounds"]}
    rates, costs = [], []
    for number in range(2):
        drop, pwrite, disk, ingest = (by[number, name] for name in RECEIVERS)
        if disk["valid"]:
            assert disk["bytes"] >= 0.5 * ingest["bytes"], "the disk was given too little"
        rates.append(drop["seconds"] / ingest["seconds"])
        costs.append(ingest["cpu_seconds"] / pwrite["cpu_seconds"])
    ingest = case["receivers"][3]
    assert near(ingest["rate_of_drop"]["median"], sum(rates) / 2)
    assert near(ingest["cpu_of_pwrite"]["median"], sum(costs) / 2)
    assert near(ingest["rate_of_drop"]["max"], max(rates))


def main():
    with tempfile.TemporaryDirectory() as directory:
        done = run("--quick", "--repeat", "2", "--made", "--set", "tiny", "--set", "r500k3",
                   "--json", "-", directory=directory)
        print(done.stderr)
        assert done.returncode == 0, done.returncode
        result = json.loads(done.stdout)
        assert result["all_valid"] and result["quick"] and result["machine"]["cores"] >= 1
        assert [(c["set"], c["mode"]) for c in result["cases"]] == [
            ("tiny", "burst"), ("tiny", "paced"), ("r500k3", "burst"), ("r500k3", "paced")]
        for case in result["cases"]:
            check_case(case)
        assert os.listdir(directory) == [], "files are removed"

        lossy = run("--quick", "--made", "--set", "tiny", "--mode", "burst", "--key",
                    "source.id_jump_max=1", "--key", "ring.memory_bytes_max=1MiB", "--key",
                    "ring.overflow=drop", "--key", "ring.slots=1", directory=directory)
        print(lossy.stdout)
        assert lossy.returncode == 3 and "INVALID" in lossy.stdout, "lost images are no result"
        broken = run("--quick", "--made", "--set", "tiny", "--key", "no.such=1",
                     directory=directory)
        assert broken.returncode == 1 and "no.such" in broken.stderr, broken.stderr
        assert os.listdir(directory) == []
    for wrong in (["--set", "none"], ["--repeat", "0"], ["--mode", "slow"], ["--rate", "-1"],
                  ["--receive", "drop"], ["--file", "x"], ["--made", "--replay", "."], ["word"]):
        done = run(*wrong)
        assert done.returncode == 2 and done.stderr and not done.stdout, wrong
    assert run("--help").returncode == 0 and "r500k3" in run("--list").stdout


main()

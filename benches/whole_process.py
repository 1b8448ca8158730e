"""Times stackgen against the CDK on the same stack, in turn, as whole processes.

    cargo build --release && python3 benches/whole_process.py [RUNS]

Prints, for each command, the median wall seconds, processor seconds (user and system, children included) and peak memory of the largest process, and the
ratio of the medians to stackgen's. The runs alternate, so that a machine that slows down slows all of them. Needs npm; the CDK is installed, pinned, under
target/tools.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ["aws-cdk@2.1148.1", "aws-cdk-lib@2.276.0", "constructs@10.8.1"]
STACKGEN = ROOT / "target/release/stackgen"
# Kept off the network: neither notices nor telemetry, and an account that no lookup needs.
QUIET = {"CDK_DISABLE_CLI_TELEMETRY": "true", "CDK_DISABLE_VERSION_CHECK": "true", "CI": "true", "AWS_REGION": "us-east-1"}


def installed():
    """The folder with the CDK, made on the first run."""
    folder = ROOT / "target/tools/npm-whole-process"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{ "private": true }')
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", *PINS], cwd=folder, check=True)
        (folder / "complete").write_text("")
    return folder


def app(tools, folder):
    """The CDK app in a folder of its own."""
    (folder / "app.js").write_text((ROOT / "benches/rival/app.js").read_text())
    (folder / "code").mkdir()
    (folder / "code/bootstrap").write_text("#!/bin/sh\n")
    (folder / "node_modules").symlink_to(tools / "node_modules")
    (folder / "cdk.json").write_text(json.dumps({"app": "node app.js"}))


def project(folder):
    """A copy of the stack file, so that nothing is written into the sources."""
    (folder / "stacks").mkdir()
    text = (ROOT / "stacks/protected-api.yaml").read_text()
    (folder / "stacks/protected-api.yaml").write_text(text)
    (folder / "functions/protected/src").mkdir(parents=True)
    (folder / "functions/protected/Cargo.toml").write_text((ROOT / "functions/protected/Cargo.toml").read_text())


def measured(command, folder):
    """Wall seconds, processor seconds and peak MiB of one run."""
    begin = time.monotonic()
    child = subprocess.Popen(command, cwd=folder, env={**os.environ, **QUIET, "HOME": str(folder)}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    said = child.stderr.read()
    _, status, used = os.wait4(child.pid, 0)
    wall = time.monotonic() - begin
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{command} ended with {child.returncode}:\n{said.decode()}")
    return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    if not STACKGEN.exists():
        sys.exit("there is no target/release/stackgen: run cargo build --release first")
    tools = installed()
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        project(Path(ours))
        app(tools, Path(theirs))
        cdk = str(tools / "node_modules/.bin/cdk")
        commands = {
            "stackgen synth": ([str(STACKGEN), "synth", "protected-api"], ours),
            "cdk synth": ([cdk, "synth", "--quiet", "--no-notices"], theirs),
            "node app.js alone": (["node", "app.js"], theirs),
        }
        figures = {name: [] for name in commands}
        for turn in range(runs + 1):
            for name, (command, folder) in commands.items():
                figure = measured(command, folder)
                if turn > 0:
                    figures[name].append(figure)
    base = [statistics.median(column) for column in zip(*figures["stackgen synth"])]
    print(f"{'median of ' + str(runs):20} {'wall s':>10} {'cpu s':>10} {'peak MiB':>10}   ratio to stackgen (wall, cpu, peak)")
    for name, rows in figures.items():
        wall, cpu, peak = (statistics.median(column) for column in zip(*rows))
        ratios = ", ".join(f"{value / unit:.0f}" for value, unit in zip((wall, cpu, peak), base))
        print(f"{name:20} {wall:10.4f} {cpu:10.4f} {peak:10.1f}   {ratios}")


if __name__ == "__main__":
    main()

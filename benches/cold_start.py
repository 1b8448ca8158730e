"""Weighs the Lambda authorizers and times their cold starts, built as they are deployed.

    cargo build && python3 benches/cold_start.py [RUNS]

Prints, for each, the size of the zip that goes to AWS and the median milliseconds from the start of the process to its first poll for an event. Ends with 1 when
a zip has 3 MB or more, or a start takes 10 ms or more. What verifying a token costs: cargo bench -p cognito-authorizer.
"""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
AUTHORIZERS = ["token-authorizer", "cognito-authorizer"]
LARGEST = 3_000_000
SLOWEST = 10.0
ENVIRONMENT = {
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "API_TOKEN_SECRET": "arn:aws:secretsmanager:us-east-1:123456789012:secret:token",
    "USER_POOL_ID": "us-east-1_Ab1",
    "CLIENT_IDS": "web",
}


def stackgen():
    """The newest build of stackgen."""
    builds = [ROOT / "target" / kind / "stackgen" for kind in ("debug", "release")]
    builds = [build for build in builds if build.exists()]
    if not builds:
        sys.exit("there is no target/debug/stackgen: run cargo build first")
    return max(builds, key=lambda build: build.stat().st_mtime)


def bundled(crate, folder):
    """The zip of one function, made in a project that has nothing else."""
    (folder / "stacks").mkdir(parents=True)
    (folder / "stacks/function.yaml").write_text(f"functions:\n  Function: {{ crate: functions/{crate} }}\n")
    (folder / "functions").symlink_to(ROOT / "functions")
    subprocess.run([stackgen(), "bundle", "function"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (zip_file,) = (folder / "stackgen.out").rglob("*.zip")
    return zip_file


def first_poll(program, folder):
    """Milliseconds from the start of a program to its first poll."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        environment = {**ENVIRONMENT, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}"}
        begin = time.monotonic()
        child = subprocess.Popen([program], env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            connection, _ = server.accept()
            with connection:
                asked = connection.recv(1024)
                took = (time.monotonic() - begin) * 1000
        finally:
            child.kill()
            child.wait()
    if b"/runtime/invocation/next" not in asked:
        sys.exit(f"{program} asked for {asked[:80]!r}")
    return took


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    good = True
    print(f"{'function':20} {'zip MB':>8} {'program MB':>11} {'median ms of ' + str(runs):>18} {'slowest ms':>11}")
    for crate in AUTHORIZERS:
        with tempfile.TemporaryDirectory() as folder:
            zip_file = bundled(crate, Path(folder) / "project")
            with zipfile.ZipFile(zip_file) as archive:
                archive.extract("bootstrap", folder)
            program = Path(folder) / "bootstrap"
            program.chmod(0o755)
            first_poll(program, folder)
            figures = [first_poll(program, folder) for _ in range(runs)]
            size, median = zip_file.stat().st_size, statistics.median(figures)
            print(f"{crate:20} {size / 1e6:8.2f} {program.stat().st_size / 1e6:11.2f} {median:18.2f} {max(figures):11.2f}")
            good = good and size < LARGEST and median < SLOWEST
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()

"""Plain clients through the gateway, then one of them while the daemon is killed at random.

    through_gateway.py RETENTIOND NODE_MODULES

Every client only has another base URL. Every file whose upload was answered must be in the ledger; of those at the API
that are not, as many must be in doubt. Exits 1 otherwise. Ends only the processes that it started.
"""

import json
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).parent
KEY = "sandbox-key"
ROUNDS = 80
KILLS = 6


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_open(port):
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    sys.exit(f"nothing listens on {port}")


def main(retentiond, modules):
    work = pathlib.Path(tempfile.mkdtemp())
    upstream, gateway = free_port(), free_port()
    base = f"http://127.0.0.1:{gateway}/api/v1"
    policies = work / "policies.toml"
    policies.write_text(
        f'timezone = "Europe/Berlin"\n[extracta]\nbase_url = "http://127.0.0.1:{upstream}/api/v1"\n'
        f'[ledger]\nurl = "sqlite:{work}/ledger.db"\n[http]\nlisten = "off"\n[gateway]\nlisten = "127.0.0.1:{gateway}"\n'
        '[[policy]]\nname = "all"\nmatch = "everything"\ndelete_after = "30 days"\nschedule = "0 3 * * *"\n'
    )
    environment = dict(os.environ, EXTRACTA_API_KEY=KEY)
    log = (work / "log").open("a")

    def daemon():
        command = [retentiond, "-c", policies, "daemon"]
        started = subprocess.Popen(command, env=environment, stderr=log)
        until_open(gateway)
        return started

    def ask(*words):
        done = subprocess.run([retentiond, "-c", policies, "--json", *words], env=environment, capture_output=True)
        return json.loads(done.stdout) if done.stdout else None

    def known(file):
        return (ask("explain", "--", file) or {}).get("state") == "live"

    command = [retentiond, "sandbox", "--listen", f"127.0.0.1:{upstream}", "--read-spacing", "0"]
    sandbox = subprocess.Popen(command, stdout=log, stderr=log)
    running = None
    try:
        until_open(upstream)
        running = daemon()
        types = [{"name": "letter", "description": "a letter", "uniqueWords": []}]
        details = {"name": "clients", "description": "", "documentTypes": types}
        request = urllib.request.Request(
            f"{base}/documentClassification/createClassification",
            json.dumps({"classificationDetails": details}).encode(),
            {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"},
        )
        classification = json.load(urllib.request.urlopen(request))["classificationId"]
        # A module is looked for beside the script that asks for it.
        axios = shutil.copy(HERE / "upload_axios.mjs", pathlib.Path(modules).parent)
        clients = [
            [sys.executable, HERE / "upload.py"],
            ["node", HERE / "upload_fetch.mjs"],
            ["node", axios],
            ["php", HERE / "upload.php"],
            ["sh", HERE / "upload_curl.sh"],
        ]
        for client in clients:
            output = subprocess.run([*client, base, KEY, classification], check=True, capture_output=True, text=True)
            ids = output.stdout.split()
            if not ids or not all(known(file) for file in ids):
                sys.exit(f"{client}: {ids} are not all in the ledger")
            print(f"{client[0]} {pathlib.Path(client[1]).name}: {len(ids)} files, all in the ledger")

        script = [sys.executable, HERE / "upload.py", base, KEY, classification, str(ROUNDS)]
        uploading = subprocess.Popen(script, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for _ in range(KILLS):
            time.sleep(random.uniform(0.05, 0.4))
            running.kill()
            running.wait()
            running = daemon()
        answered = uploading.communicate()[0].split()
        state = json.load(urllib.request.urlopen(f"http://127.0.0.1:{upstream}/_sandbox/state"))
        batches = [batch for parent in state["classifications"] for batch in parent["batches"]]
        there = [file["fileId"] for batch in batches for file in batch["files"]]
        lost = [file for file in there if not known(file)]
        in_doubt = ask("status")["uploads_in_doubt"]
        print(f"{len(there)} files at the API, {len(answered)} answered under fire, {len(lost)} only in doubt, {in_doubt} uploads in doubt")
        if any(file in lost for file in answered) or len(lost) > 2 * in_doubt:
            sys.exit("files were uploaded and silently not recorded")
        running.terminate()
        if running.wait() != 0:
            sys.exit("the daemon did not end well")
    finally:
        for process in (running, sandbox):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
    shutil.rmtree(work)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} RETENTIOND NODE_MODULES")
    main(*sys.argv[1:])

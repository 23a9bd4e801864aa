"""Uploads as the vendor's pages show it, with plain `requests`: upload.py BASE_URL API_KEY CLASSIFICATION [ROUNDS]

Prints the id of every file whose upload was answered. A connection that breaks is no reason to end: as scripts do,
it goes on with the next file.
"""

import sys
import time

import requests

base, key, classification = sys.argv[1:4]
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 1
for number in range(rounds):
    files = [
        ("files", (f"canary-name {number} ü.pdf", b"%PDF-1.4 one", "application/pdf")),
        ("files", (f"canary-name-{number}-b.pdf", b"%PDF-1.4 two" * 10_000, "application/pdf")),
    ]
    try:
        answer = requests.post(
            f"{base}/documentClassification/uploadFiles",
            headers={"Authorization": f"Bearer {key}"},
            data={"classificationId": classification},
            files=files,
            timeout=60,
        )
        answer.raise_for_status()
    except requests.RequestException as broken:
        print(f"round {number}: {type(broken).__name__}", file=sys.stderr)
        time.sleep(0.1)
        continue
    for file in answer.json()["files"]:
        print(file["fileId"], flush=True)

"""A client as the vendor's pages show it: plain `requests`, no code shared with retentiond.

    vendor_sample.py BASE_URL API_KEY

Creates a classification, uploads files, reads their results, deletes one, and checks that each answer is the
documented one. Prints every answer. Exits 1 at the first that is not, 2 for wrong usage.
"""

import json
import sys
import time

import requests

TIMEOUT_S = 30
SPACING_S = 2.1  # the vendor asks for 2 seconds between two calls of getResults


def call(session, method, url, **arguments):
    """One request; prints and returns status and JSON body."""
    response = session.request(method, url, timeout=TIMEOUT_S, allow_redirects=False, **arguments)
    print(f"{method} {url}\n  {response.status_code} {response.text[:400]}")
    try:
        return response.status_code, response.json()
    except ValueError:
        return response.status_code, None


def expect(what, actual, expected):
    """Ends the run when an answer is not the documented one."""
    if actual != expected:
        print(f"NOT AS DOCUMENTED: {what}: {actual!r}, expected {expected!r}", file=sys.stderr)
        sys.exit(1)


def results(session, module, where):
    """getResults; when it comes too soon after the last one, once more after the vendor's 2 seconds."""
    answer = call(session, "POST", f"{module}/getResults", json=where)
    if answer[0] == 429:
        time.sleep(SPACING_S)
        answer = call(session, "POST", f"{module}/getResults", json=where)
    return answer


def main(base, key):
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {key}"
    module = f"{base}/documentClassification"

    status, body = call(session, "GET", f"{base}/credits")
    expect("credits", (status, body.get("status")), (200, "ok"))

    details = {
        "name": "vendor sample",
        "description": "made by vendor_sample.py",
        "documentTypes": [
            {"name": "resume", "description": "a curriculum vitae", "uniqueWords": ["education", "experience"]},
            {"name": "invoice", "description": "a bill", "uniqueWords": ["total", "VAT"]},
        ],
    }
    status, body = call(session, "POST", f"{module}/createClassification", json={"classificationDetails": details})
    expect("createClassification", (status, body.get("status")), (200, "created"))
    classification = body["classificationId"]

    files = [
        ("files", ("resume-1.pdf", b"%PDF-1.4 one", "application/pdf")),
        ("files", ("invoice-2.pdf", b"%PDF-1.4 two", "application/pdf")),
        ("files", ("resume-3.pdf", b"%PDF-1.4 three", "application/pdf")),
    ]
    status, body = call(session, "POST", f"{module}/uploadFiles", data={"classificationId": classification}, files=files)
    expect("uploadFiles", status, 200)
    expect("uploadFiles: names", [file["fileName"] for file in body["files"]], [file[1][0] for file in files])
    batch = body["batchId"]
    ids = [file["fileId"] for file in body["files"]]

    where = {"classificationId": classification, "batchId": batch}
    status, body = results(session, module, where)
    expect("getResults", (status, body.get("status")), (200, "success"))
    expect("getResults: ids", [file["fileId"] for file in body["files"]], ids)

    # The call this project exists for, with its JSON body, as the vendor's Python sample sends it.
    headers = {"Content-Type": "application/json"}
    payload = json.dumps({**where, "fileIds": ids[:1]})
    answer = call(session, "DELETE", f"{module}/deleteFiles", headers=headers, data=payload)
    expect("deleteFiles", answer, (200, {"status": "success", "message": "Files deleted"}))

    status, body = results(session, module, where)
    expect("getResults after deleteFiles", (status, [file["fileId"] for file in body["files"]]), (200, ids[1:]))

    answer = call(session, "DELETE", f"{module}/deleteFiles", json={**where, "classificationId": "-Onobody"})
    expect("unknown id", answer, (400, {"status": "error", "message": "Classification does not exist"}))

    answer = call(session, "DELETE", f"{module}/deleteClassification", json={"classificationId": classification})
    expect("deleteClassification", answer, (200, {"status": "success", "message": "Classification deleted"}))
    print("all answers as documented")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} BASE_URL API_KEY")
    main(sys.argv[1].rstrip("/"), sys.argv[2])

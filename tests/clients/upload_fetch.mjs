// Uploads with Node's own fetch: upload_fetch.mjs BASE_URL API_KEY CLASSIFICATION. Prints the ids.
const [base, key, classification] = process.argv.slice(2);
const form = new FormData();
form.append("classificationId", classification);
form.append("files", new Blob(["%PDF-1.4 one"], { type: "application/pdf" }), "canary-name ü.pdf");
form.append("files", new Blob(["%PDF-1.4 two".repeat(10_000)], { type: "application/pdf" }), "canary-name-b.pdf");
const answer = await fetch(`${base}/documentClassification/uploadFiles`, {
  method: "POST",
  headers: { Authorization: `Bearer ${key}` },
  body: form,
});
if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
for (const file of (await answer.json()).files) console.log(file.fileId);

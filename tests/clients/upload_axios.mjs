// Uploads with axios and form-data, as the vendor's JavaScript pages do: upload_axios.mjs BASE_URL API_KEY CLASSIFICATION
import axios from "axios";
import FormData from "form-data";

const [base, key, classification] = process.argv.slice(2);
const form = new FormData();
form.append("classificationId", classification);
form.append("files", Buffer.from("%PDF-1.4 one"), "canary-name ü.pdf");
form.append("files", Buffer.from("%PDF-1.4 two".repeat(10_000)), "canary-name-b.pdf");
const answer = await axios.post(`${base}/documentClassification/uploadFiles`, form, {
  headers: { Authorization: `Bearer ${key}`, ...form.getHeaders() },
});
for (const file of answer.data.files) console.log(file.fileId);

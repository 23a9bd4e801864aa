#!/bin/sh
# Uploads with curl's multipart: upload_curl.sh BASE_URL API_KEY CLASSIFICATION. Prints the ids.
curl -sS --fail -H "Authorization: Bearer $2" \
  -F "classificationId=$3" \
  -F "files=@$0;filename=canary-name.pdf;type=application/pdf" \
  -F "files=@$0;filename=canary-name ü.pdf;type=application/pdf" \
  "$1/documentClassification/uploadFiles" | grep -o '"fileId":"[^"]*"' | cut -d '"' -f 4

<?php
// Uploads with PHP's curl: upload.php BASE_URL API_KEY CLASSIFICATION. Prints the ids.
[, $base, $key, $classification] = $argv;
$call = curl_init("$base/documentClassification/uploadFiles");
curl_setopt_array($call, [
    CURLOPT_POST => true,
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_HTTPHEADER => ["Authorization: Bearer $key"],
    CURLOPT_POSTFIELDS => [
        'classificationId' => $classification,
        'files' => new CURLStringFile(str_repeat('%PDF-1.4 two', 200000), 'canary-name ü.pdf', 'application/pdf'),
    ],
]);
$answer = curl_exec($call);
if (curl_getinfo($call, CURLINFO_RESPONSE_CODE) !== 200) {
    fwrite(STDERR, "not uploaded\n");
    exit(1);
}
foreach (json_decode($answer, true)['files'] as $file) {
    echo $file['fileId'], "\n";
}

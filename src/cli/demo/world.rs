//! The demo's world: an employer's classifications, uploads and policies.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::Stage;
use crate::cli::exit::{Exit, Failure};
use crate::extracta::{ClientConfig, Document, ExtractaClient, UploadError};
use crate::intake::{Format, InForce, Input, RecordOptions, record};
use crate::model::{BatchId, ClassificationId, FileId, Labels, Parent};
use crate::rules::decide::hint;

/// What was created at the server.
pub(super) struct Names {
    recruiting: ClassificationId,
    accounting: ClassificationId,
    identity: ClassificationId,
}

/// One upload.
pub(super) struct Upload {
    pub(super) title: &'static str,
    pub(super) batch: BatchId,
    pub(super) count: u64,
    pub(super) files: Vec<FileId>,
}

fn failed(error: &UploadError) -> Failure {
    Failure::new(Exit::Failed, error.to_string())
}

/// A client for setting up, before there is a policy file.
pub(super) fn client(base_url: &str, spacing: Duration) -> Result<ExtractaClient, Failure> {
    let key = secrecy::SecretString::from(crate::sandbox::DEFAULT_KEY);
    let config = ClientConfig {
        results_interval: spacing,
        ..ClientConfig::new(base_url, key)
    };
    ExtractaClient::new(config).map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

/// Three classifications; passports are linked to an extraction template, so each has a second copy.
pub(super) async fn create(client: &ExtractaClient) -> Result<Names, Failure> {
    let fields = json!([{ "key": "number", "description": "passport number", "type": "string" }]);
    let template = client
        .create_extraction("passport data", "English", fields)
        .await
        .map_err(|e| failed(&e))?;
    let kind = |name: &str| json!({ "name": name, "description": name, "uniqueWords": [name] });
    let passport = json!({
        "name": "passport", "description": "passport", "uniqueWords": ["passport"], "extractionId": template.as_str()
    });
    let recruiting = client
        .create_classification("recruiting", json!([kind("resume")]))
        .await;
    let accounting = client
        .create_classification("accounting", json!([kind("invoice"), kind("contract")]))
        .await;
    let identity = client.create_classification("identity", json!([passport])).await;
    Ok(Names {
        recruiting: recruiting.map_err(|e| failed(&e))?,
        accounting: accounting.map_err(|e| failed(&e))?,
        identity: identity.map_err(|e| failed(&e))?,
    })
}

/// The policy file of the demo, readable as an example.
pub(super) fn write_policies(dir: &Path, base_url: &str, names: &Names) -> Result<PathBuf, Failure> {
    let ledger = dir.join("ledger.db");
    let key = dir.join("api-key");
    std::fs::write(&key, crate::sandbox::DEFAULT_KEY)?;
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let text = format!(
        r#"timezone = "Europe/Berlin"
labels   = ["department"]

[extracta]
api_key_file     = "{key}"
base_url         = "{base_url}"
results_interval = "150 milliseconds"

[ledger]
url = "sqlite:{ledger}"

[[policy]]
name         = "applications"
match        = {{ classification = "{recruiting}" }}
delete_after = "6 months"
schedule     = "0 3 * * *"
mode         = "enforce"

[[policy]]
name         = "identity documents"
match        = {{ classification = "{identity}" }}
delete_after = "72 hours"
schedule     = "0 * * * *"
mode         = "enforce"

[[policy]]
name         = "accounting"
match        = {{ classification = "{accounting}" }}
delete_after = "30 days"
schedule     = "30 3 * * *"
mode         = "enforce"

[[keep]]
name     = "tax originals"
match    = {{ labels = {{ department = "finance" }} }}
clock    = {{ start = "uploaded", round_up = "year" }}
keep_for = "8 years"
binding  = true
basis    = "§ 147 AO"
"#,
        key = key.display(),
        ledger = ledger.display(),
        recruiting = names.recruiting,
        identity = names.identity,
        accounting = names.accounting,
    );
    let path = dir.join("policies.toml");
    std::fs::write(&path, text)?;
    Ok(path)
}

/// Uploads small files through the API and records each answer, as a client would.
pub(super) async fn upload_all(stage: &Stage<'_>, names: &Names) -> Result<Vec<Upload>, Failure> {
    let finance = Labels::from([("department".to_owned(), "finance".to_owned())]);
    Ok(vec![
        upload(
            stage,
            "applications",
            &names.recruiting,
            "resume",
            8,
            Labels::new(),
        )
        .await?,
        upload(
            stage,
            "applications",
            &names.recruiting,
            "resume",
            5,
            Labels::new(),
        )
        .await?,
        upload(stage, "passports", &names.identity, "passport", 4, Labels::new()).await?,
        upload(
            stage,
            "contracts",
            &names.accounting,
            "contract",
            6,
            Labels::new(),
        )
        .await?,
        upload(stage, "tax originals", &names.accounting, "invoice", 7, finance).await?,
    ])
}

async fn upload(
    stage: &Stage<'_>,
    title: &'static str,
    classification: &ClassificationId,
    kind: &str,
    count: usize,
    labels: Labels,
) -> Result<Upload, Failure> {
    let documents = (1..=count)
        .map(|n| {
            Document::from_bytes(
                format!("{kind}-{n}.txt"),
                Bytes::from(format!("This is {kind} number {n} of the demo.\n")),
            )
        })
        .collect();
    let parent = Parent::Classification(classification.clone());
    let answer = stage
        .client
        .upload_files(&parent, None, documents)
        .await
        .map_err(|e| failed(&e))?;
    let rules = &stage.checked.rules;
    let in_force = InForce {
        label_keys: &rules.label_keys,
        accounts: &rules.accounts,
        digest: &rules.digest,
        hint: &|file| hint(file, rules),
        subjects: None,
    };
    let options = RecordOptions {
        format: Some(Format::Response),
        labels,
        ..RecordOptions::default()
    };
    let now = crate::engine::Clock::now(stage.clock.as_ref());
    let input = Input::from_bytes(&answer.raw);
    let summary = record(input, &options, in_force, stage.ledger.as_ref(), now, &|_| ())
        .await
        .map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(Upload {
        title,
        batch: answer.batch.batch,
        count: summary.added,
        files: answer.files,
    })
}

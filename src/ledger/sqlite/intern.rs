//! Names that many rows share: looked up, and added where new.

use serde_json::json;
use sqlx::SqliteConnection;

use super::fault::during;
use super::rows::{account_text, module_name};
use crate::ledger::LedgerError;
use crate::ledger::common::Attributes;
use crate::model::{BatchAddress, BatchKey, PolicyName};
use crate::rules::policy::RuleDigest;

/// Numbers of batches, in the order asked.
pub(super) async fn batches(
    tx: &mut SqliteConnection,
    addresses: &[BatchAddress],
) -> Result<Vec<i64>, LedgerError> {
    if addresses.is_empty() {
        return Ok(Vec::new());
    }
    let context = "recording batches";
    let list = json!(addresses.iter().map(columns).collect::<Vec<_>>()).to_string();
    sqlx::query(
        "INSERT INTO batches (module, parent, batch, account)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
         FROM json_each(?1)
         WHERE true -- or the parser takes ON for a join
         ORDER BY key
         ON CONFLICT DO NOTHING",
    )
    .bind(&list)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query_scalar(
        "SELECT b.id
         FROM json_each(?1) j
         CROSS JOIN batches b
            ON b.module = j.value ->> 0 AND b.parent = j.value ->> 1 AND b.batch = j.value ->> 2
           AND b.account = j.value ->> 3
         ORDER BY j.key",
    )
    .bind(&list)
    .fetch_all(tx)
    .await
    .map_err(during(context))
}

fn columns(address: &BatchAddress) -> [&str; 4] {
    let module = module_name(address.parent.module());
    let account = account_text(address.account.as_ref());
    [module, address.parent.as_str(), address.batch.as_str(), account]
}

/// The number of a batch that is known.
pub(super) async fn known_batch(
    tx: &mut SqliteConnection,
    address: &BatchAddress,
) -> Result<Option<BatchKey>, LedgerError> {
    let [module, parent, batch, account] = columns(address);
    let id: Option<i64> = sqlx::query_scalar(
        "SELECT id
         FROM batches
         WHERE module = ?1 AND parent = ?2 AND batch = ?3 AND account = ?4",
    )
    .bind(module)
    .bind(parent)
    .bind(batch)
    .bind(account)
    .fetch_optional(tx)
    .await
    .map_err(during("reading a batch"))?;
    Ok(id.map(BatchKey))
}

/// Numbers of attributes, in the order asked.
pub(super) async fn attributes(
    tx: &mut SqliteConnection,
    wanted: &[Attributes],
) -> Result<Vec<i64>, LedgerError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let context = "recording attributes";
    // A BTreeMap serialises in key order: equal labels are equal text.
    let pairs: Vec<_> = wanted
        .iter()
        .map(|a| json!([a.document_type, json!(a.labels).to_string()]))
        .collect();
    let list = json!(pairs).to_string();
    sqlx::query(
        "INSERT INTO attributes (document_type, labels)
         SELECT value ->> 0, value ->> 1
         FROM json_each(?1)
         WHERE true -- or the parser takes ON for a join
         ORDER BY key
         ON CONFLICT DO NOTHING",
    )
    .bind(&list)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query_scalar(
        "SELECT a.id
         FROM json_each(?1) j
         CROSS JOIN attributes a
            ON a.labels = j.value ->> 1
           AND ifnull(a.document_type, '') = ifnull(j.value ->> 0, '')
         ORDER BY j.key",
    )
    .bind(&list)
    .fetch_all(tx)
    .await
    .map_err(during(context))
}

/// Numbers of policies, in the order asked. They are asked for again and again, and new ones are rare.
pub(super) async fn policies(
    tx: &mut SqliteConnection,
    names: &[PolicyName],
) -> Result<Vec<i64>, LedgerError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let list = json!(names).to_string();
    let known = known_policies(tx, &list).await?;
    if known.len() == names.len() {
        return Ok(known);
    }
    sqlx::query(
        "INSERT INTO policies (name)
         SELECT value
         FROM json_each(?1)
         WHERE true -- or the parser takes ON for a join
         ORDER BY key
         ON CONFLICT DO NOTHING",
    )
    .bind(&list)
    .execute(&mut *tx)
    .await
    .map_err(during("recording policies"))?;
    known_policies(tx, &list).await
}

async fn known_policies(tx: &mut SqliteConnection, list: &str) -> Result<Vec<i64>, LedgerError> {
    sqlx::query_scalar(
        "SELECT p.id
         FROM json_each(?1) j
         CROSS JOIN policies p ON p.name = j.value
         ORDER BY j.key",
    )
    .bind(list)
    .fetch_all(tx)
    .await
    .map_err(during("reading policies"))
}

/// The number of one policy.
pub(super) async fn policy(tx: &mut SqliteConnection, name: &PolicyName) -> Result<i64, LedgerError> {
    let numbers = policies(tx, std::slice::from_ref(name)).await?;
    Ok(numbers[0])
}

/// The number of a policy that is known.
pub(super) async fn known_policy(
    tx: &mut SqliteConnection,
    name: &PolicyName,
) -> Result<Option<i64>, LedgerError> {
    sqlx::query_scalar(
        "SELECT id
         FROM policies
         WHERE name = ?1",
    )
    .bind(name.as_str())
    .fetch_optional(tx)
    .await
    .map_err(during("reading a policy"))
}

/// The number of a rule set.
pub(super) async fn rule_set(tx: &mut SqliteConnection, digest: &RuleDigest) -> Result<i64, LedgerError> {
    if let Some(known) = known_rule_set(tx, digest).await? {
        return Ok(known);
    }
    sqlx::query_scalar(
        "INSERT INTO rule_sets (digest, description)
         VALUES (?1, '')
         RETURNING id",
    )
    .bind(&digest.0)
    .fetch_one(tx)
    .await
    .map_err(during("recording a rule set"))
}

/// The number of a rule set that is known.
pub(super) async fn known_rule_set(
    tx: &mut SqliteConnection,
    digest: &RuleDigest,
) -> Result<Option<i64>, LedgerError> {
    sqlx::query_scalar(
        "SELECT id
         FROM rule_sets
         WHERE digest = ?1",
    )
    .bind(&digest.0)
    .fetch_optional(tx)
    .await
    .map_err(during("reading a rule set"))
}

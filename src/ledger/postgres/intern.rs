//! Names that many rows share: looked up, and added where new.

use serde_json::json;
use sqlx::PgConnection;

use super::fault::during;
use super::rows::{account_text, module_name};
use crate::ledger::LedgerError;
use crate::ledger::common::Attributes;
use crate::model::{BatchAddress, BatchKey, PolicyName};
use crate::rules::policy::RuleDigest;

/// Numbers of batches, in the order asked.
pub(super) async fn batches(
    tx: &mut PgConnection,
    addresses: &[BatchAddress],
) -> Result<Vec<i64>, LedgerError> {
    if addresses.is_empty() {
        return Ok(Vec::new());
    }
    let context = "recording batches";
    let mut list = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for address in addresses {
        for (column, value) in list.iter_mut().zip(columns(address)) {
            column.push(value);
        }
    }
    let [modules, parents, names, accounts] = list;
    sqlx::query(
        "INSERT INTO batches (module, parent, batch, account)
         SELECT j.module, j.parent, j.batch, j.account
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
              WITH ORDINALITY j (module, parent, batch, account, place)
         ORDER BY j.place
         ON CONFLICT DO NOTHING",
    )
    .bind(&modules)
    .bind(&parents)
    .bind(&names)
    .bind(&accounts)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query_scalar(
        "SELECT b.id
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
              WITH ORDINALITY j (module, parent, batch, account, place)
         JOIN batches b
           ON b.module = j.module AND b.parent = j.parent AND b.batch = j.batch AND b.account = j.account
         ORDER BY j.place",
    )
    .bind(&modules)
    .bind(&parents)
    .bind(&names)
    .bind(&accounts)
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
    tx: &mut PgConnection,
    address: &BatchAddress,
) -> Result<Option<BatchKey>, LedgerError> {
    let [module, parent, batch, account] = columns(address);
    let id: Option<i64> = sqlx::query_scalar(
        "SELECT id
         FROM batches
         WHERE module = $1 AND parent = $2 AND batch = $3 AND account = $4",
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
    tx: &mut PgConnection,
    wanted: &[Attributes],
) -> Result<Vec<i64>, LedgerError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let context = "recording attributes";
    // A BTreeMap serialises in key order: equal labels are equal text.
    let labels: Vec<String> = wanted.iter().map(|a| json!(a.labels).to_string()).collect();
    let types: Vec<Option<&str>> = wanted.iter().map(|a| a.document_type.as_deref()).collect();
    sqlx::query(
        "INSERT INTO attributes (document_type, labels)
         SELECT j.document_type, j.labels
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY j (document_type, labels, place)
         ORDER BY j.place
         ON CONFLICT DO NOTHING",
    )
    .bind(&types)
    .bind(&labels)
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    sqlx::query_scalar(
        "SELECT a.id
         FROM unnest($1::text[], $2::text[]) WITH ORDINALITY j (document_type, labels, place)
         JOIN attributes a
            ON text_digest(a.labels) = text_digest(j.labels) -- what the index holds
           AND text_digest(coalesce(a.document_type, '')) = text_digest(coalesce(j.document_type, ''))
           AND a.labels = j.labels
           AND coalesce(a.document_type, '') = coalesce(j.document_type, '')
         ORDER BY j.place",
    )
    .bind(&types)
    .bind(&labels)
    .fetch_all(tx)
    .await
    .map_err(during(context))
}

/// Numbers of policies, in the order asked.
pub(super) async fn policies(tx: &mut PgConnection, names: &[PolicyName]) -> Result<Vec<i64>, LedgerError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let list: Vec<&str> = names.iter().map(PolicyName::as_str).collect();
    // They are asked for again and again, and new ones are rare.
    let known = known_policies(tx, &list).await?;
    if known.len() == names.len() {
        return Ok(known);
    }
    sqlx::query(
        "INSERT INTO policies (name)
         SELECT j.name
         FROM unnest($1::text[]) WITH ORDINALITY j (name, place)
         ORDER BY j.place
         ON CONFLICT DO NOTHING",
    )
    .bind(&list)
    .execute(&mut *tx)
    .await
    .map_err(during("recording policies"))?;
    known_policies(tx, &list).await
}

async fn known_policies(tx: &mut PgConnection, names: &[&str]) -> Result<Vec<i64>, LedgerError> {
    sqlx::query_scalar(
        "SELECT p.id
         FROM unnest($1::text[]) WITH ORDINALITY j (name, place)
         JOIN policies p ON p.name = j.name
         ORDER BY j.place",
    )
    .bind(names)
    .fetch_all(tx)
    .await
    .map_err(during("reading policies"))
}

/// The number of one policy.
pub(super) async fn policy(tx: &mut PgConnection, name: &PolicyName) -> Result<i64, LedgerError> {
    let numbers = policies(tx, std::slice::from_ref(name)).await?;
    Ok(numbers[0])
}

/// The number of a policy that is known.
pub(super) async fn known_policy(
    tx: &mut PgConnection,
    name: &PolicyName,
) -> Result<Option<i64>, LedgerError> {
    sqlx::query_scalar(
        "SELECT id
         FROM policies
         WHERE name = $1",
    )
    .bind(name.as_str())
    .fetch_optional(tx)
    .await
    .map_err(during("reading a policy"))
}

/// The number of a rule set.
pub(super) async fn rule_set(tx: &mut PgConnection, digest: &RuleDigest) -> Result<i64, LedgerError> {
    if let Some(known) = known_rule_set(tx, digest).await? {
        return Ok(known);
    }
    sqlx::query_scalar(
        "INSERT INTO rule_sets (digest, description)
         VALUES ($1, '')
         RETURNING id",
    )
    .bind(&digest.0)
    .fetch_one(tx)
    .await
    .map_err(during("recording a rule set"))
}

/// The number of a rule set that is known.
pub(super) async fn known_rule_set(
    tx: &mut PgConnection,
    digest: &RuleDigest,
) -> Result<Option<i64>, LedgerError> {
    sqlx::query_scalar(
        "SELECT id
         FROM rule_sets
         WHERE digest = $1",
    )
    .bind(&digest.0)
    .fetch_optional(tx)
    .await
    .map_err(during("reading a rule set"))
}

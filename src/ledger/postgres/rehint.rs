//! Deciding the live files anew under a changed rule set, page by page, across restarts.
//!
//! Whether it is finished is read from the tallies, which count live and unknown files by rule set:
//! exact whatever was recorded or released meanwhile. The cursor only saves looking twice.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::fault::{conflict, damaged, during, ensure_rows};
use super::rows::{FileRow, Keys, count, records, select_files};
use super::tallies::Stretch;
use super::{Asker, PostgresLedger, changes, intern, leaves, tallies, undecided};
use crate::evidence::Fact;
use crate::ledger::{LedgerError, Rehint, Rehinted, Rules};
use crate::model::{FileKey, FileRecord, PolicyName, Timestamp};
use crate::rules::policy::{Hint, RuleDigest};

type Question = Asker<Vec<FileRecord>, Vec<(FileKey, Hint)>>;

#[async_trait]
impl Rules for PostgresLedger {
    async fn adopt_rules(
        &self,
        digest: &RuleDigest,
        description: &str,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        self.holder.goes_by(digest).await;
        let (digest, description) = (digest.clone(), description.to_owned());
        // Asked at every turn: only other rules are worth a commit.
        let (same, told) = (digest.clone(), description.clone());
        let standing = self
            .read(move |tx| Box::pin(async move { standing(tx, &same, &told).await }))
            .await?;
        if let Some(current) = standing {
            return Ok(current);
        }
        self.write(move |tx| Box::pin(async move { adopt(tx, &digest, &description, now).await }))
            .await
    }

    async fn hints_are_current(&self, digest: &RuleDigest) -> Result<bool, LedgerError> {
        let digest = digest.clone();
        self.read(move |tx| {
            Box::pin(async move {
                // An unknown digest has the number of none: current only where there is no file.
                let rule_set = intern::known_rule_set(tx, &digest).await?.unwrap_or(-1);
                Ok(outdated(tx, rule_set).await? == 0)
            })
        })
        .await
    }

    async fn rehint(
        &self,
        digest: &RuleDigest,
        page: u32,
        hint: Rehint<'_>,
    ) -> Result<Rehinted, LedgerError> {
        let digest = digest.clone();
        self.write_asking(
            move |tx, asker| Box::pin(async move { rehint_page(tx, &digest, page, asker).await }),
            |files: Vec<FileRecord>| {
                files
                    .into_iter()
                    .map(|file| (file.key.clone(), hint(&file)))
                    .collect()
            },
        )
        .await
    }
}

/// Whether hints are current, where these rules are in force already and nothing waits to be ended by them.
async fn standing(
    tx: &mut PgConnection,
    digest: &RuleDigest,
    description: &str,
) -> Result<Option<bool>, LedgerError> {
    let in_force: Option<i64> = sqlx::query_scalar(
        "SELECT s.id
         FROM rule_sets s
         WHERE s.digest = $1
           AND s.description = $2
           AND s.id = (SELECT rule_set FROM rule_adoptions ORDER BY id DESC LIMIT 1)
           AND NOT EXISTS (SELECT 1 FROM rule_changes WHERE ended_at IS NULL AND after = s.id)",
    )
    .bind(&digest.0)
    .bind(description)
    .fetch_optional(&mut *tx)
    .await
    .map_err(during("reading the rules in force"))?;
    match in_force {
        Some(rule_set) => Ok(Some(outdated(tx, rule_set).await? == 0)),
        None => Ok(None),
    }
}

async fn adopt(
    tx: &mut PgConnection,
    digest: &RuleDigest,
    description: &str,
    now: Timestamp,
) -> Result<bool, LedgerError> {
    let context = "adopting rules";
    let rule_set = intern::rule_set(tx, digest).await?;
    sqlx::query(
        "UPDATE rule_sets
         SET description = $2, cursor_batch = CASE WHEN $3 THEN cursor_batch ELSE 0 END,
             cursor_file = CASE WHEN $3 THEN cursor_file ELSE '' END
         WHERE id = $1",
    )
    .bind(rule_set)
    .bind(description)
    // The same rules after a restart go on where they stood; others begin at the first file.
    .bind(in_force(tx).await? == Some(rule_set))
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    if in_force(tx).await? != Some(rule_set) {
        sqlx::query(
            "INSERT INTO rule_adoptions (rule_set, adopted_at)
             VALUES ($1, $2)",
        )
        .bind(rule_set)
        .bind(now.as_millis())
        .execute(&mut *tx)
        .await
        .map_err(during(context))?;
        let text = changes::text_of(tx, digest).await?;
        let fact = Fact::Rules {
            digest: digest.0.clone(),
            description: leaves::digest_of(description),
            text: text.as_deref().map(leaves::digest_of),
        };
        leaves::append(tx, now, fact).await?;
    }
    changes::ended_by_adoption(tx, rule_set, now).await?;
    // Rows of the rule sets before: nothing is counted under them any more.
    sqlx::query(
        "DELETE FROM tallies
         WHERE files = 0",
    )
    .execute(&mut *tx)
    .await
    .map_err(during(context))?;
    Ok(outdated(tx, rule_set).await? == 0)
}

pub(super) async fn in_force(tx: &mut PgConnection) -> Result<Option<i64>, LedgerError> {
    sqlx::query_scalar(
        "SELECT rule_set
         FROM rule_adoptions
         ORDER BY id DESC
         LIMIT 1",
    )
    .fetch_optional(tx)
    .await
    .map_err(during("reading the rules in force"))
}

pub(super) async fn digest_in_force(tx: &mut PgConnection) -> Result<Option<String>, LedgerError> {
    sqlx::query_scalar(
        "SELECT s.digest
         FROM rule_adoptions a
         JOIN rule_sets s ON s.id = a.rule_set
         ORDER BY a.id DESC
         LIMIT 1",
    )
    .fetch_optional(tx)
    .await
    .map_err(during("reading the rules in force"))
}

/// Files that carry hints of other rules.
pub(super) async fn outdated(tx: &mut PgConnection, rule_set: i64) -> Result<u64, LedgerError> {
    let files: i64 = sqlx::query_scalar(
        "SELECT coalesce(sum(files), 0)::bigint
         FROM tallies
         WHERE state IN (0, 4) AND rule_set <> $1",
    )
    .bind(rule_set)
    .fetch_one(tx)
    .await
    .map_err(during("reading whether hints are current"))?;
    count(files)
}

async fn rehint_page(
    tx: &mut PgConnection,
    digest: &RuleDigest,
    page: u32,
    asker: Question,
) -> Result<Rehinted, LedgerError> {
    let adopted = intern::known_rule_set(tx, digest).await?;
    let Some(rule_set) = adopted.filter(|id| *id > 0) else {
        return Err(conflict("the rule set", "it was never adopted"));
    };
    if in_force(tx).await? != Some(rule_set) {
        return Err(conflict("the rule set", "another one is in force"));
    }
    if outdated(tx, rule_set).await? == 0 {
        return Ok(Rehinted { seen: 0, left: 0 });
    }
    let undecided = undecided::page(tx, page.max(1)).await?;
    if !undecided.is_empty() {
        return rehint_undecided(tx, rule_set, undecided, asker).await;
    }
    let Some((after, files)) = next_page(tx, rule_set, page.max(1)).await? else {
        // The tallies say that there are some: behind the cursor.
        return Err(damaged("tallies count files that no row stands for"));
    };
    let seen = files.len() as u64;
    // Most files keep what they had: only the others are written one by one.
    let known: Vec<(FileKey, Hint)> = files
        .iter()
        .map(|file| (file.key.clone(), hint_of(file)))
        .collect();
    let hints = asker.ask(files).await?;
    if hints.len() != known.len() {
        return Err(damaged("a page of files came back with another number of hints"));
    }
    let Some(last) = hints.last().map(|(key, _)| key.clone()) else {
        return Err(damaged("a page of files that holds none"));
    };
    let stretch = Stretch {
        after: (&after.1, after.0),
        last: (last.file.as_str(), last.batch.0),
    };
    tallies::take_off_stretch(tx, &stretch).await?;
    let changed: Vec<&(FileKey, Hint)> = hints
        .iter()
        .zip(&known)
        .filter_map(|(new, old)| (new != old).then_some(new))
        .collect();
    apply(tx, rule_set, &changed).await?;
    let kept = mark(tx, rule_set, &stretch).await?;
    ensure_rows(
        "files being decided anew",
        changed.len() as u64 + kept,
        hints.len(),
    )?;
    tallies::put_on_stretch(tx, &stretch).await?;
    move_cursor(tx, rule_set, last.batch.0, last.file.as_str()).await?;
    Ok(Rehinted {
        seen,
        left: outdated(tx, rule_set).await?,
    })
}

/// The few whose facts changed: found by an index of their own, so that they do not cost a walk over all.
async fn rehint_undecided(
    tx: &mut PgConnection,
    rule_set: i64,
    files: Vec<FileRecord>,
    asker: Question,
) -> Result<Rehinted, LedgerError> {
    let seen = files.len();
    let hints = asker.ask(files).await?;
    ensure_rows("hints of files being decided anew", hints.len() as u64, seen)?;
    let keys: Keys<'_> = hints
        .iter()
        .map(|(key, _)| (key.batch.0, key.file.as_str()))
        .collect();
    tallies::take_off(tx, &keys).await?;
    apply(tx, rule_set, &hints.iter().collect::<Vec<_>>()).await?;
    tallies::put_on(tx, &keys).await?;
    Ok(Rehinted {
        seen: seen as u64,
        left: outdated(tx, rule_set).await?,
    })
}

/// What a file's row says of it now.
fn hint_of(file: &FileRecord) -> Hint {
    Hint {
        owner: file.owner.clone(),
        due_at: file.due_at,
        deadline_at: file.deadline_at,
    }
}

/// Where a page begins (after this batch and file), and its files.
type Page = ((i64, String), Vec<FileRecord>);

async fn next_page(tx: &mut PgConnection, rule_set: i64, page: u32) -> Result<Option<Page>, LedgerError> {
    let cursor: (i64, String) = sqlx::query_as(
        "SELECT cursor_batch, cursor_file
         FROM rule_sets
         WHERE id = $1",
    )
    .bind(rule_set)
    .fetch_one(&mut *tx)
    .await
    .map_err(during("reading where deciding anew stands"))?;
    let ahead = page_after(tx, rule_set, page, cursor.0, &cursor.1).await?;
    if !ahead.is_empty() {
        return Ok(Some((cursor, ahead)));
    }
    // What is left was recorded or released behind the cursor meanwhile.
    let start = (0, String::new());
    let behind = page_after(tx, rule_set, page, start.0, &start.1).await?;
    Ok((!behind.is_empty()).then_some((start, behind)))
}

async fn page_after(
    tx: &mut PgConnection,
    rule_set: i64,
    page: u32,
    batch: i64,
    file: &str,
) -> Result<Vec<FileRecord>, LedgerError> {
    let rows: Vec<FileRow> = sqlx::query_as(select_files!(
        "files f",
        "WHERE (f.file_id, f.batch) > ($2, $1)
           AND f.state IN (0, 4)
           AND f.rule_set <> $3
         ORDER BY f.file_id, f.batch
         LIMIT $4"
    ))
    .bind(batch)
    .bind(file)
    .bind(rule_set)
    .bind(i64::from(page))
    .fetch_all(&mut *tx)
    .await
    .map_err(during("reading files to be decided anew"))?;
    records(tx, rows).await
}

async fn apply(tx: &mut PgConnection, rule_set: i64, hints: &[&(FileKey, Hint)]) -> Result<(), LedgerError> {
    if hints.is_empty() {
        return Ok(());
    }
    let mut names: Vec<PolicyName> = hints.iter().filter_map(|(_, hint)| hint.owner.clone()).collect();
    names.sort_unstable();
    names.dedup();
    let numbers = intern::policies(tx, &names).await?;
    let keys: Keys<'_> = hints
        .iter()
        .map(|(key, _)| (key.batch.0, key.file.as_str()))
        .collect();
    let owner = |hint: &Hint| {
        let place = hint
            .owner
            .as_ref()
            .and_then(|name| names.binary_search(name).ok());
        place.map_or(0, |at| numbers[at])
    };
    let owners: Vec<i64> = hints.iter().map(|(_, hint)| owner(hint)).collect();
    let millis = |at: Timestamp| at.as_millis();
    let due: Vec<Option<i64>> = hints.iter().map(|(_, hint)| hint.due_at.map(millis)).collect();
    // Nothing can be overdue that is never due.
    let deadlines = hints
        .iter()
        .map(|(_, hint)| hint.due_at.and(hint.deadline_at).map(millis));
    let deadlines: Vec<Option<i64>> = deadlines.collect();
    let done = sqlx::query(
        "UPDATE files
         SET policy = j.policy, due_at = j.due_at, deadline_at = j.deadline_at, rule_set = $6
         FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
              j (batch, file_id, policy, due_at, deadline_at)
         WHERE files.batch = j.batch
           AND files.file_id = j.file_id
           AND files.state IN (0, 4)",
    )
    .bind(keys.batches)
    .bind(keys.files)
    .bind(owners)
    .bind(due)
    .bind(deadlines)
    .bind(rule_set)
    .execute(tx)
    .await
    .map_err(during("keeping hints"))?;
    ensure_rows("files being decided anew", done.rows_affected(), hints.len())
}

/// The others of the stretch carry the right hints already, and are told so; how many.
async fn mark(tx: &mut PgConnection, rule_set: i64, stretch: &Stretch<'_>) -> Result<u64, LedgerError> {
    let done = sqlx::query(
        "UPDATE files
         SET rule_set = $5
         WHERE (file_id, batch) > ($1, $2)
           AND (file_id, batch) <= ($3, $4)
           AND state IN (0, 4)
           AND rule_set <> $5",
    )
    .bind(stretch.after.0)
    .bind(stretch.after.1)
    .bind(stretch.last.0)
    .bind(stretch.last.1)
    .bind(rule_set)
    .execute(tx)
    .await
    .map_err(during("keeping hints"))?;
    Ok(done.rows_affected())
}

async fn move_cursor(
    tx: &mut PgConnection,
    rule_set: i64,
    batch: i64,
    file: &str,
) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE rule_sets
         SET cursor_batch = $2, cursor_file = $3
         WHERE id = $1",
    )
    .bind(rule_set)
    .bind(batch)
    .bind(file)
    .execute(tx)
    .await
    .map_err(during("keeping where deciding anew stands"))?;
    Ok(())
}

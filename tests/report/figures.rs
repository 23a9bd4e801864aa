//! Every figure of the report against SQL that was written for this test and knows nothing of the report's own.

use std::collections::BTreeMap;

use retentiond::model::Trigger;
use retentiond::report::{Figures, Report};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::planted::{FROM, NOW, Planted, TO, at};
use crate::story::told;

/// The ledger as plain tables: how each file that is deleted or gone ended, and what was held when.
const SETUP: &str = "
    CREATE TEMP TABLE p AS SELECT $FROM AS a, $TO AS z, min($TO, $NOW) AS r, $NOW AS now;
    CREATE TEMP TABLE facts AS
        SELECT a.batch, l.file_id, a.settled_at AS t, 1 AS attempt, l.attempt AS n,
               CASE l.result WHEN 2 THEN 'confirmed' ELSE 'answered' END AS how,
               a.sweep, l.finding
        FROM attempt_files l JOIN attempts a ON a.id = l.attempt
        WHERE l.result IN (2, 3)
        UNION ALL
        SELECT batch, file_id, at, 0, id, event, NULL, NULL FROM notes WHERE to_state = 3;
    CREATE TEMP TABLE ends AS
        SELECT f.batch, f.file_id, f.due_at AS due, f.deadline_at AS deadline,
               ifnull(p.name, '-') AS policy, e.t, e.how, e.finding,
               ifnull(sp.name, '') = 'erasure' AS on_request,
               (e.t - f.deadline_at + 59999) / 60000 AS minutes
        FROM (SELECT *, row_number() OVER (PARTITION BY batch, file_id ORDER BY t DESC, attempt DESC, n DESC) AS k FROM facts) e
        JOIN files f ON f.batch = e.batch AND f.file_id = e.file_id AND f.state IN (2, 3)
        JOIN policies p ON p.id = f.policy
        LEFT JOIN sweeps s ON s.id = e.sweep
        LEFT JOIN policies sp ON sp.id = s.policy
        WHERE e.k = 1;
    CREATE TEMP TABLE held AS
        SELECT DISTINCT f.batch, f.file_id
        FROM holds h, p, files f
        JOIN batches b ON b.id = f.batch
        LEFT JOIN attributes t ON t.id = f.attributes
        WHERE h.placed_at <= p.now AND (h.ends_at IS NULL OR h.ends_at > p.now)
          AND (h.scope = 'file' AND h.value = f.file_id
               OR h.scope = 'batch' AND h.value = b.batch
               OR h.scope = 'label' AND json_extract(t.labels, '$.' || h.label_key) = h.value);
    CREATE TEMP TABLE due AS
        SELECT f.batch, f.file_id, f.state, f.deadline_at AS deadline, ifnull(n.name, '-') AS policy
        FROM files f JOIN policies n ON n.id = f.policy, p
        WHERE f.state NOT IN (2, 3) AND f.due_at < p.r;";

const BY_POLICY: [(&str, &str); 22] = [
    ("ended", "SELECT count(*) FROM ends, p WHERE policy = ? AND t >= a AND t < z"),
    (
        "in_time",
        "SELECT count(*) FROM ends, p WHERE policy = ? AND t >= a AND t < z AND due <= t AND ifnull(t <= deadline, 1)",
    ),
    ("late", "SELECT count(*) FROM ends, p WHERE policy = ? AND t >= a AND t < z AND due <= t AND deadline < t"),
    (
        "late_worst",
        "SELECT ifnull(max(minutes), 0) FROM ends, p WHERE policy = ? AND t >= a AND t < z AND due <= t AND deadline < t",
    ),
    (
        "late_p95",
        "WITH late AS (
             SELECT minutes, row_number() OVER (ORDER BY minutes) AS place, count(*) OVER () AS n
             FROM ends, p
             WHERE policy = ? AND t >= a AND t < z AND due <= t AND deadline < t
         )
         SELECT ifnull((SELECT minutes FROM late WHERE place * 100 >= n * 95 ORDER BY place LIMIT 1), 0)",
    ),
    (
        "on_request",
        "SELECT count(*) FROM ends, p WHERE policy = ? AND t >= a AND t < z AND NOT ifnull(due <= t, 0) AND on_request",
    ),
    (
        "early",
        "SELECT count(*) FROM ends, p WHERE policy = ? AND t >= a AND t < z AND NOT ifnull(due <= t, 0)
             AND NOT on_request AND how = 'confirmed'",
    ),
    (
        "by_others",
        "SELECT count(*) FROM ends, p WHERE policy = ? AND t >= a AND t < z AND NOT ifnull(due <= t, 0)
             AND NOT on_request AND how <> 'confirmed'",
    ),
    ("confirmed", "SELECT count(*) FROM ends, p WHERE policy = ? AND t >= a AND t < z AND how = 'confirmed'"),
    (
        "unverified",
        "SELECT count(*) FROM ends, p WHERE policy = ? AND t >= a AND t < z
             AND NOT (finding IS 'absent' OR how IN ('found-gone', 'resolved'))",
    ),
    ("ended_since", "SELECT count(*) FROM ends, p WHERE policy = ? AND t >= z AND due < r"),
    ("unknown", "SELECT count(*) FROM due WHERE policy = ? AND state IN (1, 4)"),
    ("failed", "SELECT count(*) FROM due WHERE policy = ? AND state = 5"),
    (
        "held",
        "SELECT count(*) FROM due WHERE policy = ? AND state = 0 AND (batch, file_id) IN (SELECT batch, file_id FROM held)",
    ),
    (
        "overdue",
        "SELECT count(*) FROM due, p WHERE policy = ? AND state = 0 AND deadline < r
             AND (batch, file_id) NOT IN (SELECT batch, file_id FROM held)",
    ),
    (
        "waiting",
        "SELECT count(*) FROM due, p WHERE policy = ? AND state = 0 AND deadline >= r
             AND (batch, file_id) NOT IN (SELECT batch, file_id FROM held)",
    ),
    (
        "refused",
        "SELECT count(DISTINCT l.file_id) FROM attempt_files l JOIN attempts a ON a.id = l.attempt
             JOIN files f USING (file_id) JOIN policies n ON n.id = f.policy, p
         WHERE ifnull(n.name, '-') = ? AND a.outcome = 'refused' AND a.settled_at >= p.a AND a.settled_at < p.z
           AND NOT EXISTS (SELECT 1 FROM attempt_files o WHERE o.attempt = l.attempt AND o.file_id <> l.file_id)",
    ),
    (
        "given_up",
        "SELECT count(DISTINCT file_id) FROM (
             SELECT l.file_id, a.settled_at AS t FROM attempt_files l JOIN attempts a ON a.id = l.attempt WHERE l.result = 5
             UNION ALL SELECT file_id, at FROM notes WHERE event = 'given-up'
         ) JOIN files f USING (file_id) JOIN policies n ON n.id = f.policy, p
         WHERE ifnull(n.name, '-') = ? AND t >= p.a AND t < p.z",
    ),
    (
        "unknown_outcomes",
        "SELECT count(DISTINCT l.file_id) FROM attempt_files l JOIN attempts a ON a.id = l.attempt
             JOIN files f USING (file_id) JOIN policies n ON n.id = f.policy, p
         WHERE ifnull(n.name, '-') = ? AND l.result = 4 AND a.settled_at >= p.a AND a.settled_at < p.z",
    ),
    (
        "revived",
        "SELECT count(DISTINCT o.file_id) FROM notes o JOIN files f USING (file_id) JOIN policies n ON n.id = f.policy, p
         WHERE ifnull(n.name, '-') = ? AND o.event = 'still-there' AND o.from_state IN (2, 3) AND o.at >= p.a AND o.at < p.z",
    ),
    (
        "live",
        "SELECT count(*) FROM files f JOIN policies n ON n.id = f.policy WHERE ifnull(n.name, '-') = ? AND f.state = 0",
    ),
    (
        "without_due",
        "SELECT count(*) FROM files f JOIN policies n ON n.id = f.policy
         WHERE ifnull(n.name, '-') = ? AND f.state = 0 AND f.due_at IS NULL",
    ),
];

pub(crate) async fn second_opinion(world: &Planted) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(world.dir.path().join("ledger.db"));
    let mut connection = options.connect().await.unwrap();
    let setup = [("$FROM", FROM), ("$TO", TO), ("$NOW", NOW)]
        .iter()
        .fold(SETUP.to_owned(), |text, (name, instant)| {
            text.replace(name, &at(instant).as_millis().to_string())
        });
    sqlx::raw_sql(sqlx::AssertSqlSafe(setup))
        .execute(&mut connection)
        .await
        .unwrap();
    connection
}

fn told_by(figures: &Figures) -> BTreeMap<&'static str, i64> {
    let number = |n: u64| i64::try_from(n).unwrap();
    BTreeMap::from([
        ("ended", number(figures.ended)),
        ("in_time", number(figures.in_time)),
        ("late", number(figures.late)),
        ("late_worst", number(figures.late_worst_minutes.unwrap_or(0))),
        ("late_p95", number(figures.late_p95_minutes.unwrap_or(0))),
        ("on_request", number(figures.on_request)),
        ("early", number(figures.early)),
        ("by_others", number(figures.by_others)),
        ("confirmed", number(figures.confirmed)),
        ("unverified", number(figures.unverified)),
        ("ended_since", number(figures.ended_since)),
        ("unknown", number(figures.unknown)),
        ("failed", number(figures.failed)),
        ("held", number(figures.held)),
        ("overdue", number(figures.overdue)),
        ("waiting", number(figures.waiting)),
        ("refused", number(figures.refused)),
        ("given_up", number(figures.given_up)),
        ("unknown_outcomes", number(figures.unknown_outcomes)),
        ("revived", number(figures.revived)),
        ("live", number(figures.live)),
        ("without_due", number(figures.without_due)),
    ])
}

#[tokio::test]
async fn every_figure_of_every_policy_is_what_independent_sql_counts() {
    let world = told().await;
    let report = world.report(false).await;
    let mut connection = second_opinion(&world).await;
    let names: Vec<&str> = report
        .policies
        .iter()
        .map(|f| f.policy.as_deref().unwrap_or("-"))
        .collect();
    assert_eq!(
        names,
        [
            "applications",
            "invoices",
            "drafts <b>&",
            "a policy of the past",
            "-"
        ]
    );
    let mut seen: BTreeMap<&str, i64> = BTreeMap::new();
    for figures in &report.policies {
        let told = told_by(figures);
        assert_eq!(told.len(), BY_POLICY.len());
        for (figure, statement) in BY_POLICY {
            let counted: i64 = sqlx::query_scalar(statement)
                .bind(figures.policy.as_deref().unwrap_or("-"))
                .fetch_one(&mut connection)
                .await
                .unwrap_or_else(|error| panic!("{figure}: {error}"));
            assert_eq!(told[figure], counted, "{figure} of {:?}", figures.policy);
            *seen.entry(figure).or_default() += counted;
        }
        // What adds up by its definition.
        assert_eq!(figures.due, figures.in_time + figures.late + figures.open);
        assert_eq!(
            figures.open,
            figures.ended_since
                + figures.held
                + figures.unknown
                + figures.failed
                + figures.overdue
                + figures.waiting
        );
        assert_eq!(
            figures.ended,
            figures.in_time + figures.late + figures.on_request + figures.by_others + figures.early
        );
    }
    for (figure, counted) in &seen {
        assert!(*counted > 0, "nothing was planted for {figure}");
    }
    totals(&report, &seen, &mut connection).await;
    connection.close().await.unwrap();
}

async fn totals(report: &Report, seen: &BTreeMap<&str, i64>, connection: &mut SqliteConnection) {
    let total = told_by(&report.total);
    for (figure, sum) in seen {
        match *figure {
            "late_worst" | "late_p95" => {}
            figure => assert_eq!(total[figure], *sum, "{figure} of all"),
        }
    }
    let (worst, p95): (i64, i64) = sqlx::query_as(
        "WITH late AS (
             SELECT minutes, row_number() OVER (ORDER BY minutes) AS place, count(*) OVER () AS n
             FROM ends, p WHERE t >= a AND t < z AND due <= t AND deadline < t
         )
         SELECT max(minutes), (SELECT minutes FROM late WHERE place * 100 >= n * 95 ORDER BY place LIMIT 1) FROM late",
    )
    .fetch_one(connection)
    .await
    .unwrap();
    assert_eq!((total["late_worst"], total["late_p95"]), (worst, p95));
    assert!(p95 < worst, "the percentile means something here");
}

#[tokio::test]
async fn the_steps_of_the_timeline_hold_every_end_of_the_period() {
    let world = told().await;
    let report = world.report(false).await;
    let mut connection = second_opinion(&world).await;
    // July to September are summer time in Berlin: days begin at 22:00 UTC.
    let rows: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "SELECT date(t / 1000.0, 'unixepoch', '+2 hours') AS day,
                count(*) FILTER (WHERE due <= t AND NOT ifnull(deadline < t, 0)),
                count(*) FILTER (WHERE due <= t AND deadline < t),
                count(*) FILTER (WHERE NOT ifnull(due <= t, 0)),
                ifnull(max(minutes) FILTER (WHERE due <= t AND deadline < t), 0)
         FROM ends, p
         WHERE t >= a AND t < z
         GROUP BY day
         ORDER BY day",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(
        (report.timeline.step.as_str(), report.timeline.steps.len()),
        ("day", 92)
    );
    let steps: Vec<(String, i64, i64, i64, i64)> = report
        .timeline
        .steps
        .iter()
        .filter(|step| step.in_time + step.late + step.before_due > 0)
        .map(|step| {
            let [in_time, late, before, worst] =
                [step.in_time, step.late, step.before_due, step.late_worst_minutes]
                    .map(|n| i64::try_from(n).unwrap());
            (step.from.clone(), in_time, late, before, worst)
        })
        .collect();
    assert_eq!(steps, rows);
    assert!(rows.len() > 60);
}

#[tokio::test]
async fn what_stands_beside_the_files_is_what_the_tables_hold() {
    let world = told().await;
    let report = world.report(false).await;
    let mut connection = second_opinion(&world).await;
    let mut count = async |statement: &'static str| -> usize {
        let n: i64 = sqlx::query_scalar(statement)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        usize::try_from(n).unwrap()
    };
    let sweeps: u64 = report.sweeps.iter().map(|line| line.sweeps).sum();
    let begun = "SELECT count(*) FROM sweeps, p WHERE started_at >= a AND started_at < z";
    assert_eq!(sweeps as usize, count(begun).await);
    let caught_up: u64 = report.sweeps.iter().map(|line| line.caught_up).sum();
    let late =
        "SELECT count(*) FROM sweeps, p WHERE started_at >= a AND started_at < z AND trigger = 'catch-up'";
    assert_eq!((caught_up as usize, 1), (count(late).await, count(late).await));
    let not_done =
        "SELECT count(*) FROM sweeps, p WHERE started_at >= a AND started_at < z AND state <> 'done'";
    assert_eq!(report.unfinished.len(), count(not_done).await);
    let holds = "SELECT count(*) FROM holds, p WHERE placed_at < z AND NOT ifnull(ends_at <= a, 0)";
    assert_eq!((report.holds.len(), 3), (count(holds).await, count(holds).await));
    let requests = "SELECT count(*) FROM erasures, p WHERE placed_at < z AND NOT ifnull(closed_at < a, 0)";
    assert_eq!(
        (report.erasures.len(), 3),
        (count(requests).await, count(requests).await)
    );
    let unowned = "SELECT count(*) FROM files WHERE policy = 0 AND state = 0";
    assert_eq!(
        (report.unowned.files as usize, 2),
        (count(unowned).await, count(unowned).await)
    );
    let stops = "SELECT (SELECT count(*) FROM breakers, p WHERE opened_at < z AND NOT ifnull(closed_at < a, 0))
                      + (SELECT count(*) FROM pauses, p WHERE since < z AND min(until, ifnull(cleared_at, until)) >= a)";
    assert_eq!((report.stops.len(), 2), (count(stops).await, count(stops).await));
    let plans = "SELECT count(*) FROM plans, p WHERE at >= a AND at < z";
    assert_eq!((report.plans.len(), 3), (count(plans).await, count(plans).await));
    let changes = "SELECT count(*) FROM rule_changes, p WHERE seen_at < z AND NOT ifnull(ended_at < a, 0)";
    assert_eq!(
        (report.changes.len(), 2),
        (count(changes).await, count(changes).await)
    );
    let adopted = "SELECT count(*) FROM rule_adoptions";
    assert_eq!(
        (report.rules.len(), 2),
        (count(adopted).await, count(adopted).await)
    );
}

#[tokio::test]
async fn a_sweep_that_never_ended_is_told_from_one_under_way() {
    let world = Planted::new().await;
    let cause = async |of: usize| world.report(false).await.unfinished[of].cause.clone();
    let open = async || world.open("applications", at(FROM), None, Trigger::Manual).await;
    open().await;
    assert_eq!(cause(0).await, "under way, or ended by a crash");
    let next = open().await;
    let never = format!(
        "never ended, by a crash or a failure; sweep {} came after it",
        next.0
    );
    assert_eq!(cause(0).await, never);
    assert_eq!(cause(1).await, "under way, or ended by a crash");
}

//! The ledger on PostgreSQL: the process dies, the connection is cut or the server crashes at the n-th question that a
//! sweep asks, before the server has heard it or after it was done and before the answer came.

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use retentiond::ledger::HistoryFilter;
use retentiond::model::FileId;

use crate::cluster::{Cluster, cluster};
use crate::points::spread;
use crate::proxy::{Hit, Proxy};
use crate::restart::{Down, restart};
use crate::world::World;

/// Longest time that one point may take; reached only by a failure.
const PATIENCE: Duration = Duration::from_secs(90);

/// Worlds side by side: half of the time they wait for the server.
const SIDE_BY_SIDE: usize = 3;

/// What is done at a question; with how many points an ordinary run takes of each.
const HITS: [(Hit, usize); 4] = [
    (Hit::KillBefore, 12),
    (Hit::KillAfter, 12),
    (Hit::CutBefore, 12),
    (Hit::CutAfter, 16),
];

/// A world whose process reaches its server through a door.
struct Point {
    world: World,
    door: Proxy,
}

impl Point {
    async fn on(cluster: &Cluster) -> Self {
        let url = cluster.fresh().await;
        let door = Proxy::before(&directory(cluster));
        let (database, _) = url.split_once("?host=").unwrap();
        let through = format!("{database}?host={}", door.directory().display());
        Self {
            world: World::on_server(&through).await,
            door,
        }
    }

    /// One sweep that is hit at this question; what was asked in all, and the question that was hit.
    async fn sweep_hit(&self, point: usize, hit: Hit) -> (Output, usize, Option<String>) {
        self.door.arm(point, hit);
        let mut command = self.world.command(&["sweep"]);
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped());
        let child = command.stderr(Stdio::piped()).spawn().unwrap();
        self.door.victim(child.id().unwrap());
        let output = child.wait_with_output().await.unwrap();
        let (asked, question) = self.door.disarm();
        (output, asked, question)
    }

    /// A file is asked for again only after an attempt of which nobody knows what became.
    async fn assert_asked_once(&self, after: &str) {
        let ledger = self.world.open().await;
        let filter = HistoryFilter {
            limit: 1000,
            ..HistoryFilter::default()
        };
        let mut attempts = ledger.history(&filter).await.unwrap();
        attempts.sort_by_key(|attempt| attempt.attempt);
        let mut last: HashMap<FileId, String> = HashMap::new();
        for attempt in attempts {
            let outcome = attempt
                .outcome
                .unwrap_or_else(|| panic!("{after}: an attempt is under way"));
            for file in attempt.files {
                let before = last.insert(file.file_id.clone(), outcome.clone());
                let in_doubt = before.as_deref().is_none_or(|before| before == "unknown");
                assert!(
                    in_doubt,
                    "{after}: {} was {before:?} and asked for again",
                    file.file_id
                );
            }
        }
    }
}

/// Where the server's socket is.
fn directory(cluster: &Cluster) -> PathBuf {
    let url = cluster.url("postgres");
    PathBuf::from(url.rsplit_once("host=").unwrap().1)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What hitting one point came to.
#[derive(Default)]
struct Came {
    hit: usize,
    twice: usize,
    commits: usize,
    /// The sweep that was hit reached its end by itself.
    through: usize,
}

async fn questions_of_a_sweep() -> usize {
    let point = Point::on(cluster()).await;
    let (output, asked, _) = point.sweep_hit(usize::MAX, Hit::KillBefore).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    point.world.assert_end("an undisturbed sweep").await;
    point.assert_asked_once("an undisturbed sweep").await;
    asked
}

async fn one_point(hit: Hit, number: usize, of: usize, again: bool) -> Came {
    let name = format!("{hit:?} at question {number} of {of}");
    let point = Point::on(cluster()).await;
    let (output, _, question) = point.sweep_hit(number, hit).await;
    let mut came = Came::default();
    let Some(question) = question else {
        assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
        return came;
    };
    let name = format!("{name} ({question:.80})");
    came.hit = 1;
    came.commits = usize::from(question.contains("COMMIT"));
    ended_as_it_may(&output, hit, &name);
    came.through = usize::from(output.status.code() == Some(0));
    point.world.assert_sound(&name).await;
    if again {
        // The recovering sweep is hit too, early or late.
        let second = 1 + (number * 7) % of;
        let name = format!("{name}, then at {second}");
        let (output, _, question) = point.sweep_hit(second, hit).await;
        if question.is_some() {
            came.twice = 1;
            ended_as_it_may(&output, hit, &name);
        }
        point.world.assert_sound(&name).await;
    }
    point.world.assert_recovers(&name).await;
    point.assert_asked_once(&name).await;
    came
}

/// Killed, or with an exit code that says what to do; never by a panic.
fn ended_as_it_may(output: &Output, hit: Hit, name: &str) {
    let text = said(output);
    assert!(!text.contains("panicked"), "{name}: {text}");
    match hit {
        Hit::KillBefore | Hit::KillAfter => assert_eq!(output.status.signal(), Some(9), "{name}: {text}"),
        Hit::CutBefore | Hit::CutAfter | Hit::Hold => {
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 1 | 6 | 75)), "{name}: {code:?}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn killed_or_cut_off_at_any_question_to_the_server_a_further_sweep_reaches_the_right_end() {
    let began = tokio::time::Instant::now();
    let of = questions_of_a_sweep().await;
    for (hit, most) in HITS {
        let points = spread(of, most);
        let tried = points.len();
        let came: Vec<Came> = stream::iter(points.into_iter().enumerate())
            .map(|(nr, number)| async move {
                let again = nr.is_multiple_of(3);
                let one = tokio::time::timeout(PATIENCE, one_point(hit, number, of, again)).await;
                one.unwrap_or_else(|_| panic!("{hit:?} at question {number}: it hangs"))
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .collect()
            .await;
        let sum = |of: fn(&Came) -> usize| came.iter().map(of).sum::<usize>();
        let (met, twice, commits) = (sum(|c| c.hit), sum(|c| c.twice), sum(|c| c.commits));
        println!(
            "{hit:?}: {of} questions, {tried} tried, {met} met, {twice} twice, {commits} of them commits; {} sweeps went through",
            sum(|c| c.through)
        );
        assert!(met * 10 >= tried * 8, "{hit:?}: {met} of {tried} points were met");
        assert!(twice >= 1 && commits >= 1, "{hit:?}");
    }
    println!("in {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs PostgreSQL: .ci/run"]
async fn when_the_server_crashes_in_a_sweep_a_further_one_reaches_the_right_end() {
    // What it has committed is the kernel's by then, synced or not: a crash of its own loses none of it.
    let of = questions_of_a_sweep().await;
    let cluster = Cluster::start();
    for (number, down) in [
        (of / 4, Down::Immediate),
        (of / 2, Down::Fast),
        (of * 2 / 3, Down::Immediate),
        (of * 5 / 6, Down::Immediate),
    ] {
        let name = format!("the server goes down ({down:?}) at question {number} of {of}");
        let point = Point::on(&cluster).await;
        let crash = async {
            point.door.reached().await;
            // The question is lost with its connection.
            tokio::task::block_in_place(|| restart(&cluster, down));
            point.door.go_on();
        };
        let hit = async { tokio::join!(point.sweep_hit(number, Hit::Hold), crash) };
        let ((output, ..), ()) = tokio::time::timeout(PATIENCE, hit)
            .await
            .unwrap_or_else(|_| panic!("{name}: it hangs"));
        ended_as_it_may(&output, Hit::Hold, &name);
        point.world.assert_sound(&name).await;
        point.world.assert_recovers(&name).await;
        point.assert_asked_once(&name).await;
    }
}

//! A world's ledger in a database of its own, on a server that does not sync: what is judged here is logic.
//!
//! The server's clock is the world's true time, read from a file. What becomes of a process is done to its sessions: a
//! death cuts them, whatever is under way in them. What stays the server's own business, and differs from run to run: how
//! far a write had come when its process died or its connection was cut in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use retentiond::ledger::{DeleterLock, Lease, LedgerError, OpenMode, Place, PostgresLedger, PostgresOptions};
use retentiond::model::{AttemptId, FileId, FileState};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::cluster::cluster;
use crate::eye::{self, Intent, IntentRow};
use crate::place::{Sight, Still};
use crate::rng::Rng;
use crate::shared::Shared;
use crate::world::World;

pub const CUT_BY_DEATH: &str = "a dead one's connections are cut";

/// What can happen beside a file and not beside a server.
pub const ONLY_BESIDE_A_FILE: [(&str, &str); 2] = [
    (
        "ledger's fsync fails",
        "the server's own business: it stops itself, and its clients see a connection that was cut",
    ),
    (
        "ledger opened from a dead one's bytes",
        "the bytes are the server's: a death cuts its connections instead",
    ),
];

/// What can happen beside a server only.
pub const ONLY_BESIDE_A_SERVER: [&str; 10] = [
    CUT_BY_DEATH,
    "connections cut between two steps",
    "connections cut in a write",
    "a write that was cut was done",
    "a write that was cut was undone",
    "a death in a write: it was done",
    "a death in a write: it was undone",
    "a lease ran out in a process that stood still",
    "a dead one's lease had to run out",
    "the database's clock is wrong",
];

/// How long what is claimed stays a process's own.
const LEASE: Lease = Lease::over(Duration::from_secs(60));

/// The database of one world.
pub struct Server {
    name: String,
    beside: PathBuf,
    /// What `server_ms()` reads.
    clock: File,
    told: AtomicI64,
    /// The server's clock against the truth.
    skew: AtomicI64,
    /// Connections are cut by nothing but a death.
    calm: AtomicBool,
    /// Draws what can only happen here, so that all else happens as in the same world beside a file.
    rng: Mutex<Rng>,
    admin: tokio::sync::Mutex<PgConnection>,
    /// Milliseconds for which a dead one's claims stay its own.
    lease_left: AtomicI64,
}

/// How a dead one is found.
const HERE: &str = "999999999 on ' || split_part(name, ' on ', 2) || '";
const ELSEWHERE: &str = "7 on elsewhere";

async fn template() -> &'static str {
    static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let made = TEMPLATE.get_or_init(|| async {
        let url = cluster().fresh().await;
        let dir = tempfile::tempdir().unwrap();
        let options = options(&url, &dir.path().join("ledger"));
        let ledger = PostgresLedger::open(&options, OpenMode::ReadWrite).await;
        ledger.unwrap().close().await;
        let before_options = url.split('?').next().unwrap();
        let name = before_options.rsplit('/').next().unwrap().to_owned();
        let clock = format!(
            "CREATE OR REPLACE FUNCTION retentiond.server_ms() RETURNS bigint
             LANGUAGE sql VOLATILE
             AS $$ SELECT pg_read_file('{}/' || current_database() || '.clock')::bigint $$",
            directory()
        );
        cluster().run(&name, &clock).await;
        name
    });
    made.await
}

/// Where the cluster is.
fn directory() -> String {
    let url = cluster().url("postgres");
    url.rsplit_once("host=").unwrap().1.to_owned()
}

fn options(url: &str, beside: &Path) -> PostgresOptions {
    PostgresOptions {
        url: url.to_owned(),
        password: None,
        beside: beside.to_owned(),
        lease: LEASE,
    }
}

async fn connect(database: &str) -> PgConnection {
    let options: PgConnectOptions = cluster().url(database).parse().unwrap();
    PgConnection::connect_with(&options.application_name("the world"))
        .await
        .unwrap()
}

impl Server {
    pub async fn new(seed: u64, beside: &Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let template = template().await;
        let name = format!("world_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut admin = connect("postgres").await;
        run(&mut admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self {
            clock: File::create(format!("{}/{name}.clock", directory())).unwrap(),
            name,
            beside: beside.to_owned(),
            told: AtomicI64::new(0),
            skew: AtomicI64::new(0),
            calm: AtomicBool::new(false),
            rng: Mutex::new(Rng::new(seed ^ 0x5e7_7e55)),
            admin: tokio::sync::Mutex::new(admin),
            lease_left: AtomicI64::new(0),
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap())
    }

    /// The server's clock follows the truth.
    pub fn tell(&self, truth: i64) {
        let now = truth + self.skew.load(Ordering::Relaxed);
        if self.told.swap(now, Ordering::Relaxed) != now {
            self.clock
                .write_all_at(format!("{now:<13}").as_bytes(), 0)
                .unwrap();
        }
    }

    pub async fn open(&self) -> (DeleterLock, PostgresLedger) {
        let options = options(&cluster().url(&self.name), &self.beside);
        let lock = Place::Server(options.clone()).lock().await.unwrap();
        let ledger = PostgresLedger::open_under(&options, &lock).await.unwrap();
        (lock, ledger)
    }

    /// Whether it is time for connections to be cut.
    pub fn is_unsteady(&self) -> bool {
        !self.calm.load(Ordering::Relaxed) && self.draw(|rng| rng.chance(2))
    }

    /// The server ends every session of the process; they are gone when this returns.
    pub async fn cut(&self) {
        let cut = format!(
            "SELECT pg_terminate_backend(pid, 10000)
             FROM pg_stat_activity
             WHERE datname = '{}' AND application_name LIKE 'retentiond%'",
            self.name
        );
        run(&mut *self.admin.lock().await, &cut).await;
    }

    /// The same a moment later, in which a write may come as far as it comes.
    pub async fn cut_in_a_moment(&self) {
        let micros = self.draw(|rng| rng.below(2_500));
        let moment = move || std::thread::sleep(Duration::from_micros(micros));
        tokio::task::spawn_blocking(moment).await.unwrap();
        self.cut().await;
    }

    pub async fn die_in_the_middle(&self, shared: &Shared, begun: impl Future<Output = ()>, writes: bool) {
        let before = sequence(shared).await;
        begun.await;
        self.cut_in_a_moment().await;
        if writes {
            let done = sequence(shared).await > before;
            shared.state().count(if done {
                "a death in a write: it was done"
            } else {
                "a death in a write: it was undone"
            });
        }
    }

    pub async fn cut_around<T>(
        &self,
        shared: &Shared,
        operation: impl Future<Output = Result<T, LedgerError>>,
    ) -> Result<T, LedgerError> {
        if self.draw(|rng| rng.chance(50)) {
            shared.state().count("connections cut between two steps");
            self.cut().await;
            return operation.await;
        }
        let before = sequence(shared).await;
        let (done, ()) = tokio::join!(operation, self.cut_in_a_moment());
        let committed = sequence(shared).await > before;
        let mut state = shared.state();
        state.count("connections cut in a write");
        if let Err(error) = &done {
            state.injected += 1;
            state.note(format_args!("cut in the middle: {error}"));
            state.count(if committed {
                "a write that was cut was done"
            } else {
                "a write that was cut was undone"
            });
        }
        done
    }

    /// No session of it is left; its host knows that it is dead, or it was on another, and its lease has to run out.
    pub async fn process_has_ended(&self, eye: &ServerEye) {
        self.cut().await;
        let elsewhere = self.draw(|rng| rng.chance(50));
        let name = if elsewhere { ELSEWHERE } else { HERE };
        eye.run(&format!(
            "UPDATE peers SET name = '{name}' WHERE lease_until > server_ms()"
        ))
        .await;
        let left = if elsewhere {
            eye.number("SELECT coalesce(max(lease_until) - server_ms(), 0) FROM peers")
                .await
        } else {
            0
        };
        self.lease_left.store(left.max(0), Ordering::Relaxed);
    }

    /// For how long the claims of those who have died are still theirs.
    pub fn lease_left(&self) -> i64 {
        self.lease_left.swap(0, Ordering::Relaxed)
    }

    /// As an administrator copies a database: nobody is in it.
    pub async fn copy(&self) {
        let (name, admin) = (&self.name, &mut *self.admin.lock().await);
        run(admin, &format!("CREATE DATABASE {name}_copy TEMPLATE {name}")).await;
    }

    pub async fn put_back(&self) {
        let (name, admin) = (&self.name, &mut *self.admin.lock().await);
        run(admin, &format!("DROP DATABASE {name} WITH (FORCE)")).await;
        run(admin, &format!("ALTER DATABASE {name}_copy RENAME TO {name}")).await;
    }

    /// The world is over.
    pub async fn end(&self) {
        let (name, admin) = (&self.name, &mut *self.admin.lock().await);
        for database in [name.clone(), format!("{name}_copy")] {
            run(admin, &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")).await;
        }
    }
}

async fn sequence(shared: &Shared) -> i64 {
    let eye = shared.eye();
    let Sight::Server(eye) = &*eye else {
        unreachable!("an eye is opened where the ledger is")
    };
    eye.sequence().await
}

impl World {
    /// Who died on another host is not known to be dead: what it has claimed stays its own until its lease is over.
    pub async fn the_dead_ones_lease_runs_out(&self) {
        let Some(left) = self
            .shared
            .place
            .server()
            .map(Server::lease_left)
            .filter(|left| *left > 0)
        else {
            return;
        };
        let claimed = self.deleting().await;
        self.engine().recover().await.unwrap();
        let still = self.deleting().await;
        for file in claimed.difference(&still) {
            let text = format!("{file} is taken over while the lease of a dead one lasts {left} ms");
            self.state().violate("LEASE", text);
        }
        if !claimed.is_empty() {
            self.state().count("a dead one's lease had to run out");
        }
        self.state().note(format_args!("a lease of {left} ms runs out"));
        self.shared.advance(left + 1_000);
    }

    async fn deleting(&self) -> BTreeSet<FileId> {
        let states = self.states().await;
        let deleting = states.into_iter().filter(|(_, is)| *is == FileState::Deleting);
        deleting.map(|(file, _)| file).collect()
    }

    /// Time passes in a process that lives: it renews its lease, unless it stood still itself.
    pub async fn renew_or_lose_the_lease(&self, millis: i64) {
        let eye = self.shared.eye();
        let (Some(server), Sight::Server(eye)) = (self.shared.place.server(), &*eye) else {
            self.shared.advance(millis);
            return;
        };
        let seats = eye.living().await;
        self.shared.advance(millis);
        if server.draw(|rng| rng.chance(80)) {
            eye.renew(seats).await;
        } else if i128::from(millis) > i128::try_from(LEASE.lasts.as_millis()).unwrap() {
            self.state()
                .count("a lease ran out in a process that stood still");
        }
    }

    /// The database's clock may be wrong too.
    pub fn server_weather(&self) {
        let Some(server) = self.shared.place.server() else {
            return;
        };
        let skew = server.draw(|rng| {
            if rng.chance(15) {
                rng.pick(&[50, -50, 9 * 60]) * 60_000
            } else {
                0
            }
        });
        self.set_server_clock(skew);
        if skew != 0 {
            self.state().count("the database's clock is wrong");
        }
    }

    pub fn the_server_calms_down(&self) {
        self.set_server_clock(0);
        if let Some(server) = self.shared.place.server() {
            server.calm.store(true, Ordering::Relaxed);
        }
    }

    fn set_server_clock(&self, skew: i64) {
        if let Some(server) = self.shared.place.server() {
            server.skew.store(skew, Ordering::Relaxed);
            server.tell(self.state().truth);
        }
    }

    /// Nobody is in a database that is copied.
    pub async fn copy_between_two_lives(&mut self) {
        let real = self.end_process();
        self.close(real).await;
        let shared = Arc::clone(&self.shared);
        if let Some(server) = shared.place.server() {
            let _still = shared.still();
            server.copy().await;
        }
        self.open(false).await;
    }
}

async fn run(connection: &mut PgConnection, statement: &str) {
    sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// What is committed, as the server says it.
pub struct ServerEye(tokio::sync::Mutex<PgConnection>);

impl ServerEye {
    pub async fn open(database: &str) -> Self {
        let mut connection = connect(database).await;
        run(&mut connection, "SET search_path = retentiond").await;
        Self(tokio::sync::Mutex::new(connection))
    }

    pub async fn close(self) {
        self.0.into_inner().close().await.unwrap();
    }

    async fn run(&self, statement: &str) {
        run(&mut *self.0.lock().await, statement).await;
    }

    async fn number(&self, question: &'static str) -> i64 {
        sqlx::query_scalar(question)
            .fetch_one(&mut *self.0.lock().await)
            .await
            .unwrap()
    }

    /// How many transactions the ledger has counted.
    pub async fn sequence(&self) -> i64 {
        let _still = Still::begin();
        self.number("SELECT sequence FROM lineage").await
    }

    pub async fn living(&self) -> Vec<i64> {
        let _still = Still::begin();
        sqlx::query_scalar("SELECT number FROM living")
            .fetch_all(&mut *self.0.lock().await)
            .await
            .unwrap()
    }

    /// What a process does every few seconds, of which none has passed here.
    pub async fn renew(&self, seats: Vec<i64>) {
        let _still = Still::begin();
        sqlx::query(
            "UPDATE peers
             SET seen_at = server_ms(), lease_until = server_ms() + $2
             WHERE number = ANY ($1)",
        )
        .bind(seats)
        .bind(i64::try_from(LEASE.lasts.as_millis()).unwrap())
        .execute(&mut *self.0.lock().await)
        .await
        .unwrap();
    }

    pub async fn states(&self) -> BTreeMap<FileId, FileState> {
        let rows = sqlx::query_scalar(
            "SELECT coalesce(json_agg(json_build_array(file_id, state)), '[]')::text FROM files",
        )
        .fetch_one(&mut *self.0.lock().await)
        .await;
        eye::states(rows.unwrap())
    }

    pub async fn intents(&self) -> BTreeMap<AttemptId, Intent> {
        let rows: Vec<IntentRow> = sqlx::query_as(
            "SELECT a.id, b.module, b.parent, b.batch, l.file_id, coalesce(f.state, -1)
             FROM attempts a
             JOIN batches b ON b.id = a.batch
             JOIN attempt_files l ON l.attempt = a.id
             LEFT JOIN files f ON f.batch = a.batch AND f.file_id = l.file_id
             WHERE a.settled_at IS NULL",
        )
        .fetch_all(&mut *self.0.lock().await)
        .await
        .unwrap();
        eye::intents(rows)
    }
}

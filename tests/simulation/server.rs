//! A world's ledger in a database of its own, on a server that does not sync: what is judged here is logic.
//!
//! The server's clock is the world's true time, read from a file. What becomes of a process is done to its sessions: a
//! death cuts them, whatever is under way in them. What stays the server's own business, and differs from run to run: how
//! far a write had come when its process died or its connection was cut in the middle.

use std::fs::File;
use std::future::Future;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use retentiond::ledger::{DeleterLock, Lease, LedgerError, OpenMode, Place, PostgresLedger, PostgresOptions};
use sqlx::PgConnection;

use crate::cluster::cluster;
use crate::place::Sight;
use crate::rng::Rng;
use crate::server_eye::{ServerEye, connect, run};
use crate::shared::{Death, Shared};

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
pub const LEASE: Lease = Lease::over(Duration::from_secs(60));

/// The database of one world.
pub struct Server {
    name: String,
    beside: PathBuf,
    /// What `server_ms()` reads.
    clock: File,
    told: AtomicI64,
    /// The server's clock against the truth.
    pub skew: AtomicI64,
    /// Connections are cut only where nobody may notice: while nothing is under way in them.
    pub calm: AtomicBool,
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

    fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether it is time for connections to be cut.
    pub fn is_unsteady(&self) -> bool {
        let percent = if self.is_calm() { 3 } else { 8 };
        self.draw(|rng| rng.chance(percent))
    }

    pub fn dies_in_a_request(&self) -> Option<Death> {
        let dies = !self.is_calm() && self.draw(|rng| rng.chance(50));
        dies.then(|| self.draw(|rng| rng.pick(&[Death::Before, Death::After])))
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
        let micros = self.draw(|rng| rng.below(1_500));
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
        if self.is_calm() || self.draw(|rng| rng.chance(50)) {
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

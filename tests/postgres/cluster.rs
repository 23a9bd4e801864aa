//! A PostgreSQL of this test process: made at the first question for it, ended with the process, however that ends.
//!
//! Debian's package is enough; no server of the machine is touched. Its databases sort by German rules, so that a
//! statement which forgets that the ledger sorts by bytes is noticed. It does not sync: what is tested here
//! is what the ledger says to the server, not what the server does with its disk.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The server lives as long as somebody holds the other end of the guard's standard input.
const GUARD: &str = r#"
trap '' INT TERM HUP
dir=$(mktemp -d)
"$1/initdb" -D "$dir/data" -A trust -N -E UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=de >"$dir/log" 2>&1 ||
  { cat "$dir/log" >&2; rm -rf "$dir"; exit 1; }
bin=$1
shift
"$bin/postgres" -D "$dir/data" -k "$dir" -c listen_addresses= -c fsync=off -c max_connections=400 \
  -c shared_buffers=64MB "$@" >>"$dir/log" 2>&1 </dev/null &
server=$!
until "$bin/pg_isready" -q -h "$dir" -d postgres; do
  kill -0 "$server" 2>/dev/null || { cat "$dir/log" >&2; rm -rf "$dir"; exit 1; }
  sleep 0.05
done
echo "$dir"
cat >/dev/null
# Not by its number: it may have been restarted.
"$bin/pg_ctl" stop -s -m immediate -D "$dir/data"
rm -rf "$dir"
"#;

/// The running server.
pub(crate) struct Cluster {
    socket: PathBuf,
    _guard: Child,
    _life: ChildStdin,
}

/// The one server of this process.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

impl Cluster {
    /// One of the caller's own, for whoever does to it what others must not see.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// One with settings of its own.
    pub(crate) fn start_with(settings: &[&str]) -> Self {
        let bin = newest_bin();
        // initdb refuses root.
        let root = rustix::process::geteuid().is_root();
        let mut command = if root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh"]);
            command
        } else {
            Command::new("sh")
        };
        let mut guard = command
            .arg("-c")
            .arg(GUARD)
            .arg("guard")
            .arg(&bin)
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let life = guard.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(guard.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(!line.is_empty(), "PostgreSQL did not start");
        Self {
            socket: PathBuf::from(line.trim_end()),
            _guard: guard,
            _life: life,
        }
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!(
            "postgres://postgres@localhost/{database}?host={}",
            self.socket.display()
        )
    }

    /// The URL of a new and empty database.
    pub(crate) async fn fresh(&self) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("ledger_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.run("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Runs statements as nobody of ours would.
    pub(crate) async fn run(&self, database: &str, statements: &str) {
        let options: PgConnectOptions = self.url(database).parse().unwrap();
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }
}

/// Where the server's own programs are (`psql`, `pg_dump`).
pub(crate) fn newest_bin() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").expect("Debian's package `postgresql`");
    installed
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("bin/initdb").exists())
        .max_by_key(|path| {
            let version = path.file_name().unwrap().to_str().unwrap().parse::<u32>();
            version.unwrap_or(0)
        })
        .expect("Debian's package `postgresql`")
        .join("bin")
}

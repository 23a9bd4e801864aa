//! `[ledger]`: which database holds the ledger, and what a PostgreSQL one needs besides.
//!
//! What is accepted here can be used as it is: the URL says everything but the password, and a
//! server beyond this machine is never asked without its certificate being checked.

use std::path::{Path, PathBuf};

use reqwest::Url;
use toml::Spanned;

use super::code::Code;
use super::diagnostics::Problem;
use super::reader::{Findings, Section};
use super::urls;

/// Where the ledger is, unless the policy file says otherwise.
pub const DEFAULT_LEDGER: &str = "/var/lib/retentiond/ledger.db";
/// Where this host keeps what a ledger on a server cannot keep itself.
const DEFAULT_STATE: &str = "/var/lib/retentiond";
/// What the files in it begin with.
const STATE_NAME: &str = "ledger";

const SQLITE: &str = "write `url = \"sqlite:/var/lib/retentiond/ledger.db\"`";
const POSTGRES: &str = "write `url = \"postgres://USER@HOST/DATABASE\"`";
/// Parameters of the URL that are understood.
const PARAMETERS: [&str; 5] = ["host", "sslmode", "sslrootcert", "sslcert", "sslkey"];
const SSL_MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// `[ledger]`: where the ledger is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerSettings {
    /// `sqlite:` and an absolute path, or `postgres://` with user, host, database and `sslmode`; never with a
    /// password.
    pub url: String,
    /// The SQLite file; for PostgreSQL `<state_dir>/ledger`. What this host keeps beside the ledger begins so.
    pub path: PathBuf,
    /// What only a ledger on a server has.
    pub server: Option<ServerSettings>,
}

/// What only a ledger on a server has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerSettings {
    /// File that holds the password, an absolute path. `None`: `$CREDENTIALS_DIRECTORY/ledger-password`, else
    /// what libpq's password file says; see [`super::credentials::ledger_password`].
    pub password_file: Option<PathBuf>,
}

impl LedgerSettings {
    /// How it is called: the file's path, or the URL without its parameters.
    #[must_use]
    pub fn name(&self) -> &str {
        if self.server.is_some() {
            self.url.split('?').next().unwrap_or_default()
        } else {
            self.url.trim_start_matches("sqlite:")
        }
    }

    /// A ledger that was typed: `sqlite:` and a path, taken from the working directory on, or `postgres://`; the other
    /// two as `[ledger]` has them.
    ///
    /// # Errors
    /// What is wrong with it and what to write; repeats nothing of a URL.
    pub fn typed(
        url: &str,
        password_file: Option<PathBuf>,
        state_dir: Option<PathBuf>,
    ) -> Result<Self, String> {
        if is_server(url) {
            let url = server_url(url).map_err(|refusal| format!("{}: {}", refusal.message, refusal.help))?;
            return Ok(Self::on_server(url, password_file, state_dir));
        }
        let path = url
            .strip_prefix("sqlite:")
            .map(|rest| rest.strip_prefix("//").unwrap_or(rest))
            .filter(|path| !path.is_empty())
            .and_then(|path| std::path::absolute(path).ok())
            .and_then(|path| path.to_str().map(str::to_owned))
            .filter(|path| is_file_path(path));
        path.map(Self::file).ok_or_else(|| {
            "it names neither a SQLite file nor a PostgreSQL database: write `sqlite:/var/lib/retentiond/ledger.db` or `postgres://USER@HOST/DATABASE`".to_owned()
        })
    }

    fn on_server(url: String, password_file: Option<PathBuf>, state_dir: Option<PathBuf>) -> Self {
        Self {
            url,
            path: state_dir
                .unwrap_or_else(|| PathBuf::from(DEFAULT_STATE))
                .join(STATE_NAME),
            server: Some(ServerSettings { password_file }),
        }
    }

    pub(super) fn read(section: Option<&Section<'_>>, findings: &mut Findings) -> Self {
        let Some(section) = section else {
            return Self::file(DEFAULT_LEDGER.to_owned());
        };
        let text = section.string("url", findings);
        match text {
            Some(text) if is_server(text.get_ref()) => Self::server(section, &text, findings),
            text => {
                only_for_a_server(section, findings);
                let path = text.and_then(|text| file_path(&text, findings));
                Self::file(path.unwrap_or_else(|| DEFAULT_LEDGER.to_owned()))
            }
        }
    }

    fn file(path: String) -> Self {
        Self {
            url: format!("sqlite:{path}"),
            path: PathBuf::from(path),
            server: None,
        }
    }

    fn server(section: &Section<'_>, text: &Spanned<String>, findings: &mut Findings) -> Self {
        let password_file = section.string("password_file", findings).and_then(|text| {
            absolute(
                "password_file",
                "/etc/retentiond/credentials/ledger-password",
                &text,
                findings,
            )
        });
        let state = section
            .string("state_dir", findings)
            .and_then(|text| absolute("state_dir", DEFAULT_STATE, &text, findings));
        let url = match server_url(text.get_ref()) {
            Ok(url) => url,
            Err(refusal) => {
                findings.push(refusal.at(text));
                String::new()
            }
        };
        Self::on_server(url, password_file, state)
    }
}

fn is_server(url: &str) -> bool {
    let scheme = url.split(':').next().unwrap_or_default();
    matches!(scheme, "postgres" | "postgresql")
}

/// A key that would do nothing beside a file is a mistake about where the ledger is.
fn only_for_a_server(section: &Section<'_>, findings: &mut Findings) {
    for key in ["password_file", "state_dir"] {
        if let Some(text) = section.string(key, findings) {
            findings.push(
                Problem::at(
                    Code::OnlyForPostgres,
                    text.span(),
                    format!("`{key}` is for a ledger on PostgreSQL, and this one is a SQLite file"),
                )
                .label("would do nothing")
                .help(format!("remove it, or {POSTGRES}")),
            );
        }
    }
}

/// The file behind `sqlite:/path`.
fn file_path(text: &Spanned<String>, findings: &mut Findings) -> Option<String> {
    let path = text
        .get_ref()
        .strip_prefix("sqlite:")
        .map(|rest| rest.strip_prefix("//").unwrap_or(rest));
    match path {
        Some(path) if is_file_path(path) => Some(path.to_owned()),
        Some(_) | None => {
            findings.push(
                Problem::at(
                    Code::BadLedgerUrl,
                    text.span(),
                    "the ledger's `url` names neither a SQLite file nor a PostgreSQL database",
                )
                .label("not `sqlite:` and an absolute path")
                .help(format!(
                    "{SQLITE}, with a path from `/` on and no parameters; or {POSTGRES}"
                )),
            );
            None
        }
    }
}

fn is_file_path(path: &str) -> bool {
    path.starts_with('/')
        && path.len() > 1
        && !path.ends_with('/')
        && !path.contains(['?', '#', '%'])
        && !path.chars().any(char::is_control)
}

fn absolute(key: &str, example: &str, text: &Spanned<String>, findings: &mut Findings) -> Option<PathBuf> {
    if Path::new(text.get_ref()).is_absolute() {
        return Some(PathBuf::from(text.get_ref()));
    }
    findings.push(
        Problem::at(
            Code::RelativePath,
            text.span(),
            format!("`{key}` is not an absolute path"),
        )
        .label("not a path from `/` on")
        .help(format!("write `{key} = \"{example}\"`")),
    );
    None
}

/// Why a URL is not taken. Repeats nothing of it.
struct Refusal {
    code: Code,
    message: String,
    label: &'static str,
    help: String,
}

impl Refusal {
    fn url(message: &str, label: &'static str, help: impl Into<String>) -> Self {
        Self {
            code: Code::BadLedgerUrl,
            message: format!("the ledger's `url` {message}"),
            label,
            help: help.into(),
        }
    }

    fn tls(message: &str, help: impl Into<String>) -> Self {
        Self {
            code: Code::WeakTls,
            message: message.to_owned(),
            label: "could be read or answered by others",
            help: help.into(),
        }
    }

    fn at(self, text: &Spanned<String>) -> Problem {
        Problem::at(self.code, text.span(), self.message)
            .label(self.label)
            .help(self.help)
    }
}

/// The URL with its `sslmode` written out.
fn server_url(text: &str) -> Result<String, Refusal> {
    let Ok(mut url) = Url::parse(text) else {
        return Err(Refusal::url("cannot be read", "no URL", POSTGRES));
    };
    let no_password = "remove it: the password belongs into a file, `password_file = \"/etc/retentiond/credentials/ledger-password\"`";
    if url.password().is_some() {
        return Err(Refusal::url(
            "holds a password",
            "a secret does not belong here",
            no_password,
        ));
    }
    if url.username().is_empty() {
        return Err(Refusal::url("names no user", "no `USER@`", POSTGRES));
    }
    let database = url.path().trim_start_matches('/');
    if database.is_empty() || database.contains('/') || url.fragment().is_some() {
        return Err(Refusal::url(
            "does not end with the name of a database",
            "no `/DATABASE`",
            POSTGRES,
        ));
    }
    let (mut socket, mut mode) = (None, None);
    for (key, value) in url.query_pairs() {
        match &*key {
            "password" => {
                return Err(Refusal::url(
                    "holds a password",
                    "a secret does not belong here",
                    no_password,
                ));
            }
            "host" if value.starts_with('/') => socket = Some(value.into_owned()),
            "host" => {
                return Err(Refusal::url(
                    "names a `host` parameter that is no directory",
                    "not a path from `/` on",
                    "write a server's name before the database: `url = \"postgres://USER@HOST/DATABASE\"`; `?host=` takes the directory of a Unix socket",
                ));
            }
            "sslmode" if SSL_MODES.contains(&&*value) => mode = Some(value.into_owned()),
            "sslmode" => {
                return Err(Refusal::url(
                    "has an unknown `sslmode`",
                    "not understood",
                    "write `sslmode=verify-full`",
                ));
            }
            "sslrootcert" | "sslcert" | "sslkey" if !value.starts_with('/') => {
                return Err(Refusal::url(
                    "names a certificate by a relative path",
                    "not a path from `/` on",
                    "write `sslrootcert=/etc/retentiond/ledger-ca.pem`",
                ));
            }
            "sslrootcert" | "sslcert" | "sslkey" => {}
            _ => {
                return Err(Refusal::url(
                    "holds a parameter that is not understood",
                    "not understood",
                    format!(
                        "the parameters are {}",
                        PARAMETERS.map(|name| format!("`{name}`")).join(", ")
                    ),
                ));
            }
        }
    }
    let host = url.host_str().filter(|host| !host.is_empty());
    if host.is_none_or(|host| host.contains(',')) && socket.is_none() {
        return Err(Refusal::url(
            "names no host, or more than one",
            "no `@HOST`",
            POSTGRES,
        ));
    }
    let here = socket.is_some() || urls::is_here(&url);
    match mode.as_deref() {
        Some("verify-full") => {}
        Some(_) if !here => {
            return Err(Refusal::tls(
                "the connection to the ledger would not be proof against others on the way",
                "write `sslmode=verify-full`, or nothing: it is the default; a CA of your own goes into `sslrootcert=/etc/retentiond/ledger-ca.pem`",
            ));
        }
        Some(_) => {}
        None => {
            let usual = if here { "prefer" } else { "verify-full" };
            url.query_pairs_mut().append_pair("sslmode", usual);
        }
    }
    available(url.as_str())
}

fn available(url: &str) -> Result<String, Refusal> {
    if cfg!(feature = "postgres") {
        return Ok(url.to_owned());
    }
    Err(Refusal {
        code: Code::LedgerNotAvailable,
        message: "this build of retentiond has no PostgreSQL".to_owned(),
        label: "not available in this build",
        help: format!("install the package, or build with `--features postgres`; or {SQLITE}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(url: &str) -> Result<String, Code> {
        server_url(url).map_err(|refusal| refusal.code)
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn beyond_this_machine_the_certificate_is_always_checked() {
        for (given, mode) in [
            ("postgres://u@db.example/l", "verify-full"),
            ("postgres://u@10.0.0.5:6432/l?sslrootcert=/ca.pem", "verify-full"),
            ("postgres://u@127.0.0.1/l", "prefer"),
            ("postgres://u@[::1]/l", "prefer"),
            ("postgresql://u@localhost/l?sslmode=disable", "disable"),
            ("postgres://u@x/l?host=/run/postgresql", "prefer"),
        ] {
            let url = outcome(given).unwrap();
            assert!(url.contains(&format!("sslmode={mode}")), "{url}");
        }
        for mode in SSL_MODES.into_iter().filter(|mode| *mode != "verify-full") {
            let given = format!("postgres://u@db.example/l?sslmode={mode}");
            assert_eq!(outcome(&given), Err(Code::WeakTls), "{mode}");
            // `localhost` of another domain is not this machine.
            let given = format!("postgres://u@localhost.example/l?sslmode={mode}");
            assert_eq!(outcome(&given), Err(Code::WeakTls), "{mode}");
        }
    }

    #[test]
    fn a_typed_ledger_is_taken_from_the_working_directory_on() {
        let here = std::env::current_dir().unwrap();
        let typed = |url: &str| LedgerSettings::typed(url, None, None);
        assert_eq!(typed("sqlite:a/b.db").unwrap().path, here.join("a/b.db"));
        assert_eq!(typed("sqlite:///a/b.db").unwrap().path, PathBuf::from("/a/b.db"));
        for url in ["sqlite:", "/a/b.db", "mysql://u@h/d", "sqlite:/a?mode=ro"] {
            assert!(typed(url).unwrap_err().contains("sqlite:/"), "{url}");
        }
        let secret = typed("postgres://u:CANARY@db/l").unwrap_err();
        assert!(
            secret.contains("password_file") && !secret.contains("CANARY"),
            "{secret}"
        );
    }

    #[cfg(not(feature = "postgres"))]
    #[test]
    fn a_build_without_it_says_so() {
        assert_eq!(outcome("postgres://u@db/l"), Err(Code::LedgerNotAvailable));
    }

    #[test]
    fn what_is_no_address_of_a_database_is_refused() {
        for given in [
            "postgres:",
            "postgres://",
            "postgres://db/l",
            "postgres://u@db",
            "postgres://u@db/",
            "postgres://u@db/l/more",
            "postgres://u@db/l#x",
            "postgres://u@a,b/l",
            "postgres://u:x@db/l",
            "postgres://u@db/l?password=x",
            "postgres://u@db/l?host=other",
            "postgres://u@db/l?hostaddr=10.0.0.5",
            "postgres://u@db/l?options=-c%20fsync%3Doff",
            "postgres://u@db/l?sslmode=verify",
            "postgres://u@db/l?sslrootcert=ca.pem",
        ] {
            assert_eq!(outcome(given), Err(Code::BadLedgerUrl), "{given}");
        }
    }
}

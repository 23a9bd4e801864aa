//! What the verbs open: the policy file, the ledger, the remote, the engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::args::Cli;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::pacing::paced;
use super::progress::Bar;
use crate::config::{self, Checked, ExtractaSettings, LedgerSettings, Loaded};
use crate::engine::planning::refresh_hints;
use crate::engine::{Clock, Engine, Listener, Settings, SystemClock};
use crate::evidence::SecretKey;
use crate::extracta::{ClientConfig, ExtractaClient};
use crate::intake::SubjectHasher;
use crate::ledger::{DeleterLock, Ledger, OpenMode, Place};
use crate::model::{AccountName, PolicyName, Timestamp};
use crate::rules::period::day_begins;
use crate::rules::policy::{Policy, RuleSet};

/// Said where a policy file that is not in force was tried out.
pub(super) const TRIAL: &str =
    "note: this policy file is not the one in force; it was tried on a copy, the ledger is as it was";

/// What a trial is called while it lasts.
const TRYING: &str = "trying the changed rules on a copy of the ledger";

/// A ledger to be asked only: the one in use, or a copy of it that goes away with this value.
pub struct Current {
    ledger: Arc<dyn Ledger>,
    copy: Option<tempfile::TempDir>,
}

impl Current {
    /// Whether the rules are tried out on a copy, because they are not those in force.
    #[must_use]
    pub const fn is_trial(&self) -> bool {
        self.copy.is_some()
    }
}

impl std::ops::Deref for Current {
    type Target = dyn Ledger;

    fn deref(&self) -> &Self::Target {
        self.ledger.as_ref()
    }
}

/// What every verb is given.
pub struct Context {
    /// How to print.
    pub output: Output,
    /// The machine's clock.
    pub clock: Arc<dyn Clock>,
    config: PathBuf,
}

impl Context {
    /// From the command line.
    #[must_use]
    pub fn new(cli: &Cli) -> Self {
        Self {
            output: Output::new(cli),
            clock: Arc::new(SystemClock),
            config: cli
                .config
                .clone()
                .unwrap_or_else(|| PathBuf::from(config::DEFAULT_PATH)),
        }
    }

    /// Where the policy file is.
    #[must_use]
    pub fn config_path(&self) -> &std::path::Path {
        &self.config
    }

    /// The policy file, checked.
    ///
    /// # Errors
    /// Every problem of it, rendered.
    pub fn load(&self) -> Result<Loaded, Failure> {
        config::load(&self.config).map_err(|problems| Failure {
            exit: Exit::Config,
            text: problems.render(self.output.colour_err),
            rendered: true,
        })
    }

    /// Where the ledger is, with the password for it.
    ///
    /// # Errors
    /// Exit 5 when the password cannot be read.
    pub fn place(&self, checked: &Checked) -> Result<Place, Failure> {
        let accounts = checked.accounts.iter().map(|account| account.extracta.timeout);
        let longest = accounts.fold(checked.extracta.timeout, Duration::max);
        self.place_of(&checked.ledger, longest)
    }

    /// [`place`](Self::place) of any ledger, under which a request may take so long.
    ///
    /// # Errors
    /// As there.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "only a seat at a server has a lease")
    )]
    pub fn place_of(&self, ledger: &LedgerSettings, request: Duration) -> Result<Place, Failure> {
        match &ledger.server {
            None => Ok(Place::File(ledger.path.clone())),
            #[cfg(feature = "postgres")]
            Some(server) => Ok(Place::Server(crate::ledger::PostgresOptions {
                url: ledger.url.clone(),
                password: config::ledger_password(server, &|name| std::env::var_os(name))?,
                beside: ledger.path.clone(),
                lease: crate::ledger::Lease::over(request),
            })),
            #[cfg(not(feature = "postgres"))]
            Some(_) => Err(Failure::new(
                Exit::Config,
                "this build of retentiond has no PostgreSQL",
            )),
        }
    }

    /// The ledger to read from. Nothing is made or changed. Says so where it is not the ledger any more.
    ///
    /// # Errors
    /// When there is none, or it is not ours.
    pub async fn reader(&self, checked: &Checked) -> Result<Arc<dyn Ledger>, Failure> {
        let ledger = self.place(checked)?.open(OpenMode::ReadOnly).await?;
        if let Some(sentence) = ledger.closed().await? {
            self.output.say(&format!("warning: {sentence}"));
        }
        Ok(ledger)
    }

    /// The ledger to write to; made and migrated where needed.
    ///
    /// # Errors
    /// When it cannot be opened, or is not ours.
    pub async fn writer(&self, checked: &Checked) -> Result<Arc<dyn Ledger>, Failure> {
        Ok(self.place(checked)?.open(OpenMode::ReadWrite).await?)
    }

    /// The ledger with hints of this policy file's rules: for faces that show due times.
    ///
    /// Only a sweep adopts rules. A file that is not in force is tried out on a copy, so that a draft
    /// changes nothing under a running daemon.
    ///
    /// # Errors
    /// The ledger's; a copy that cannot be written.
    pub async fn current(&self, checked: &Checked) -> Result<Current, Failure> {
        let ledger = self.reader(checked).await?;
        if ledger.hints_are_current(&checked.rules.digest).await? {
            return Ok(Current { ledger, copy: None });
        }
        let dir = tempfile::Builder::new().prefix("retentiond-").tempdir()?;
        let path = dir.path().join("ledger.db");
        let bar = Bar::new(self.output.progress, TRYING);
        ledger.backup(&path).await?;
        let copy = Place::File(path).open(OpenMode::ReadWrite).await?;
        refresh_hints(copy.as_ref(), &checked.rules, self.clock.now(), &|seen, of| {
            bar.set(TRYING, seen, Some(of));
        })
        .await?;
        bar.clear();
        Ok(Current {
            ledger: copy,
            copy: Some(dir),
        })
    }

    /// The right to delete, and the engine over it.
    ///
    /// # Errors
    /// Exit 7 when another process holds it; credentials, ledger.
    pub async fn engine(
        &self,
        checked: &Checked,
    ) -> Result<(Arc<Engine>, Arc<dyn Ledger>, DeleterLock), Failure> {
        self.engine_heard_by(checked, super::progress::listener(self.output.progress))
            .await
    }

    /// The same, with somebody else who hears of its progress.
    ///
    /// # Errors
    /// As [`engine`](Self::engine).
    pub async fn engine_heard_by(
        &self,
        checked: &Checked,
        progress: Listener,
    ) -> Result<(Arc<Engine>, Arc<dyn Ledger>, DeleterLock), Failure> {
        let place = self.place(checked)?;
        let lock = place.lock().await?;
        let settings = Settings {
            progress,
            ..engine_settings(&checked.extracta)
        };
        let remotes = self.remotes(checked, &place, &settings)?;
        let ledger = place.open_to_delete(&lock).await?;
        let engine = Engine::over(
            Arc::clone(&ledger),
            remotes,
            Arc::clone(&self.clock),
            settings,
            &lock,
        )
        .signing(self.audit_key(checked).unwrap_or_else(|failure| {
            // No reason to delete late: what is missing is a signature.
            tracing::error!("checkpoints are not signed, deletion goes on: {}", failure.text);
            None
        }));
        Ok((Arc::new(engine), ledger, lock))
    }

    /// The API client, with its key; its calls wait for the turns of all who work on this ledger.
    ///
    /// # Errors
    /// As [`remote_of`](Self::remote_of).
    pub fn remote_beside(
        &self,
        checked: &Checked,
        account: Option<&AccountName>,
    ) -> Result<ExtractaClient, Failure> {
        let client = self.remote_of(checked, account)?;
        Ok(paced(client, &self.place(checked)?)?)
    }

    /// The API client, with its key.
    ///
    /// # Errors
    /// Exit 5 without a usable key.
    pub fn remote(&self, extracta: &ExtractaSettings) -> Result<ExtractaClient, Failure> {
        let api_key = config::api_key(extracta, &|name| std::env::var_os(name))?;
        ExtractaClient::new(client_config(extracta, api_key))
            .map_err(|error| Failure::new(Exit::Config, error.to_string()))
    }

    /// What turns data subjects into their keyed hash; `None` where no key is set up.
    ///
    /// # Errors
    /// Exit 5 when the key cannot be read, or could be guessed.
    pub fn subjects(&self, checked: &Checked) -> Result<Option<SubjectHasher>, Failure> {
        let key = config::subject_key(&checked.erasure, &|name| std::env::var_os(name))?;
        key.map(|key| SubjectHasher::new(key.expose_secret().as_bytes()))
            .transpose()
            .map_err(|error| Failure::new(Exit::Credentials, error.to_string()))
    }

    /// What signs checkpoints; `None` where no key is set up.
    ///
    /// # Errors
    /// Exit 5 when the key cannot be read, or is none.
    pub fn audit_key(&self, checked: &Checked) -> Result<Option<SecretKey>, Failure> {
        let key = config::audit_key(&checked.evidence, &|name| std::env::var_os(name))?;
        key.map(|key| SecretKey::parse(key.expose_secret()))
            .transpose()
            .map_err(|error| Failure::new(Exit::Credentials, format!("the audit key: {error}")))
    }

    /// A day that was typed, until its end in the policy file's zone, or an instant.
    ///
    /// # Errors
    /// Exit 2 with the accepted forms.
    pub fn end_of(&self, typed: &str, rules: &RuleSet) -> Result<Timestamp, Failure> {
        let day = typed
            .parse::<jiff::civil::Date>()
            .ok()
            .filter(|_| typed.len() == 10);
        let Some(day) = day else {
            return typed
                .parse()
                .map_err(|error| Failure::usage(format!("{error}; or write a day, such as 2026-12-31")));
        };
        let next = day.tomorrow().ok();
        next.and_then(|next| day_begins(next, &rules.zone))
            .ok_or_else(|| Failure::usage(format!("{day} leaves the calendar")))
    }

    /// An instant that was typed, or now.
    ///
    /// # Errors
    /// Exit 2 with the accepted form.
    pub fn instant(&self, typed: Option<&str>) -> Result<Timestamp, Failure> {
        match typed {
            None => Ok(self.clock.now()),
            Some(text) => text.parse().map_err(|error| Failure::usage(format!("{error}"))),
        }
    }
}

/// The engine's settings from the policy file.
#[must_use]
pub fn engine_settings(extracta: &ExtractaSettings) -> Settings {
    Settings {
        files_per_request: extracta.files_per_request,
        concurrency: extracta.concurrency,
        verify: extracta.verify,
        linked_copies: extracta.linked_copies,
        ..Settings::default()
    }
}

/// The client's settings from the policy file.
#[must_use]
pub fn client_config(extracta: &ExtractaSettings, api_key: secrecy::SecretString) -> ClientConfig {
    ClientConfig {
        request_interval: extracta.request_interval,
        results_interval: extracta.results_interval,
        timeout: extracta.timeout,
        proxy: extracta.proxy.clone(),
        ..ClientConfig::new(extracta.base_url.clone(), api_key)
    }
}

/// The policies that were named, in file order, and the erasure requests by the name they are swept under;
/// all policies, when none was named.
///
/// # Errors
/// Exit 2 for a name that the file does not have, with the nearest one.
pub fn chosen<'r>(rules: &'r RuleSet, names: &[String]) -> Result<Vec<&'r Policy>, Failure> {
    let requests = &rules.erasure.sweep;
    for name in names {
        let known = rules.policies.iter().chain(std::iter::once(requests));
        if !known.into_iter().any(|policy| policy.name.as_str() == name) {
            let near = rules
                .policies
                .iter()
                .map(|policy| policy.name.as_str())
                .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
            let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            return Err(Failure::usage(format!(
                "the policy file has no policy called `{name}`{hint}"
            )));
        }
    }
    Ok(rules
        .policies
        .iter()
        .filter(|policy| names.is_empty() || names.iter().any(|name| name == policy.name.as_str()))
        .chain(
            names
                .iter()
                .any(|name| name == requests.name.as_str())
                .then_some(requests),
        )
        .collect())
}

/// What is to be swept: as [`chosen`], and the erasure requests also unasked while one is open.
///
/// # Errors
/// As [`chosen`], and the ledger's.
pub async fn swept<'r>(
    rules: &'r RuleSet,
    names: &[String],
    ledger: &dyn Ledger,
) -> Result<Vec<&'r Policy>, Failure> {
    let mut policies = chosen(rules, names)?;
    if names.is_empty() && !ledger.erasures(true).await?.is_empty() {
        policies.insert(0, &rules.erasure.sweep);
    }
    Ok(policies)
}

/// An id that was typed.
///
/// # Errors
/// Exit 2 with what is wrong.
pub fn typed<T: std::str::FromStr<Err = crate::model::InvalidId>>(text: &str) -> Result<T, Failure> {
    text.parse().map_err(|error| Failure::usage(format!("{error}")))
}

/// A policy's name that was typed and exists.
///
/// # Errors
/// Exit 2.
pub fn policy_name(rules: &RuleSet, text: &str) -> Result<PolicyName, Failure> {
    let found = chosen(rules, &[text.to_owned()])?;
    found
        .first()
        .filter(|policy| !rules.is_erasure(&policy.name))
        .map(|policy| policy.name.clone())
        .ok_or_else(|| Failure::usage("the erasure requests are no policy: no file is theirs"))
}

/// A label that was typed as KEY=VALUE, its key declared in the policy file.
///
/// # Errors
/// Exit 2 with the accepted form, or with the keys that there are.
pub fn declared_label(rules: &RuleSet, text: &str) -> Result<(String, String), Failure> {
    let (key, value) = text
        .split_once('=')
        .filter(|(key, value)| !key.is_empty() && !value.is_empty())
        .ok_or_else(|| {
            Failure::usage(format!(
                "`{text}` is no label; write KEY=VALUE, such as tenant=acme"
            ))
        })?;
    if !rules.label_keys.iter().any(|known| known == key) {
        let known = rules.label_keys.join(", ");
        return Err(Failure::usage(format!(
            "the policy file declares no label `{key}`; it has: {known}"
        )));
    }
    Ok((key.to_owned(), value.to_owned()))
}

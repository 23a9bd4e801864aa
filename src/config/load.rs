//! File → text → tree → drafts → [`Checked`]. All problems of all steps come back together.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::DeTable;

use super::accounts::{self, AccountSettings};
use super::code::{Code, Severity};
use super::diagnostics::{Problem, Problems};
use super::endpoint::IntakeSettings;
use super::erasure::{ErasureDraft, ErasureSettings};
use super::evidence::{EvidenceDraft, EvidenceSettings};
use super::keys;
use super::ledger::LedgerSettings;
use super::lines::lines;
use super::listening::HttpSettings;
use super::notifying::NotifySettings;
use super::passing::{GatewaySettings, WebhookSettings};
use super::policies::{FloorDraft, PolicyDraft};
use super::reader::{Findings, Section};
use super::relations;
use super::settings::{self, ExtractaSettings, HoldSettings, LogSettings};
use super::source::Source;
use super::statements::{ControllerSettings, Statement};
use super::suggest::listed;
use super::syntax;
use super::values::filled;
use super::windows;
use super::zone::{self, Zone};
use crate::model::PolicyName;
use crate::rules::policy::RuleSet;
use crate::rules::window::Blackout;

/// Largest policy file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// A policy file that was found good.
#[derive(Debug, Clone)]
pub struct Checked {
    /// Policies, floors, limits.
    pub rules: RuleSet,
    /// Who answers for the retention.
    pub controller: ControllerSettings,
    /// What each policy states for the deletion concept.
    pub statements: BTreeMap<PolicyName, Statement>,
    /// How to reach the API.
    pub extracta: ExtractaSettings,
    /// Further accounts, in file order.
    pub accounts: Vec<AccountSettings>,
    /// Where the ledger is.
    pub ledger: LedgerSettings,
    /// Holds.
    pub holds: HoldSettings,
    /// Erasure requests, apart from their rules.
    pub erasure: ErasureSettings,
    /// `[evidence]`.
    pub evidence: EvidenceSettings,
    /// The log.
    pub log: LogSettings,
    /// Page, metrics and health.
    pub http: HttpSettings,
    /// `[intake]`.
    pub intake: IntakeSettings,
    /// Who is told.
    pub notify: NotifySettings,
    /// The gateway.
    pub gateway: GatewaySettings,
    /// Webhooks.
    pub webhooks: WebhookSettings,
    /// What is accepted, but worth a look.
    pub warnings: Problems,
    /// SHA-256 of the file's bytes, lower-case hex.
    pub fingerprint: String,
}

/// A policy file that was read and found good.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Where it was read from.
    pub path: PathBuf,
    /// What it says.
    pub checked: Checked,
}

/// Reads and checks a policy file.
///
/// # Errors
/// Everything that is wrong with it. Warnings wait until nothing is.
pub fn load(path: &Path) -> Result<Loaded, Problems> {
    let name = path.display().to_string();
    let refuse = |problem| Problems::new(Source::new(&name, ""), vec![problem]);
    let bytes = read(path).map_err(&refuse)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        refuse(
            Problem::anywhere(Code::NotUtf8, format!("line {line} is not UTF-8"))
                .help("save the file as UTF-8; TOML knows no other encoding"),
        )
    })?;
    Ok(Loaded {
        checked: parse(&name, &text)?,
        path: path.to_owned(),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| {
            Problem::anywhere(Code::Unreadable, format!("cannot read the policy file: {error}")).help(
                "name the file with `-c FILE`, or write one to start from with `retentiond init`; the service has to be able to read it",
            )
        })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(
            Problem::anywhere(Code::TooLarge, "the policy file is larger than 1 MiB")
                .help("is this the right file?"),
        );
    }
    Ok(bytes)
}

/// Checks the text of a policy file; `source_name` is what messages call it.
///
/// # Errors
/// Everything that is wrong with it. Warnings wait until nothing is.
pub fn parse(source_name: &str, text: &str) -> Result<Checked, Problems> {
    let source = Source::new(source_name, text);
    let (document, errors) = DeTable::parse_recoverable(text);
    let mut findings = Findings::new();
    let top = Section::open(&keys::TOP, 0..0, document.get_ref(), &mut findings);
    let draft = Draft::read(&top, &mut findings);
    if !errors.is_empty() {
        return Err(Problems::new(
            source.clone(),
            syntax::explained(&source, &errors, findings),
        ));
    }
    let (errors, warnings): (Findings, Findings) = findings
        .into_iter()
        .partition(|problem| problem.code.severity() == Severity::Error);
    if !errors.is_empty() {
        return Err(Problems::new(source, errors));
    }
    let fingerprint = hex::encode(Sha256::digest(text));
    let mut checked = draft.finish(fingerprint, Problems::new(source, warnings));
    checked.rules.source = text.into();
    checked.rules.lines = Arc::new(lines(text, document.get_ref()));
    Ok(checked)
}

/// The whole file, each part with its places.
struct Draft {
    zone: Zone,
    labels: Vec<String>,
    controller: ControllerSettings,
    extracta: ExtractaSettings,
    accounts: Vec<AccountSettings>,
    ledger: LedgerSettings,
    limits: crate::rules::policy::Limits,
    blackouts: Vec<Spanned<Blackout>>,
    erasure: ErasureDraft,
    evidence: EvidenceDraft,
    cool_down: Option<Spanned<crate::rules::period::Period>>,
    log: LogSettings,
    http: HttpSettings,
    intake: IntakeSettings,
    notify: NotifySettings,
    gateway: GatewaySettings,
    webhooks: WebhookSettings,
    policies: Vec<PolicyDraft>,
    floors: Vec<FloorDraft>,
}

impl Draft {
    fn read(top: &Section<'_>, findings: &mut Findings) -> Self {
        let zone = Zone::read(top, findings);
        let labels = labels(top, findings);
        let controller = top.section("controller", &keys::CONTROLLER, findings);
        let extracta = top.section("extracta", &keys::EXTRACTA, findings);
        let ledger = top.section("ledger", &keys::LEDGER, findings);
        let limits = top.section("limits", &keys::LIMITS, findings);
        let holds = top.section("holds", &keys::HOLDS, findings);
        let erasure = top.section("erasure", &keys::ERASURE, findings);
        let evidence = top.section("evidence", &keys::EVIDENCE, findings);
        let log = top.section("log", &keys::LOG, findings);
        let http = top.section("http", &keys::HTTP, findings);
        let intake = top.section("intake", &keys::INTAKE, findings);
        let notify = top.section("notify", &keys::NOTIFY, findings);
        let gateway = top.section("gateway", &keys::GATEWAY, findings);
        let webhooks = top.section("webhooks", &keys::WEBHOOKS, findings);
        let policies: Vec<_> = top
            .sections("policy", &keys::POLICY, findings)
            .iter()
            .map(|section| PolicyDraft::read(section, &labels, findings))
            .collect();
        let floors: Vec<_> = top
            .sections("keep", &keys::KEEP, findings)
            .iter()
            .map(|section| FloorDraft::read(section, &labels, findings))
            .collect();
        let cool_down = settings::cool_down(holds.as_ref(), findings);
        let erasure = ErasureDraft::read(erasure.as_ref(), findings);
        let evidence = EvidenceDraft::read(evidence.as_ref(), findings);
        if !policies.is_empty() || top.value("policy").is_none() {
            relations::judge(&policies, &floors, findings);
        }
        let periods = [
            cool_down.as_ref(),
            erasure.warn_before.as_ref(),
            evidence.keep.as_ref(),
        ];
        zone::required(&zone, &policies, &floors, &periods, findings);
        let blackouts = windows::blackouts(top, findings);
        windows::judge(&zone, &policies, &blackouts, findings);
        let extracta = extracta
            .map(|section| ExtractaSettings::read(&section, findings))
            .unwrap_or_default();
        let accounts = top.sections("account", &keys::ACCOUNT, findings);
        let accounts = accounts::read(&accounts, &extracta, findings);
        accounts::known(&policies, &accounts, findings);
        Self {
            zone,
            controller: ControllerSettings::read(controller.as_ref(), findings),
            gateway: GatewaySettings::read(gateway.as_ref(), &extracta.base_url, findings),
            webhooks: WebhookSettings::read(webhooks.as_ref(), findings),
            extracta,
            accounts,
            ledger: LedgerSettings::read(ledger.as_ref(), findings),
            limits: settings::limits(limits.as_ref(), findings),
            blackouts,
            log: LogSettings::read(log.as_ref(), findings),
            http: HttpSettings::read(http.as_ref(), findings),
            intake: IntakeSettings::read(intake.as_ref(), findings),
            notify: NotifySettings::read(notify.as_ref(), findings),
            labels,
            erasure,
            evidence,
            cool_down,
            policies,
            floors,
        }
    }

    /// Only after a walk without errors: then no draft lacks anything.
    fn finish(self, fingerprint: String, warnings: Problems) -> Checked {
        let complete = "a draft that lacks something has left an error behind";
        let (zone, zone_name) = self.zone.or_utc();
        let (erasure_rules, erasure) = self.erasure.finish();
        let statements = self
            .policies
            .iter()
            .filter_map(|draft| {
                Some((
                    draft.common.name.as_ref()?.get_ref().clone(),
                    draft.statement.clone(),
                ))
            })
            .collect();
        let policies: Vec<_> = self
            .policies
            .into_iter()
            .map(|draft| draft.finish().expect(complete))
            .collect();
        let floors: Vec<_> = self
            .floors
            .into_iter()
            .map(|draft| draft.finish().expect(complete))
            .collect();
        Checked {
            rules: RuleSet {
                digest: RuleSet::digest_of(&zone_name, &policies, &floors),
                zone,
                zone_name,
                label_keys: self.labels,
                accounts: self.accounts.iter().map(|account| account.name.clone()).collect(),
                policies,
                floors,
                blackouts: self.blackouts.into_iter().map(Spanned::into_inner).collect(),
                limits: self.limits,
                source: "".into(),
                lines: Arc::default(),
                awaiting: None,
                erasure: erasure_rules,
                keep_evidence: self.evidence.keep.map(Spanned::into_inner),
            },
            controller: self.controller,
            statements,
            extracta: self.extracta,
            accounts: self.accounts,
            ledger: self.ledger,
            holds: self
                .cool_down
                .map_or(HoldSettings::DEFAULT, |period| HoldSettings {
                    cool_down: period.into_inner(),
                }),
            erasure,
            evidence: self.evidence.settings,
            log: self.log,
            http: self.http,
            intake: self.intake,
            notify: self.notify,
            gateway: self.gateway,
            webhooks: self.webhooks,
            warnings,
            fingerprint,
        }
    }
}

/// The declared label keys.
fn labels(top: &Section<'_>, findings: &mut Findings) -> Vec<String> {
    let mut declared: Vec<String> = Vec::new();
    for text in top.strings("labels", findings).unwrap_or_default() {
        let Some(label) = filled("a label key", &text, "\"tenant\"", findings) else {
            continue;
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        if !label.chars().all(plain) || label.len() > 64 {
            findings.push(
                Problem::at(
                    Code::BadName,
                    text.span(),
                    format!("`{label}` cannot be a label key"),
                )
                .help("use letters, digits, `_`, `-` and `.`, at most 64 of them"),
            );
        }
        if declared.contains(&label) {
            let known: Vec<&str> = declared.iter().map(String::as_str).collect();
            findings.push(
                Problem::at(
                    Code::DuplicateName,
                    text.span(),
                    format!("the label `{label}` is declared twice"),
                )
                .help(format!("remove one; `labels` already holds {}", listed(&known))),
            );
            continue;
        }
        declared.push(label);
    }
    declared
}

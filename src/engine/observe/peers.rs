//! Who is at work on the ledger.

use crate::ledger::{Ledger, LedgerError};
use crate::rules::policy::RuleSet;
use crate::snapshot::PeerView;

pub(super) async fn view(ledger: &dyn Ledger, rules: &RuleSet) -> Result<Vec<PeerView>, LedgerError> {
    let peers = ledger.peers().await?;
    let view = peers.into_iter().map(|peer| PeerView {
        process: peer.name,
        version: peer.version,
        since: peer.since,
        alive: peer.alive,
        silent_for_s: peer.silent_for.as_secs(),
        same_rules: peer.rules.map(|digest| digest == rules.digest),
        sweeps: peer.sweep.map(|(_, policy)| policy.to_string()),
        parts: peer.parts,
    });
    Ok(view.collect())
}

//! The right to delete, held in the server as a *seat*: the session of a process, and its lease.
//!
//! All who delete share one advisory lock; who must be alone takes it exclusively. Beside it a seat's session locks
//! a random number of its own, and the row of that number in `peers` says until when its lease lasts, by the
//! server's clock. A peer is alive as long as both stand: what it has claimed is then nobody else's.
//!
//! A session can end, and a process can be stopped, without the process hearing of it. So its own word is worth
//! nothing: every claim asks *the server, inside its transaction*, whether both stand, and renews the lease with
//! the same statement. The process itself believes in the lease for less time than it lasts, counted from before the claim.

mod seat;

use std::sync::{Arc, Weak};
use std::time::Duration;

use sqlx::PgConnection;
use tokio::sync::Mutex;

use super::LedgerError;
use super::fault::during;
use super::open::{PostgresOptions, address};
use super::session::Address;
use crate::rules::policy::RuleDigest;
use seat::Seat;
pub(super) use seat::alone;

/// How often a seat renews its lease, at the least; a short lease is renewed more often.
const RENEWAL: Duration = Duration::from_secs(15);

/// How long what a process has claimed stays its own while nothing is heard of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// From the claim on, by the server's clock.
    pub lasts: Duration,
    /// From before the claim on, by the process's own: later it sends nothing more on account of the claim.
    pub trusted: Duration,
}

impl Lease {
    /// A lease that a request outlives under no circumstances: trusted for a minute, it lasts as long as a request
    /// that is sent at the end of it, and ten seconds more.
    #[must_use]
    pub const fn over(request: Duration) -> Self {
        const TRUSTED: Duration = Duration::from_secs(60);
        const MARGIN: Duration = Duration::from_secs(10);
        Self {
            lasts: TRUSTED.saturating_add(request).saturating_add(MARGIN),
            trusted: TRUSTED,
        }
    }

    fn lasts_ms(self) -> i64 {
        i64::try_from(self.lasts.as_millis()).unwrap_or(i64::MAX / 2)
    }

    fn renewal(self) -> Duration {
        RENEWAL.min(self.lasts / 4)
    }
}

/// The right to delete in one database: a seat that is taken anew where it was lost.
#[derive(Debug)]
pub(in crate::ledger) struct Right {
    address: Address,
    lease: Lease,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    seat: Option<Seat>,
    /// The number of the seat that was lost: what is under way under it goes over to the next.
    before: Option<i64>,
}

impl Right {
    /// Takes it, or says who is in the way.
    pub(in crate::ledger) async fn acquire(options: &PostgresOptions) -> Result<Arc<Self>, LedgerError> {
        let address = as_ourselves(options)?;
        let seat = Seat::take(&address, options.lease, None).await?;
        let right = Arc::new(Self {
            address,
            lease: options.lease,
            state: Mutex::new(State {
                seat: Some(seat),
                before: None,
            }),
        });
        tokio::spawn(keep(Arc::downgrade(&right), options.lease.renewal()));
        Ok(right)
    }

    /// The number by which the server knows us; of a new seat, where the one before was lost.
    async fn number(&self) -> Result<i64, LedgerError> {
        let mut state = self.state.lock().await;
        if let Some(seat) = &state.seat {
            return Ok(seat.number);
        }
        let again = Seat::take(&self.address, self.lease, state.before).await?;
        tracing::warn!("the right to delete was lost with its connection or its lease, and is taken again");
        let number = again.number;
        *state = State {
            seat: Some(again),
            before: None,
        };
        Ok(number)
    }

    /// The number of the seat, as far as we know.
    async fn known(&self) -> Option<i64> {
        let state = self.state.lock().await;
        state.seat.as_ref().map(|seat| seat.number).or(state.before)
    }

    /// The server does not let this number stand any more.
    async fn gone(&self, number: i64) {
        let mut state = self.state.lock().await;
        if let Some(seat) = state.seat.take_if(|seat| seat.number == number) {
            state.before = Some(number);
            seat.leave().await;
        }
    }

    /// Renews the lease, and takes a new seat where the old one is lost.
    async fn renew(&self) {
        let mut state = self.state.lock().await;
        if let Some(seat) = &mut state.seat {
            if seat.renew(self.lease).await {
                return;
            }
            let number = seat.number;
            drop(state);
            self.gone(number).await;
        } else {
            drop(state);
        }
        // Whoever claims next tries again, and says what is in the way.
        let _ = self.number().await;
    }

    /// Ends the leases of processes of this host that have ended. What cannot be asked now is asked at the next turn.
    async fn bury_the_dead(&self) {
        if let Some(seat) = &mut self.state.lock().await.seat
            && let Err(error) = seat.bury_the_dead().await
        {
            tracing::debug!(%error, "processes that have ended keep their lease until it runs out");
        }
    }

    /// Tells the others by which rules we go.
    async fn goes_by(&self, rules: &RuleDigest) {
        if let Some(seat) = &mut self.state.lock().await.seat {
            seat.goes_by(rules).await;
        }
    }
}

/// The right with nobody beside us, in a database that may hold nothing yet: it makes nothing, and nothing is claimed
/// under it.
#[derive(Debug)]
pub(in crate::ledger) struct Alone {
    /// Holds the lock as long as it lives.
    _session: PgConnection,
}

impl Alone {
    /// Takes it, or says who is in the way.
    pub(in crate::ledger) async fn acquire(options: &PostgresOptions) -> Result<Self, LedgerError> {
        let session = seat::enter_alone(&as_ourselves(options)?).await?;
        Ok(Self { _session: session })
    }

    /// Not the right, but the turn to reconcile everything; or says whose it is.
    pub(in crate::ledger) async fn reconciling(options: &PostgresOptions) -> Result<Self, LedgerError> {
        let session = seat::enter_reconciling(&as_ourselves(options)?).await?;
        Ok(Self { _session: session })
    }
}

/// With the name that others are told.
fn as_ourselves(options: &PostgresOptions) -> Result<Address, LedgerError> {
    let mut address = address(options)?;
    address.options = address
        .options
        .application_name(&format!("retentiond {}", seat::name()));
    Ok(address)
}

/// Renews the lease as long as the right is held.
async fn keep(right: Weak<Right>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(right) = right.upgrade() else {
            return;
        };
        right.renew().await;
    }
}

/// What a ledger that was opened under a right knows of it. One that was not is for tests and for whoever claims nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Holder(Option<Weak<Right>>);

/// How a claim is made under a right.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fence(Option<(i64, Lease)>);

impl Holder {
    pub(super) fn of(right: &Arc<Right>) -> Self {
        Self(Some(Arc::downgrade(right)))
    }

    /// Before a transaction; takes a new seat where the old one was lost.
    pub(super) async fn fence(&self) -> Result<Fence, LedgerError> {
        let Some(right) = &self.0 else {
            return Ok(Fence(None));
        };
        let right = right.upgrade().ok_or_else(|| lost("it was given back"))?;
        Ok(Fence(Some((right.number().await?, right.lease))))
    }

    /// The server said that the fence is down.
    pub(super) async fn fell(&self, fence: Fence) {
        if let (Some(right), Some((number, _))) = (self.right(), fence.0) {
            right.gone(number).await;
        }
    }

    /// What processes of this host that have ended had under way may be taken over at once.
    pub(super) async fn bury_the_dead(&self) {
        if let Some(right) = self.right() {
            right.bury_the_dead().await;
        }
    }

    /// Our number, for whoever only looks.
    pub(super) async fn number(&self) -> Option<i64> {
        self.right()?.known().await
    }

    /// Tells the others by which rules we go.
    pub(super) async fn goes_by(&self, rules: &RuleDigest) {
        if let Some(right) = self.right() {
            right.goes_by(rules).await;
        }
    }

    fn right(&self) -> Option<Arc<Right>> {
        self.0.as_ref().and_then(Weak::upgrade)
    }
}

impl Fence {
    /// The seat's number; `None` for who has none.
    pub(super) fn number(self) -> Option<i64> {
        self.0.map(|(number, _)| number)
    }

    /// How long a claim under it may be relied on.
    pub(super) fn good_for(self) -> Option<Duration> {
        self.0.map(|(_, lease)| lease.trusted)
    }

    /// Inside the transaction: whether session and lease of the seat still stand. If so the lease begins anew.
    pub(super) async fn stands(self, tx: &mut PgConnection) -> Result<bool, LedgerError> {
        let Some((number, lease)) = self.0 else {
            return Ok(true);
        };
        // Whoever gets the lock has proven that nobody holds it.
        let renewed = sqlx::query(
            "UPDATE peers
             SET seen_at = server_ms(), lease_until = server_ms() + $2
             WHERE number = $1
               AND lease_until > server_ms()
               AND NOT pg_try_advisory_xact_lock_shared(number)",
        )
        .bind(number)
        .bind(lease.lasts_ms())
        .execute(tx)
        .await
        .map_err(during("asking for the right to delete"))?;
        Ok(renewed.rows_affected() == 1)
    }
}

/// The right went between two looks at it.
pub(super) fn lost(how: &str) -> LedgerError {
    LedgerError::NotWritable {
        problem: format!("the right to delete was lost ({how}); nothing was claimed"),
    }
}

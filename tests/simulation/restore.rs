//! The ledger is put back from a copy: it has forgotten holds, files and outcomes.

use std::path::PathBuf;

use retentiond::model::BreakerKind;

use crate::crash::place_hold;
use crate::rules::at;
use crate::shared::{Script, SimHold};
use crate::steps::Swept;
use crate::world::World;

impl World {
    /// A copy is made, or the ledger is put back from the one that was made before.
    pub async fn backup_or_restore(&mut self) {
        match self.backup.take() {
            None => {
                self.begin("the ledger is copied");
                self.images += 1;
                let to = self.dir.path().join(format!("backup-{}.db", self.images));
                if self.shared.place.is_a_file() {
                    self.real().backup(&to).await.unwrap();
                }
                #[cfg(feature = "postgres")]
                if !self.shared.place.is_a_file() {
                    self.copy_between_two_lives().await;
                }
                self.backup = Some(to);
            }
            Some(copy) => self.restore(copy).await,
        }
    }

    async fn restore(&mut self, copy: PathBuf) {
        self.begin("the ledger is put back from a copy");
        // What the copy has not got: at least this.
        self.real().set_setting("sim", Some("later")).await.unwrap();
        let real = self.end_process();
        self.close(real).await;
        self.path = self.shared.place.put_back(&self.path, copy).await;
        self.state().rolled_back = true;
        self.open(true).await;
        self.state().count("backup restored");
        self.nothing_goes_before_somebody_looked().await;
        self.somebody_looks().await;
    }

    async fn nothing_goes_before_somebody_looked(&mut self) {
        for policy in self.swept_names() {
            let swept = self.sweep(policy, None, Script::default()).await;
            if let Swept::Failed(error) = swept {
                self.state().violate(
                    "G8",
                    format_args!("a sweep of a restored ledger fails instead of saying why: {error}"),
                );
            }
        }
        let breakers = self.real().breakers().await.unwrap();
        if breakers.iter().any(|b| b.kind == BreakerKind::Rollback) {
            self.state().count("breaker rollback");
        }
    }

    /// The operator takes the ledger as it is, and brings back what the outside still knows: uploads, holds,
    /// start events and erasure requests.
    async fn somebody_looks(&mut self) {
        self.begin("the restored ledger is taken as it is");
        let (real, wall) = (self.real(), self.shared.wall());
        real.accept_lineage(at(wall)).await.unwrap();
        real.close_breaker(BreakerKind::Rollback, "sim", at(wall))
            .await
            .unwrap();
        let known: Vec<i64> = real
            .holds(None)
            .await
            .unwrap()
            .iter()
            .map(|hold| hold.id.0)
            .collect();
        let released: Vec<i64> = real
            .holds(None)
            .await
            .unwrap()
            .iter()
            .filter(|hold| hold.ends_at.is_some())
            .map(|hold| hold.id.0)
            .collect();
        let pause = real.pause().await.unwrap().filter(|pause| pause.until > at(wall));
        let (lost, files) = {
            let mut state = self.state();
            state.rolled_back = false;
            state.sent.clear();
            state.pause = pause.map(|pause| (pause.until.as_millis(), 0));
            let (mut kept, lost): (Vec<_>, Vec<_>) = std::mem::take(&mut state.holds)
                .into_iter()
                .partition(|(id, _)| known.contains(id));
            for (id, hold) in &mut kept {
                if !released.contains(id) {
                    hold.ends_at = None;
                }
            }
            state.holds = kept.into_iter().collect();
            let lost: Vec<SimHold> = lost.into_iter().map(|(_, hold)| hold).collect();
            let originals = state.files.values().filter(|file| file.copy_of.is_none());
            (lost, originals.cloned().collect::<Vec<_>>())
        };
        self.events_come_back().await;
        self.requests_come_back().await;
        for hold in lost {
            place_hold(&self.shared, hold.scope).await;
        }
        self.record(&files).await;
    }
}

//! What happens in a world on a server, and in none beside a file: leases that run out, a database's clock, a copy of a database.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use retentiond::model::{FileId, FileState};

use crate::place::Sight;
use crate::server::{LEASE, Server};
use crate::world::World;

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

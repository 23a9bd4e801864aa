//! `Standing`: size, room, last success.

use retentiond::ledger::Opened;
use retentiond::model::{SweepState, SweepSummary};

use crate::world::*;

for_every_backend![
    the_last_success_is_the_latest_sweep_that_was_done,
    the_ledger_has_a_size_and_room_beside_it,
];

async fn the_last_success_is_the_latest_sweep_that_was_done(world: World) {
    let ledger = &world.ledger;
    assert_eq!(ledger.last_done(&policy("p")).await.unwrap(), None, "never seen");
    for (hour, name, state) in [
        (1, "p", SweepState::Done),
        (2, "p", SweepState::Done),
        (3, "p", SweepState::Stopped),
        (4, "q", SweepState::Done),
        (5, "p", SweepState::Postponed),
        (6, "r", SweepState::Stopped),
    ] {
        let Opened::New(sweep) = ledger.open_sweep(&open(name, Some(at(hour)))).await.unwrap() else {
            panic!("new")
        };
        ledger
            .close_sweep(sweep, state, &SweepSummary::default(), at(hour))
            .await
            .unwrap();
    }
    ledger.open_sweep(&open("p", Some(at(7)))).await.unwrap();
    assert_eq!(ledger.last_done(&policy("p")).await.unwrap(), Some(at(2)));
    assert_eq!(ledger.last_done(&policy("q")).await.unwrap(), Some(at(4)));
    assert_eq!(ledger.last_done(&policy("r")).await.unwrap(), None);
}

async fn the_ledger_has_a_size_and_room_beside_it(world: World) {
    let space = world.ledger.space().await.unwrap();
    assert!(space.ledger_bytes > 4096, "{space:?}");
    assert!(space.free_bytes > 0, "{space:?}");
}

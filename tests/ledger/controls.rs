//! `Controls`: breakers, the pause, the clock, settings.

use retentiond::model::{BreakerKind, ClockAnomaly, ClockMark, Pause};

use crate::world::*;

for_every_backend![
    an_open_breaker_keeps_its_first_reason,
    a_breaker_closes_once_and_can_open_again,
    breakers_survive_a_crash,
    a_pause_is_set_replaced_and_cleared,
    the_high_water_mark_only_rises_until_it_is_reset,
    an_anomaly_counts_once_by_its_identity,
    settings_are_set_replaced_and_removed,
];

async fn an_open_breaker_keeps_its_first_reason(world: World) {
    assert_eq!(world.ledger.breakers().await.unwrap(), []);
    for (hour, kind) in BreakerKind::ALL.into_iter().enumerate() {
        world
            .ledger
            .open_breaker(kind, "first", at(hour as i64))
            .await
            .unwrap();
        world.ledger.open_breaker(kind, "second", at(50)).await.unwrap();
    }
    let open = world.ledger.breakers().await.unwrap();
    assert_eq!(open.iter().map(|b| b.kind).collect::<Vec<_>>(), BreakerKind::ALL);
    assert!(
        open.iter()
            .all(|breaker| breaker.reason == "first" && breaker.opened_at < at(50))
    );
}

async fn a_breaker_closes_once_and_can_open_again(world: World) {
    assert!(
        !world
            .ledger
            .close_breaker(BreakerKind::Api, "probe", at(0))
            .await
            .unwrap()
    );
    world
        .ledger
        .open_breaker(BreakerKind::Api, "down", at(1))
        .await
        .unwrap();
    world
        .ledger
        .open_breaker(BreakerKind::Auth, "401", at(1))
        .await
        .unwrap();
    assert!(
        world
            .ledger
            .close_breaker(BreakerKind::Api, "probe", at(2))
            .await
            .unwrap()
    );
    assert!(
        !world
            .ledger
            .close_breaker(BreakerKind::Api, "probe", at(2))
            .await
            .unwrap()
    );
    assert_eq!(world.ledger.breakers().await.unwrap().len(), 1);
    world
        .ledger
        .open_breaker(BreakerKind::Api, "down again", at(3))
        .await
        .unwrap();
    let open = world.ledger.breakers().await.unwrap();
    assert_eq!(
        (open[1].kind, open[1].reason.as_str()),
        (BreakerKind::Api, "down again")
    );
}

async fn breakers_survive_a_crash(world: World) {
    world
        .ledger
        .open_breaker(BreakerKind::Collateral, "f", at(1))
        .await
        .unwrap();
    let world = world.reopen().await;
    assert_eq!(
        world.ledger.breakers().await.unwrap()[0].kind,
        BreakerKind::Collateral
    );
}

async fn a_pause_is_set_replaced_and_cleared(world: World) {
    let pause = |hours: i64| Pause {
        until: at(hours),
        reason: format!("until {hours}"),
        since: at(0),
    };
    assert_eq!(world.ledger.pause().await.unwrap(), None);
    world.ledger.set_pause(None, at(0)).await.unwrap();
    world.ledger.set_pause(Some(&pause(5)), at(0)).await.unwrap();
    world.ledger.set_pause(Some(&pause(9)), at(1)).await.unwrap();
    let world = world.reopen().await;
    assert_eq!(world.ledger.pause().await.unwrap(), Some(pause(9)));
    world.ledger.set_pause(None, at(2)).await.unwrap();
    assert_eq!(world.ledger.pause().await.unwrap(), None);
}

async fn the_high_water_mark_only_rises_until_it_is_reset(world: World) {
    let mark = |hours: i64| ClockMark {
        wall: at(hours),
        boottime_ms: hours,
        boot_id: format!("boot {hours}"),
    };
    assert_eq!(world.ledger.clock_mark().await.unwrap(), None);
    for (set, high) in [(5, 5), (9, 9), (7, 9)] {
        world.ledger.set_clock_mark(&mark(set)).await.unwrap();
        assert_eq!(
            world.ledger.clock_mark().await.unwrap(),
            Some((mark(set), at(high)))
        );
    }
    world.ledger.reset_high_water(&mark(6)).await.unwrap();
    assert_eq!(world.ledger.clock_mark().await.unwrap(), Some((mark(6), at(6))));
}

async fn an_anomaly_counts_once_by_its_identity(world: World) {
    let anomaly = |identity: &str, hour: i64| ClockAnomaly {
        identity: identity.to_owned(),
        seen_at: at(hour),
        skew_ms: -7,
        resolved_at: None,
    };
    assert_eq!(world.ledger.anomalies().await.unwrap(), (0, Vec::new()));
    assert!(world.ledger.add_anomaly(&anomaly("a", 1)).await.unwrap());
    assert!(!world.ledger.add_anomaly(&anomaly("a", 2)).await.unwrap());
    assert!(world.ledger.add_anomaly(&anomaly("b", 2)).await.unwrap());
    assert_eq!(
        world.ledger.anomalies().await.unwrap(),
        (2, vec![anomaly("a", 1), anomaly("b", 2)])
    );
    world.ledger.resolve_anomalies(at(3)).await.unwrap();
    assert_eq!(world.ledger.anomalies().await.unwrap(), (2, Vec::new()));
    assert!(!world.ledger.add_anomaly(&anomaly("a", 4)).await.unwrap());
    assert!(world.ledger.add_anomaly(&anomaly("c", 4)).await.unwrap());
    assert_eq!(
        world.ledger.anomalies().await.unwrap(),
        (3, vec![anomaly("c", 4)])
    );
}

async fn settings_are_set_replaced_and_removed(world: World) {
    assert_eq!(world.ledger.setting("chunk.size").await.unwrap(), None);
    world.ledger.set_setting("chunk.size", Some("50")).await.unwrap();
    world.ledger.set_setting("chunk.size", Some("25")).await.unwrap();
    let world = world.reopen().await;
    assert_eq!(
        world.ledger.setting("chunk.size").await.unwrap().as_deref(),
        Some("25")
    );
    world.ledger.set_setting("chunk.size", None).await.unwrap();
    world.ledger.set_setting("never set", None).await.unwrap();
    assert_eq!(world.ledger.setting("chunk.size").await.unwrap(), None);
}

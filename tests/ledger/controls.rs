//! `Controls`: breakers, the pause, the clock, settings.

use retentiond::ledger::Barriers;
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
    one_look_shows_what_each_question_does,
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

async fn one_look_shows_what_each_question_does(world: World) {
    let same = async || {
        let seen = world.ledger.barriers().await.unwrap();
        assert_eq!(seen.breakers, world.ledger.breakers().await.unwrap());
        assert_eq!(seen.pause, world.ledger.pause().await.unwrap());
        assert_eq!(seen.anomalies, world.ledger.anomalies().await.unwrap().1);
        assert_eq!(seen.clock, world.ledger.clock_mark().await.unwrap());
        for (name, value) in &seen.settings {
            assert_eq!(world.ledger.setting(name).await.unwrap().as_ref(), Some(value));
        }
        let rules = world.ledger.rules_in_force().await.unwrap();
        assert_eq!(seen.rules, rules.map(|rules| rules.digest));
        seen
    };
    let nothing = same().await;
    assert_eq!(nothing, Barriers::default());
    for name in ["one", "two"] {
        world.ledger.adopt_rules(&digest(name), "", at(0)).await.unwrap();
        assert_eq!(same().await.rules, Some(digest(name)));
    }
    for (hour, kind) in [BreakerKind::Rollback, BreakerKind::Api, BreakerKind::Auth]
        .into_iter()
        .enumerate()
    {
        world
            .ledger
            .open_breaker(
                kind,
                "a \"reason\" with ünïcode, \\ and \u{1f4a9}",
                at(9 - hour as i64),
            )
            .await
            .unwrap();
    }
    world
        .ledger
        .close_breaker(BreakerKind::Api, "probe", at(10))
        .await
        .unwrap();
    let pause = Pause {
        until: at(20),
        reason: "a line\nand another".to_owned(),
        since: at(3),
    };
    world.ledger.set_pause(Some(&pause), at(3)).await.unwrap();
    for identity in ["z", "a", "m"] {
        let anomaly = ClockAnomaly {
            identity: identity.to_owned(),
            seen_at: at(1),
            skew_ms: i64::MIN,
            resolved_at: None,
        };
        world.ledger.add_anomaly(&anomaly).await.unwrap();
    }
    let mark = |hour| ClockMark {
        wall: at(hour),
        boottime_ms: i64::MAX,
        boot_id: "a boot".to_owned(),
    };
    world.ledger.set_clock_mark(&mark(8)).await.unwrap();
    world.ledger.set_clock_mark(&mark(5)).await.unwrap();
    world.ledger.set_setting("b", Some("2")).await.unwrap();
    world.ledger.set_setting("a", Some("1")).await.unwrap();
    let all = same().await;
    let kinds: Vec<BreakerKind> = all.breakers.iter().map(|breaker| breaker.kind).collect();
    assert_eq!(kinds, [BreakerKind::Auth, BreakerKind::Rollback]);
    assert_eq!(all.pause, Some(pause));
    assert_eq!(all.anomalies.len(), 3);
    assert_eq!(all.clock, Some((mark(5), at(8))));
    assert_eq!(all.settings.len(), 2);
    world.ledger.set_pause(None, at(11)).await.unwrap();
    world.ledger.resolve_anomalies(at(11)).await.unwrap();
    world.ledger.set_setting("a", None).await.unwrap();
    let some = same().await;
    assert_eq!(
        (some.pause, some.anomalies.len(), some.settings.len()),
        (None, 0, 1)
    );
}

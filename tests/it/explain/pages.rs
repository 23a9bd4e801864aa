//! `history` page by page, as the binary prints it.

use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::World;

fn history(world: &World, args: &[&str]) -> Output {
    let config = world.dir.path().join("policies.toml");
    std::fs::write(&config, &*world.checked.rules.source).unwrap();
    Command::new(env!("CARGO_BIN_EXE_retentiond"))
        .arg("-c")
        .arg(&config)
        .args(args)
        .output()
        .unwrap()
}

fn json(world: &World, args: &[&str]) -> Value {
    let mut all = vec!["--json", "history"];
    all.extend_from_slice(args);
    let output = history(world, &all);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{args:?}: {error}; {output:?}"))
}

fn numbers(page: &Value) -> Vec<i64> {
    let attempts = page["attempts"].as_array().unwrap();
    attempts.iter().map(|a| a["attempt"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn history_is_read_in_pages_that_stay_where_they_are() {
    let mut world = World::new().await;
    world.settings.files_per_request = 1;
    let (first, second) = (world.upload(3).await, world.upload(2).await);
    world.sweep().await;
    world.days_pass(11);
    world.sweep().await;
    let page = json(&world, &["--limit", "2"]);
    assert_eq!((numbers(&page), &page["next"]), (vec![5, 4], &4.into()));
    // A request that comes meanwhile stands before the first page, and moves none.
    let late = world.upload(1).await;
    world.days_pass(11);
    world.sweep().await;
    let page = json(&world, &["--limit", "2", "--after", "4"]);
    assert_eq!((numbers(&page), &page["next"]), (vec![3, 2], &2.into()));
    let last = json(&world, &["--limit", "2", "--after", "2"]);
    assert_eq!((numbers(&last), &last["next"]), (vec![1], &Value::Null));
    assert_eq!(numbers(&json(&world, &["--limit", "0"])), [6, 5, 4, 3, 2, 1]);
    let plain = history(&world, &["history", "--limit", "1"]);
    let told = String::from_utf8(plain.stdout).unwrap();
    assert!(told.contains("`--after 6` goes on"), "{told}");
    // By each thing that it can be asked for.
    for (batch, count) in [(&first, 3), (&second, 2), (&late, 1)] {
        let page = json(&world, &["--batch", &batch.id]);
        assert_eq!(numbers(&page).len(), count);
        assert!(
            page["attempts"]
                .as_array()
                .unwrap()
                .iter()
                .all(|a| a["batch_id"] == batch.id.as_str())
        );
        let file = batch.files[0].as_str();
        assert_eq!(json(&world, &["--file", file]), json(&world, &["--", file]));
        assert_eq!(numbers(&json(&world, &["--file", file])).len(), 1);
    }
    assert_eq!(numbers(&json(&world, &["--policy", "documents"])).len(), 6);
    assert_eq!(numbers(&json(&world, &["--policy", "no-more"])).len(), 0);
    assert_eq!(numbers(&json(&world, &["--sweep", "3"])), [6]);
    let until = world.now().to_string();
    assert_eq!(numbers(&json(&world, &["--until", &until])), [5, 4, 3, 2, 1]);
    assert_eq!(numbers(&json(&world, &["--since", &until])), [6]);
}

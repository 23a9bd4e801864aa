//! Whatever comes in: policy files, periods, schedules, answers, rows and ids, arbitrary and nearly
//! right. No panic; what is taken is taken exactly, what is not is refused by name and place.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "an integration test: it has no outside, and a panic is its way to fail"
)]

#[path = "input/answers.rs"]
mod answers;
#[path = "input/bodies.rs"]
mod bodies;
#[path = "input/ids.rs"]
mod ids;
#[path = "input/oracles.rs"]
mod oracles;
#[path = "input/policy_file.rs"]
mod policy_file;
#[path = "input/rows.rs"]
mod rows;
#[path = "input/seeds.rs"]
mod seeds;

//! The package in a real systemd: installed with the package manager, started by its unit, against
//! `retentiond sandbox`.
//!
//! Each test boots a machine of its own (`systemd/boot`): the host's systemd and programs, a root that lives in
//! memory, a network of nothing but loopback. `$RETENTIOND_DEB` names the package; without it the debug binary is packed.

#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    reason = "an integration test: it has no outside, and a panic is its way to fail"
)]

#[path = "systemd/document.rs"]
mod document;
#[path = "systemd/faults.rs"]
mod faults;
#[path = "systemd/machine.rs"]
mod machine;
#[path = "systemd/package.rs"]
mod package;
#[path = "systemd/service.rs"]
mod service;
#[path = "systemd/walls.rs"]
mod walls;

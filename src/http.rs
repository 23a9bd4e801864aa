//! The listener, what is shown on it (page, metrics, health), and the intake endpoint.
//!
//! Face storey. [`listen`] takes any axum [`Router`] and a bound socket, TCP or Unix, with [`Limits`] of its
//! own, so that each listener of the service has the same walls. What is shown comes from the one snapshot
//! that the daemon publishes; only the intake endpoint, a listener of its own, reaches the ledger. Whatever happens on a listener
//! (slow clients, no descriptors left, a port in use) stays here and never stops deletion.

mod activity;
mod door;
mod faces;
mod gateway;
mod headers;
mod health;
mod hooks;
mod hosts;
mod intake;
mod listener;
mod metrics;
mod openapi;
mod page;
mod pulse;
mod socket;

pub use activity::Activity;
pub use door::{Door, DoorFigures, Limits};
pub use faces::{Faces, Shown, routes};
pub use gateway::{Gateway, Gateways};
pub use headers::secured;
pub use hooks::{HOOK_LIMITS, hook_routes};
pub use hosts::Hosts;
pub use intake::{INTAKE_BODY_BYTES, Token, intake_routes};
pub use listener::listen;
pub use pulse::Pulse;
pub use socket::{Accept, bind_path, bind_patiently};

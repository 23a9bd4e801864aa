//! The room against published vectors and against a second implementation.

mod audits;
mod leaves;
mod naive;
mod notes;
mod series;
mod trees;

//! Cron schedules: when a policy is swept.

/// A checked cron expression (5 fields, or 6 with seconds first), Vixie's OR of the two day fields.
#[derive(Debug, Clone)]
pub struct Schedule {
    pub(super) text: String,
}

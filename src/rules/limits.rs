//! Limits on one sweep: judged on the whole plan, before the first delete.

#![cfg_attr(feature = "run", no_main)]

use retentiond_fuzz::{ask, cron};

ask!(|text: &str| cron(text));

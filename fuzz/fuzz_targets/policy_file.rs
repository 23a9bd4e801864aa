#![cfg_attr(feature = "run", no_main)]

use retentiond_fuzz::{ask, policy_file};

ask!(|text: &str| policy_file(text));

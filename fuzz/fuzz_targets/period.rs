#![cfg_attr(feature = "run", no_main)]

use retentiond_fuzz::{ask, period};

ask!(|text: &str| period(text));

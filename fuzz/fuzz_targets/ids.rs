#![cfg_attr(feature = "run", no_main)]

use retentiond_fuzz::{ask, ids};

ask!(|text: &str| ids(text));

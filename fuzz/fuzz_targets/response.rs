#![cfg_attr(feature = "run", no_main)]

use retentiond_fuzz::{ask, response};

ask!(|bytes: &[u8]| response(bytes));

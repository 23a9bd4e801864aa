#![cfg_attr(feature = "run", no_main)]

use retentiond_fuzz::{ask, retry_after};

ask!(|bytes: &[u8]| retry_after(bytes));

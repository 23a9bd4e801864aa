#![cfg_attr(feature = "run", no_main)]

use retentiond::intake::Format;
use retentiond_fuzz::{ask, rows};

ask!(|bytes: &[u8]| rows(Format::Csv, bytes));

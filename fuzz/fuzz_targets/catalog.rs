//! A file that calls itself `catalog.json` is read or refused without a panic.

#![no_main]

use domain::artifact::Catalog;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Catalog::parse(bytes);
});

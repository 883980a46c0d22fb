//! The query string of a list is read without a panic, whatever it holds.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::ListParams;

fuzz_target!(|query: &str| {
    let _ = ListParams::parse(query);
});

//! A file that calls itself `sources.json` is read or refused without a panic.

#![no_main]

use domain::artifact::Sources;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Sources::parse(bytes);
});

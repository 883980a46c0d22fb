//! A file that calls itself `run_results.json` is read or refused without a panic.

#![no_main]

use domain::artifact::RunResults;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = RunResults::parse(bytes);
});

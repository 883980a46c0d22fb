//! A file that calls itself `manifest.json` is read or refused without a panic.

#![no_main]

use domain::artifact::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Manifest::parse(bytes);
});

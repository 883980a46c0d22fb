//! A file that calls itself `semantic_manifest.json` is read or refused without a panic.

#![no_main]

use domain::artifact::SemanticManifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = SemanticManifest::parse(bytes);
});

//! What cannot be read says where and what.

use domain::artifact::{Catalog, InvalidArtifact, Manifest, RunResults, SemanticManifest, Sources};
use serde_json::json;

use crate::{
    files::{CATALOG, MANIFEST, RESULTS, SOURCES, bytes, json},
    results::SEMANTIC_MANIFEST,
};

type Reader = fn(&[u8]) -> Option<InvalidArtifact>;

/// Each kind: its name, a good file of it, and what is wrong with others.
const KINDS: [(&str, &[u8], Reader); 5] = [
    ("manifest.json", MANIFEST, |bytes| Manifest::parse(bytes).err()),
    ("run_results.json", RESULTS, |bytes| RunResults::parse(bytes).err()),
    ("sources.json", SOURCES, |bytes| Sources::parse(bytes).err()),
    ("catalog.json", CATALOG, |bytes| Catalog::parse(bytes).err()),
    ("semantic_manifest.json", SEMANTIC_MANIFEST, |bytes| SemanticManifest::parse(bytes).err()),
];

fn place(wrong: &InvalidArtifact) -> (usize, usize) {
    match wrong {
        InvalidArtifact::Malformed { line, column, .. } => (*line, *column),
        InvalidArtifact::UnknownVersion { .. } => panic!("{wrong:?}"),
    }
}

#[test]
fn a_file_cut_anywhere_is_refused_at_the_cut() {
    for (name, whole, wrong) in KINDS {
        assert_eq!(wrong(whole), None, "{name}");
        for cut in (0..whole.len()).step_by(whole.len() / 17) {
            let found = wrong(&whole[..cut]).unwrap();
            assert!(found.to_string().starts_with(name), "{found}");
            // These files are of one line.
            assert!(cut == 0 || place(&found) == (1, cut), "{found}, cut at {cut}");
        }
    }
}

#[test]
fn what_is_no_json_is_refused_with_its_place() {
    for (name, _, wrong) in KINDS {
        for text in
            ["", "no json", "{\n\n  \"metadata\": nonsense}", "[1, 2]", "null", "\u{feff}{}"]
        {
            let found = wrong(text.as_bytes()).unwrap();
            assert!(found.to_string().starts_with(name), "{found}");
        }
        let found = wrong(b"{\n\n  \"metadata\": nonsense}").unwrap();
        let (line, _) = place(&found);
        assert_eq!(line, 3, "{found}");
        assert!(wrong(&[0xff, 0xfe, b'{', b'}']).is_some());
        assert!(wrong("[".repeat(200_000).as_bytes()).is_some());
    }
}

#[test]
fn a_value_of_another_type_is_named_with_its_place() {
    let mut file = json(MANIFEST);
    file["nodes"]["model.shop.fct_orders"]["name"] = json!(7);
    let found = Manifest::parse(&bytes(&file)).unwrap_err();
    let (line, column) = place(&found);
    assert!(line == 1 && column > 1, "{found}");
    assert!(found.to_string().contains("integer `7`"), "{found}");

    file["nodes"]["model.shop.fct_orders"].as_object_mut().unwrap().remove("unique_id");
    file["nodes"]["model.shop.fct_orders"]["name"] = json!("x");
    let found = Manifest::parse(&bytes(&file)).unwrap_err();
    assert!(found.to_string().contains("`unique_id`"), "{found}");

    let mut file = json(SOURCES);
    file["results"][0]["unique_id"] = json!("model.shop");
    let found = Sources::parse(&bytes(&file)).unwrap_err();
    assert!(found.to_string().contains("`model.shop` names no source"), "{found}");
}

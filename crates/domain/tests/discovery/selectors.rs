//! Selectors choose what dbt chooses: `selectors.json` is what `dbt ls` said of the example project.

use domain::discovery::ProjectState;
use serde_json::Value;

use crate::{
    files::{MANIFEST, json, texts},
    world::{Gathering, ids, step},
};

const OF_DBT: &[u8] = include_bytes!("../artifacts/selectors.json");

fn state() -> ProjectState {
    Gathering::default().manifest(step(1, 4), MANIFEST).state()
}

#[test]
fn selectors_choose_what_dbt_chooses() {
    let (state, of_dbt) = (state(), json(OF_DBT));
    let of_dbt = of_dbt.as_array().unwrap();
    assert!(of_dbt.len() > 80);
    let mut wrong = Vec::new();
    for case in of_dbt {
        let (select, exclude) = (case["select"].as_str(), case["exclude"].as_str());
        let chosen = state.select(select, exclude).unwrap();
        // `dbt ls` lists no macros and groups.
        let listed = |id: &&str| !id.starts_with("macro.") && !id.starts_with("group.");
        let found: Vec<_> = ids(&state, chosen.iter()).into_iter().filter(listed).collect();
        let expected = texts(&case["chosen"]);
        if found != expected {
            let more: Vec<_> = found.iter().filter(|id| !expected.contains(id)).collect();
            let less: Vec<_> = expected.iter().filter(|id| !found.contains(id)).collect();
            wrong.push(format!("{select:?} {exclude:?}: more {more:?}, less {less:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_unique_id_selects_itself() {
    let state = state();
    let found =
        state.select(Some("source.shop.shop_raw.raw_orders exposure.shop.churn_notebook"), None);
    let found = found.unwrap();
    let found = ids(&state, found.iter());
    assert!(found.contains(&"source.shop.shop_raw.raw_orders"));
    assert!(found.contains(&"exposure.shop.churn_notebook"));
    assert!(!found.iter().any(|id| id.starts_with("model.")), "{found:?}");
}

#[test]
fn a_selector_that_cannot_be_read_names_the_part() {
    let state = state();
    for (selector, part, what) in [
        ("stg_orders state:modified+", "state:modified+", "`state`"),
        ("tag:", "tag:", "no value"),
        ("+", "+", "no value"),
        ("a,,b", "", "no value"),
        ("@stg_orders+", "@stg_orders+", "both `@` and `+`"),
        ("1+@x", "1+@x", "`@`"),
        ("resource_type:modle", "resource_type:modle", "no type of resource"),
        ("test_type:x", "test_type:x", "generic, singular"),
        ("99999999999+x", "99999999999+x", "too large"),
        ("access:open", "access:open", "private, protected, public"),
    ] {
        for (select, exclude) in [(Some(selector), None), (None, Some(selector))] {
            let wrong = state.select(select, exclude).unwrap_err();
            assert_eq!(wrong.part, part, "{wrong}");
            assert!(wrong.to_string().contains(what), "{wrong}");
        }
    }
    let endless = "x ".repeat(201);
    assert!(state.select(Some(&endless), None).unwrap_err().to_string().contains("at most 200"));
}

#[test]
fn an_empty_selector_is_none() {
    let state = state();
    let all = state.select(None, None).unwrap();
    assert_eq!(all.iter().count(), state.all().count());
    assert_eq!(state.select(Some(" "), Some("")).unwrap(), all);
    let file: Value = json(MANIFEST);
    let models = state
        .select(Some("resource_type:model"), Some("resource_type:test resource_type:unit_test"));
    let models = models.unwrap();
    let expected =
        file["nodes"].as_object().unwrap().values().filter(|it| it["resource_type"] == "model");
    assert_eq!(models.iter().count(), expected.count());
}

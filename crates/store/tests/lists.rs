//! Lists: pages, orders and filters, on service tokens.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;

use std::collections::BTreeSet;

use common::{House, house, noon, secret};
use domain::{
    Name,
    authz::{Permit, Read, ServiceTokens},
    list::{Filter, ListQuery, Order, Paged, Test},
    secret::TokenKind,
    service_token::ServiceToken,
};
use proptest::{
    prelude::{Just, Strategy as _, any, prop_oneof},
    test_runner::{Config, TestRunner},
};
use store::{NewServiceToken, StoreError};

const FIELDS: &[&str] = &["id", "pk", "name", "created_at", "last_used", "uid"];

async fn list(house: &House, query: &ListQuery) -> Result<Paged<ServiceToken>, StoreError> {
    let permit: Permit<Read, ServiceTokens> = house.permit().await;
    house.store.service_tokens(&permit, query).await
}

async fn named(names: &[&str]) -> House {
    let house = house().await;
    let permit = house.permit().await;
    for (seed, text) in (100..).zip(names) {
        house.clock.set(noon().plus_seconds(i64::try_from(seed / 3).unwrap()));
        let new = NewServiceToken { name: Name::parse(*text).unwrap(), grants: vec![], end: None };
        let secret = secret(TokenKind::Service, seed);
        house.store.create_service_token(&permit, new, &secret).await.unwrap();
    }
    house
}

fn filter(field: &str, test: Test) -> ListQuery {
    let filters = vec![Filter { field: field.to_owned(), test }];
    ListQuery { filters, ..ListQuery::first_page() }
}

async fn names(house: &House, query: &ListQuery) -> Vec<String> {
    let page = list(house, query).await.unwrap();
    assert_eq!(page.total, page.rows.len() as u64);
    page.rows.into_iter().map(|token| token.name.to_string()).collect()
}

#[test]
fn paging_visits_every_row_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let texts: Vec<String> = (0..37).map(|n| format!("token {}", n % 5)).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let house = runtime.block_on(named(&texts));

    let order = prop_oneof![
        Just(None),
        (proptest::sample::select(FIELDS), any::<bool>())
            .prop_map(|(field, descending)| Some(Order { field: field.to_owned(), descending })),
    ];
    let mut runner =
        TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    runner
        .run(&(1_u16..=50, order), |(limit, order)| {
            runtime.block_on(async {
                let mut seen = Vec::new();
                loop {
                    let offset = u32::try_from(seen.len()).unwrap();
                    let query = ListQuery {
                        limit,
                        offset,
                        order: order.clone(),
                        ..ListQuery::first_page()
                    };
                    let page = list(&house, &query).await.unwrap();
                    assert_eq!(page.total, 37);
                    assert!(page.rows.len() <= usize::from(limit));
                    if page.rows.is_empty() {
                        break;
                    }
                    seen.extend(page.rows.into_iter().map(|token| token.id));
                }
                assert_eq!(seen.len(), 37);
                assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 37);
            });
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn ties_go_by_id_in_the_same_direction() {
    let house = named(&["b", "a", "b", "a"]).await;
    let ids = async |descending| {
        let order = Some(Order { field: "name".to_owned(), descending });
        let page = list(&house, &ListQuery { order, ..ListQuery::first_page() }).await.unwrap();
        page.rows.into_iter().map(|token| token.id.get()).collect::<Vec<_>>()
    };
    assert_eq!(ids(false).await, [2, 4, 1, 3]);
    assert_eq!(ids(true).await, [3, 1, 4, 2]);
}

#[tokio::test]
async fn a_list_is_a_page_a_count_where_that_does_not_tell_and_the_rows_that_belong_to_it() {
    let house = named(&["a", "b"]).await;
    let permit: Permit<Read, ServiceTokens> = house.permit().await;
    for (limit, statements) in [(100, 4), (1, 5)] {
        let before = house.store.statements();
        let query = ListQuery { limit, ..ListQuery::first_page() };
        let page = house.store.service_tokens(&permit, &query).await.unwrap();
        assert_eq!((page.total, house.store.statements() - before), (2, statements));
    }
}

#[tokio::test]
async fn a_substring_is_taken_as_it_is_and_without_regard_to_case() {
    let house = named(&["100% sure", "100 sure", "a_b", "aXb", r"back\slash", "NIGHTLY"]).await;
    let having =
        async |text: &str| names(&house, &filter("name", Test::Contains(text.to_owned()))).await;
    assert_eq!(having("0%").await, ["100% sure"]);
    assert_eq!(having("A_B").await, ["a_b"]);
    assert_eq!(having(r"k\s").await, [r"back\slash"]);
    assert_eq!(having("night").await, ["NIGHTLY"]);
    assert_eq!(having("' OR 1=1 --").await, Vec::<String>::new());
}

#[tokio::test]
async fn filters_meet_what_they_say() {
    let house = named(&["a", "b", "c", "d"]).await;
    let is = |field: &str, value: &str| filter(field, Test::Is(value.to_owned()));
    let among = |field: &str, values: &[&str]| {
        filter(field, Test::In(values.iter().map(|value| (*value).to_owned()).collect()))
    };

    assert_eq!(names(&house, &is("pk", "2")).await, ["b"]);
    assert_eq!(names(&house, &is("name", "c")).await, ["c"]);
    assert_eq!(names(&house, &among("id", &["1", "4", "9"])).await, ["a", "d"]);
    assert_eq!(names(&house, &among("id", &[])).await, Vec::<String>::new());
    assert_eq!(names(&house, &filter("id", Test::Above("2".to_owned()))).await, ["c", "d"]);
    assert_eq!(names(&house, &is("shoe_size", "44")).await, ["a", "b", "c", "d"]);
    let (from, to) = (noon().plus_seconds(34), noon().plus_seconds(34));
    let range = filter("created_at", Test::Between(from, to));
    assert_eq!(names(&house, &range).await, ["c", "d"], "both ends are in it");
}

#[tokio::test]
async fn a_value_that_does_not_read_names_its_field() {
    let house = named(&["a"]).await;
    let cases = [
        ("id", Test::Is("one".to_owned())),
        ("id", Test::In(vec!["1".to_owned(), "99999999999999999999".to_owned()])),
        ("id", Test::In(vec!["1".to_owned(); 1_001])),
        ("id", Test::Contains("1".to_owned())),
        ("id", Test::Between(noon(), noon())),
        ("name", Test::Between(noon(), noon())),
        ("created_at", Test::Is("yesterday\u{7}".to_owned())),
    ];
    for (field, test) in cases {
        match list(&house, &filter(field, test.clone())).await {
            Err(StoreError::Invalid { field: named, message }) => {
                assert_eq!(named, field, "{test:?}");
                assert!(!message.contains('\u{7}'), "{message}");
            }
            other => panic!("{test:?}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_unknown_order_is_refused_with_the_names_that_are_known() {
    let house = named(&["a"]).await;
    let order = Some(Order { field: "shoe_size".to_owned(), descending: true });
    let said = list(&house, &ListQuery { order, ..ListQuery::first_page() }).await.unwrap_err();
    let known = "`order_by` must be one of `id`, `uid`, `name`, `created_at`, `updated_at`, `last_used`, `responsible_user_id`";
    assert_eq!(said.to_string(), known);
}

//! The audit chain: what was changed, dropped or moved shows, and where.

use domain::{
    AccountId, Timestamp,
    audit::{AuditRecord, BrokenChain, ChainHash, ChainWalk},
};
use proptest::{prelude::*, sample::Index};
use serde_json::json;

use super::world::account;

type Chain = Vec<(AuditRecord, ChainHash)>;

fn record(seq: i64) -> AuditRecord {
    AuditRecord {
        account: account(),
        seq,
        at: Timestamp::from_micros(1_700_000_000_000_000 + seq).unwrap(),
        actor: "user:1".to_owned(),
        event: "service_token.created".to_owned(),
        object: format!("service_token:{seq}"),
        project: (seq % 2 == 0).then_some(seq),
        change: json!({ "before": null, "after": { "name": format!("ci {seq}"), "grants": [] } }),
        address: Some("10.0.0.7".to_owned()),
        agent: "curl/8".to_owned(),
        request_id: format!("r-{seq}"),
    }
}

fn chain(length: i64) -> Chain {
    let mut before = ChainHash::START;
    let link = |seq| {
        let record = record(seq);
        before = record.hash(before);
        (record, before)
    };
    (1..=length).map(link).collect()
}

/// Walks it to the head that was noted when it had `length` records.
fn walk(found: &Chain, length: i64) -> Result<i64, BrokenChain> {
    let head = chain(length).last().map_or(ChainHash::START, |(_, hash)| *hash);
    let mut walk = ChainWalk::new(account());
    for (record, hash) in found {
        walk.step(record, *hash)?;
    }
    walk.end(length, head)
}

/// Every way to change one field.
fn edit(record: &mut AuditRecord, which: usize) {
    match which {
        0 => record.account = AccountId::new(2).unwrap(),
        1 => record.at = record.at.plus_seconds(1),
        2 => "user:2".clone_into(&mut record.actor),
        3 => record.event.push('.'),
        4 => record.object.clear(),
        5 => record.project = record.project.map_or(Some(0), |_| None),
        6 => record.change["after"]["grants"] = json!(["account_admin"]),
        7 => record.change["before"] = json!(false),
        8 => record.address = None,
        9 => record.agent.insert(0, ' '),
        10 => "r-0".clone_into(&mut record.request_id),
        _ => unreachable!("there are {EDITS} edits"),
    }
}
const EDITS: usize = 11;

proptest! {
    #[test]
    fn an_untouched_chain_is_whole(length in 0_i64..12) {
        prop_assert_eq!(walk(&chain(length), length), Ok(length));
    }

    #[test]
    fn an_edited_record_is_named(length in 1_i64..12, at in any::<Index>(), which in 0..EDITS) {
        let mut found = chain(length);
        let at = at.index(found.len());
        edit(&mut found[at].0, which);
        let seq = i64::try_from(at).unwrap() + 1;
        prop_assert_eq!(walk(&found, length), Err(BrokenChain::Changed { account: account(), seq }));
    }

    /// Whoever can edit can compute a hash too; then the next record, or the head, does not fit.
    #[test]
    fn an_edited_record_with_a_new_hash_breaks_what_follows(length in 1_i64..12, at in any::<Index>(), which in 1..EDITS) {
        let mut found = chain(length);
        let at = at.index(found.len());
        let before = if at == 0 { ChainHash::START } else { found[at - 1].1 };
        edit(&mut found[at].0, which);
        found[at].1 = found[at].0.hash(before);
        let seq = (i64::try_from(at).unwrap() + 2).min(length);
        prop_assert_eq!(walk(&found, length), Err(BrokenChain::Changed { account: account(), seq }));
    }

    #[test]
    fn a_dropped_record_is_named(length in 1_i64..12, at in any::<Index>()) {
        let mut found = chain(length);
        let dropped = found.remove(at.index(found.len())).0.seq;
        let account = account();
        let expected = if dropped == length {
            BrokenChain::WrongEnd { account, expected: length, found: length - 1 }
        } else {
            BrokenChain::Gap { account, expected: dropped, found: dropped + 1 }
        };
        prop_assert_eq!(walk(&found, length), Err(expected));
    }

    #[test]
    fn swapped_records_are_named(length in 2_i64..12, one in any::<Index>(), other in any::<Index>()) {
        let mut found = chain(length);
        let (one, other) = (one.index(found.len()), other.index(found.len()));
        prop_assume!(one < other);
        found.swap(one, other);
        let (expected, found_seq) = (i64::try_from(one).unwrap() + 1, i64::try_from(other).unwrap() + 1);
        let gap = BrokenChain::Gap { account: account(), expected, found: found_seq };
        prop_assert_eq!(walk(&found, length), Err(gap));
    }

    /// Contents swapped, places kept.
    #[test]
    fn records_that_took_each_others_place_are_named(length in 2_i64..12, one in any::<Index>(), other in any::<Index>()) {
        let mut found = chain(length);
        let (one, other) = (one.index(found.len()), other.index(found.len()));
        prop_assume!(one < other);
        found.swap(one, other);
        let seq = i64::try_from(one).unwrap() + 1;
        found[one].0.seq = seq;
        found[other].0.seq = i64::try_from(other).unwrap() + 1;
        prop_assert_eq!(walk(&found, length), Err(BrokenChain::Changed { account: account(), seq }));
    }

    #[test]
    fn a_record_behind_the_noted_end_shows(length in 0_i64..12) {
        let wrong = BrokenChain::WrongEnd { account: account(), expected: length, found: length + 1 };
        prop_assert_eq!(walk(&chain(length + 1), length), Err(wrong));
    }
}

/// The canonical bytes are a promise to every later version: this hash was computed apart.
#[test]
fn the_hash_of_a_record_stays_what_it_was() {
    let hash = record(1).hash(ChainHash::START);
    let hex = hash.0.map(|byte| format!("{byte:02x}")).concat();
    assert_eq!(hex, "da82e11ea7ec9983a002cfd96e332d40a5826fd1b676f05a92996034f75079bb");
}

#[test]
fn the_order_of_keys_inside_a_change_means_nothing() {
    let (mut one, mut other) = (record(1), record(1));
    one.change =
        serde_json::from_str(r#"{"after":{"a":[{"x":1,"y":2}],"b":2},"before":null}"#).unwrap();
    other.change =
        serde_json::from_str(r#"{"before":null,"after":{"b":2,"a":[{"y":2,"x":1}]}}"#).unwrap();
    assert_eq!(one.hash(ChainHash::START), other.hash(ChainHash::START));
}

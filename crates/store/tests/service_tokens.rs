//! Service tokens: their life, what their makers may hand out, and that a change counts at once.

mod common;

use std::time::Duration;

use common::{account, everywhere, house, house_on, name, noon, number, secret};
use domain::{
    Plan, Timestamp,
    authz::{
        License, Origin, PermissionSet, Permit, PrincipalId, Read, ServiceTokens, SystemTask, Write,
    },
    list::{ListQuery, StateFilter},
    secret::TokenKind,
    service_token::{ServiceToken, TokenState},
    token_policy::End,
};
use sea_orm::ConnectionTrait as _;
use store::{
    AccountChange, ImportedToken, Keyring, NewServiceToken, Store, StoreError, TokenChange,
};

#[tokio::test]
async fn a_token_opens_what_it_was_granted_until_it_is_revoked() {
    let house = house().await;
    let grants = vec![everywhere("job_admin")];
    let (token, secret) = house.token("nightly", grants.clone(), 2).await;

    let caller = house.caller(&secret).await.expect("it works");
    assert_eq!(caller.principal().id(), PrincipalId::ServiceToken(token.id));
    assert_eq!(caller.principal().grants(), grants);
    assert_eq!(house.read(token.id).await.unwrap(), token);

    house.revoke(token.id).await;
    assert!(house.caller(&secret).await.is_none());
    assert!(matches!(house.read(token.id).await, Err(StoreError::NotFound)));
}

#[tokio::test]
async fn a_revoked_token_is_listed_when_it_is_asked_for_and_has_no_digest() {
    let house = house().await;
    let (gone, _) = house.token("gone", vec![everywhere("job_viewer")], 2).await;
    let (kept, _) = house.token("kept", vec![], 3).await;
    house.revoke(gone.id).await;

    let permit = house.permit().await;
    let listed = async |state| {
        let query = ListQuery { state, ..ListQuery::first_page() };
        let page = house.store.service_tokens(&permit, &query).await.unwrap();
        page.rows.into_iter().map(|token| token.id).collect::<Vec<_>>()
    };
    assert_eq!(listed(None).await, [kept.id]);
    assert_eq!(listed(Some(StateFilter::Deleted)).await, [gone.id]);
    assert_eq!(listed(Some(StateFilter::All)).await, [gone.id, kept.id]);

    let db = house.raw().await;
    let digests = "SELECT count(*) FROM service_token_credentials";
    assert_eq!(number(&db, digests).await, 1);
}

#[tokio::test]
async fn a_token_revoked_between_check_and_commit_does_not_commit() {
    let house = house().await;
    let (maker, secret_of_maker) = house.token("maker", vec![everywhere("account_admin")], 2).await;
    let old: Permit<Write, ServiceTokens> = house.permit_of(&secret_of_maker).await;
    house.revoke(maker.id).await;
    let before = house.records().await;

    let new = NewServiceToken { name: name("late"), grants: vec![], end: None };
    let late = secret(TokenKind::Service, 3);
    let made = house.store.create_service_token(&old, new, &late).await;

    assert!(matches!(made, Err(StoreError::CredentialChanged)), "{made:?}");
    assert_eq!(house.records().await, before);
    assert!(house.caller(&late).await.is_none());
}

#[tokio::test]
async fn a_permit_is_void_once_the_grants_behind_it_change() {
    let house = house().await;
    let (maker, secret_of_maker) = house.token("maker", vec![everywhere("account_admin")], 2).await;
    let old: Permit<Write, ServiceTokens> = house.permit_of(&secret_of_maker).await;
    let narrower = vec![everywhere("job_viewer")];
    house.store.replace_grants(&house.permit().await, maker.id, narrower).await.unwrap();

    let made = house.store.update_service_token(&old, maker.id, common::named(name("late"))).await;

    assert!(matches!(made, Err(StoreError::CredentialChanged)), "{made:?}");
}

#[tokio::test]
async fn a_permit_is_void_once_the_plan_or_the_members_rights_change() {
    let house = house().await;
    let (maker, secret_of_maker) = house.token("maker", vec![everywhere("account_admin")], 2).await;
    let of_token: Permit<Write, ServiceTokens> = house.permit_of(&secret_of_maker).await;
    let of_user: Permit<Write, ServiceTokens> = house.permit().await;
    let change = AccountChange { tokens_may_mint: Some(false), ..AccountChange::default() };
    house.store.update_account(&house.permit().await, change).await.unwrap();

    let by_token =
        house.store.update_service_token(&of_token, maker.id, common::named(name("late"))).await;
    assert!(matches!(by_token, Err(StoreError::CredentialChanged)), "{by_token:?}");
    let by_user =
        house.store.update_service_token(&of_user, maker.id, common::named(name("late"))).await;
    assert!(matches!(by_user, Err(StoreError::CredentialChanged)), "{by_user:?}");

    let fresh: Permit<Write, ServiceTokens> = house.permit().await;
    let raise = "UPDATE memberships SET revision = revision + 1";
    house.raw().await.execute_unprepared(raise).await.unwrap();
    let by_member =
        house.store.update_service_token(&fresh, maker.id, common::named(name("late"))).await;
    assert!(matches!(by_member, Err(StoreError::CredentialChanged)), "{by_member:?}");
}

#[tokio::test]
async fn a_token_ends_at_its_time_and_not_a_microsecond_later() {
    let house = house().await;
    let (token, secret) = house.token("brief", vec![everywhere("account_admin")], 2).await;
    let end = noon().plus_seconds(60);
    let set = format!("UPDATE service_token_credentials SET expires_at = {}", end.micros());
    house.raw().await.execute_unprepared(&set).await.unwrap();

    house.clock.set(Timestamp::from_micros(end.micros() - 1).unwrap());
    let permit: Permit<Write, ServiceTokens> = house.permit_of(&secret).await;
    house.clock.set(end);

    assert!(house.caller(&secret).await.is_none());
    let late =
        house.store.update_service_token(&permit, token.id, common::named(name("late"))).await;
    assert!(matches!(late, Err(StoreError::CredentialChanged)), "{late:?}");
}

/// Neither what is in memory nor what is on disk lets it in again.
#[tokio::test]
async fn a_clock_that_steps_back_revives_no_secret_that_was_refused_as_over() {
    let house = house().await;
    let (_, brief) = house.token("brief", vec![], 2).await;
    let (_, seen) = house.token("seen", vec![], 3).await;
    let end = noon().plus_seconds(60);
    let set = format!("UPDATE service_token_credentials SET expires_at = {}", end.micros());
    house.raw().await.execute_unprepared(&set).await.unwrap();
    assert!(house.caller(&brief).await.is_some());

    house.clock.set(end);
    assert!(house.caller(&brief).await.is_none());
    house.clock.set(noon().plus_seconds(30));
    assert!(house.caller(&brief).await.is_none(), "it is noted");
    house.store.flush_last_used().await.unwrap();
    assert!(house.caller(&brief).await.is_none(), "it is written down");
    assert!(house.caller(&seen).await.is_some(), "this one was not tried after its end");
}

#[tokio::test]
async fn a_secret_opens_nothing_before_it_was_made() {
    let house = house().await;
    let (token, secret) = house.token("new", vec![everywhere("account_admin")], 2).await;
    let permit: Permit<Write, ServiceTokens> = house.permit_of(&secret).await;
    house.clock.set(Timestamp::from_micros(noon().micros() - 1).unwrap());
    // Another change, so that nothing is remembered.
    house.user("cleo@example.com", License::Developer, vec![]).await;

    assert!(house.caller(&secret).await.is_none());
    let early =
        house.store.update_service_token(&permit, token.id, common::named(name("early"))).await;
    assert!(matches!(early, Err(StoreError::CredentialChanged)), "{early:?}");
    house.clock.set(noon());
    assert!(house.caller(&secret).await.is_some());
}

#[tokio::test]
async fn the_last_use_of_a_secret_is_known_with_its_address_and_agent() {
    let house = house().await;
    let (token, secret) = house.token("nightly", vec![], 2).await;
    let from = async |address: &str, agent: &str, at| {
        house.clock.set(at);
        let address = Some(address.parse().unwrap());
        let origin = Origin { address, agent: agent.to_owned(), request_id: String::new() };
        house.store.authenticate_from(&secret, &origin).await.unwrap().unwrap();
    };
    from("192.0.2.1", "curl", noon()).await;
    from("2001:db8::1", "dbt", noon().plus_seconds(9)).await;
    from("192.0.2.9", "late", noon().plus_seconds(3)).await;
    house.store.flush_last_used().await.unwrap();

    let last = house.read(token.id).await.unwrap().credentials[0].last_use.clone().unwrap();

    assert_eq!(last.at, noon().plus_seconds(9));
    assert_eq!(last.address, Some("2001:db8::1".parse().unwrap()));
    assert_eq!(last.agent, "dbt");
}

#[tokio::test]
async fn reading_one_token_is_two_statements_with_who_asks() {
    let house = house().await;
    let grants = vec![everywhere("account_viewer"), everywhere("job_admin")];
    let (token, secret) = house.token("reader", grants, 2).await;

    let before = house.store.statements();
    let permit: Permit<Read, ServiceTokens> = house.permit_of(&secret).await;
    let read = house.store.service_token(&permit, token.id).await.unwrap();

    assert_eq!(house.store.statements() - before, 2);
    assert_eq!(read.grants.len(), 2);
}

#[tokio::test]
async fn the_plan_decides_what_a_token_may_carry() {
    let house = house_on(Plan::Team).await;
    let new =
        NewServiceToken { name: name("nightly"), grants: vec![everywhere("developer")], end: None };

    let permit = house.permit().await;
    let secret = secret(TokenKind::Service, 2);
    let made = house.store.create_service_token(&permit, new, &secret).await;

    let said = made.unwrap_err().to_string();
    assert!(said.contains("`team`") && said.contains("`developer`"), "{said}");
}

// Whoever may write service tokens by a permission set holds every other set too; the importer
// may write them and holds next to nothing. The pairs of sets are compared in `domain`.
#[tokio::test]
async fn nobody_hands_out_more_than_they_hold() {
    let house = house().await;
    let (token, _) = house.token("nightly", vec![], 2).await;
    let permit: Permit<Write, ServiceTokens> = house.task(SystemTask::Importer).await;
    let before = house.records().await;

    for set in PermissionSet::all() {
        let grants = vec![everywhere(set.key())];
        if grants[0].offered_by(Some(Plan::Enterprise)).is_err() {
            continue;
        }
        let new = NewServiceToken { name: name("more"), grants: grants.clone(), end: None };
        let secret = secret(TokenKind::Service, 3);
        let made = house.store.create_service_token(&permit, new, &secret).await;
        assert!(matches!(made, Err(StoreError::Exceeds(_))), "{set}: {made:?}");
        let replaced = house.store.replace_grants(&permit, token.id, grants).await;
        assert!(matches!(replaced, Err(StoreError::Exceeds(_))), "{set}: {replaced:?}");
    }
    assert_eq!(house.records().await, before);
}

#[tokio::test]
async fn whoever_holds_less_than_a_token_takes_from_it_and_gives_it_nothing_back() {
    let house = house().await;
    let (token, _) = house.token("nightly", vec![everywhere("job_admin")], 2).await;
    let end = |seconds| TokenChange {
        end: Some(End::At(noon().plus_seconds(seconds))),
        ..TokenChange::default()
    };
    let disabled = |disabled| TokenChange { disabled: Some(disabled), ..TokenChange::default() };
    let permit: Permit<Write, ServiceTokens> = house.task(SystemTask::Importer).await;
    let change = async |change| house.store.update_service_token(&permit, token.id, change).await;

    for taken in [end(60), disabled(true)] {
        assert!(change(taken).await.is_ok());
    }
    let never = TokenChange { end: Some(End::Never), ..TokenChange::default() };
    for given in [end(61), never, disabled(false)] {
        let refused = change(given).await;
        assert!(matches!(refused, Err(StoreError::Exceeds(_))), "{refused:?}");
    }
}

#[tokio::test]
async fn a_grant_said_twice_is_refused() {
    let house = house().await;
    let grants = vec![everywhere("job_admin"), everywhere("job_viewer"), everywhere("job_admin")];
    let new = NewServiceToken { name: name("nightly"), grants, end: None };

    let permit = house.permit().await;
    let made = house.store.create_service_token(&permit, new, &secret(TokenKind::Service, 2)).await;

    let said = made.unwrap_err().to_string();
    assert_eq!(said, "`permission_grants` grants `job_admin` on all projects twice");
}

#[tokio::test]
async fn grants_and_tokens_are_counted() {
    let house = house().await;
    let (_, _) = house.token("first", vec![], 2).await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
        INSERT INTO service_tokens (uid, account_id, name, state, revision, created_at, updated_at)
        SELECT 'u' || i, account_id, name, state, revision, created_at, updated_at
        FROM n, service_tokens";
    house.raw().await.execute_unprepared(fill).await.unwrap();
    let permit = house.permit().await;

    let new = NewServiceToken { name: name("one more"), grants: vec![], end: None };
    let made = house.store.create_service_token(&permit, new, &secret(TokenKind::Service, 3)).await;
    assert!(matches!(made, Err(StoreError::Conflict(_))), "{made:?}");

    let grants = vec![everywhere("job_admin"); ServiceToken::MAX_GRANTS + 1];
    let first = house.store.service_tokens(&permit.also().unwrap(), &ListQuery::first_page()).await;
    let first = first.unwrap().rows[0].id;
    let replaced = house.store.replace_grants(&permit, first, grants).await;
    assert!(replaced.unwrap_err().to_string().contains("at most 500"));
}

#[tokio::test]
async fn replacing_grants_keeps_the_rows_that_stay() {
    let house = house().await;
    let grants = vec![everywhere("job_admin"), everywhere("job_viewer")];
    let (token, secret) = house.token("nightly", grants, 2).await;
    house.clock.set(noon().plus_seconds(60));

    let wanted = vec![everywhere("metadata_only"), everywhere("job_viewer")];
    let permit = house.permit().await;
    let replaced = house.store.replace_grants(&permit, token.id, wanted).await.unwrap();

    assert_eq!(replaced.grants[0], token.grants[1]);
    assert_eq!(replaced.grants[1].grant, everywhere("metadata_only"));
    assert!(replaced.grants[1].id > token.grants[1].id);
    assert_eq!(replaced.updated_at, noon().plus_seconds(60));
    let held = house.caller(&secret).await.unwrap();
    assert_eq!(held.principal().grants(), [everywhere("job_viewer"), everywhere("metadata_only")]);
}

#[tokio::test]
async fn no_grants_mean_nothing_is_held() {
    let house = house().await;
    let (token, secret) = house.token("nightly", vec![everywhere("job_admin")], 2).await;
    let permit = house.permit().await;
    house.store.replace_grants(&permit, token.id, vec![]).await.unwrap();

    assert_eq!(house.caller(&secret).await.unwrap().principal().grants(), []);
}

#[tokio::test]
async fn an_imported_token_keeps_its_dates_and_opens_nothing() {
    let house = house().await;
    let created_at = Timestamp::parse("2023-07-18").unwrap();
    let last_used = Some(Timestamp::parse("2024-01-01").unwrap());
    let grants = vec![everywhere("account_admin")];
    let old = ImportedToken { name: name("old"), grants, created_at, last_used };
    let permit = house.task(SystemTask::Importer).await;

    let made = house.store.import_service_tokens(&permit, vec![old.clone(), old]).await.unwrap();

    assert_eq!(made.len(), 2);
    assert_eq!((made[0].created_at, made[0].last_used), (created_at, last_used));
    assert_eq!(made[0].state, TokenState::Imported);
    assert!(made[0].advisory().is_some());
    let db = house.raw().await;
    let digests = "SELECT count(*) FROM service_token_credentials";
    assert_eq!(number(&db, digests).await, 0);
}

#[tokio::test]
async fn tokens_are_imported_all_or_none() {
    let house = house_on(Plan::Team).await;
    let created_at = Timestamp::parse("2023-07-18").unwrap();
    let old = |set| ImportedToken {
        name: name("old"),
        grants: vec![everywhere(set)],
        created_at,
        last_used: None,
    };
    let permit = house.task(SystemTask::Importer).await;

    let tokens = vec![old("job_admin"), old("developer")];
    let made = house.store.import_service_tokens(&permit, tokens).await;

    assert!(matches!(made, Err(StoreError::NotOffered(_))), "{made:?}");
    assert_eq!(number(&house.raw().await, "SELECT count(*) FROM service_tokens").await, 0);
}

#[tokio::test]
async fn another_accounts_tokens_are_not_found() {
    let house = house().await;
    let (token, _) = house.token("nightly", vec![], 2).await;
    let plan = Plan::Enterprise;
    let (other, secret) = account(&house.store, "Other", plan, "bob@example.com", 9).await;
    let caller = house.caller(&secret).await.unwrap();
    let permit: Permit<Write, ServiceTokens> =
        domain::authz::authorize(&caller, other.account.id).unwrap();

    let read = house.store.service_token(&permit.also().unwrap(), token.id).await;
    let renamed =
        house.store.update_service_token(&permit, token.id, common::named(name("mine"))).await;
    let replaced = house.store.replace_grants(&permit, token.id, vec![]).await;
    let revoked = house.store.revoke_service_token(&permit, token.id).await;

    for outcome in [read, renamed, replaced, revoked] {
        assert!(matches!(outcome, Err(StoreError::NotFound)), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_deleted_id_is_never_given_out_again() {
    let house = house().await;
    let (first, _) = house.token("first", vec![], 2).await;
    let (second, _) = house.token("second", vec![], 3).await;
    house.raw().await.execute_unprepared("DELETE FROM service_tokens").await.unwrap();

    let (third, _) = house.token("third", vec![], 4).await;

    assert!(first.id < second.id && second.id < third.id);
}

#[tokio::test]
async fn last_used_is_written_in_one_statement_and_never_moves_back() {
    let house = house().await;
    let (token, secret) = house.token("nightly", vec![], 2).await;
    let later = noon().plus_seconds(60);
    house.clock.set(later);
    house.caller(&secret).await.unwrap();
    house.clock.set(noon());
    house.caller(&secret).await.unwrap();

    let before = house.store.statements();
    house.store.flush_last_used().await.unwrap();
    let sent = house.store.statements() - before;
    assert_eq!(house.read(token.id).await.unwrap().last_used, Some(later));
    assert_eq!(sent, 4, "one for each table, and one for secrets that end after that use");

    house.caller(&secret).await.unwrap();
    house.store.flush_last_used().await.unwrap();
    assert_eq!(house.read(token.id).await.unwrap().last_used, Some(later));
}

#[tokio::test]
async fn a_use_that_could_not_be_written_is_kept_for_the_next_time() {
    let house = house().await;
    let (token, secret) = house.token("nightly", vec![], 2).await;
    house.caller(&secret).await.unwrap();
    let db = house.raw().await;
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE ON service_tokens
                  BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    db.execute_unprepared(refuse).await.unwrap();

    assert!(house.store.flush_last_used().await.is_err());
    db.execute_unprepared("DROP TRIGGER refuse").await.unwrap();
    house.store.flush_last_used().await.unwrap();

    assert_eq!(house.read(token.id).await.unwrap().last_used, Some(noon()));
}

#[tokio::test]
async fn a_user_who_may_not_mint_makes_no_tokens() {
    let house = house().await;
    let grants = vec![everywhere("account_admin")];
    let user = house.user("cleo@example.com", License::Analyst, grants).await;
    let secret = secret(TokenKind::Personal, 50);
    let db = house.raw().await;
    // Personal tokens of others are made by themselves only; this one is lent from the admin.
    let permit = house.permit().await;
    let made = house.store.create_personal_token(&permit, house.user, name("lent"), &secret).await;
    made.unwrap();
    let lend = format!("UPDATE personal_tokens SET user_id = {user} WHERE id = 2");
    db.execute_unprepared(&lend).await.unwrap();

    let caller = house.caller(&secret).await.unwrap();

    assert_eq!(caller.principal().id(), PrincipalId::User(user));
    assert!(domain::authz::authorize::<Read, ServiceTokens>(&caller, house.account).is_ok());
    assert!(domain::authz::authorize::<Write, ServiceTokens>(&caller, house.account).is_err());
}

/// Another process on the same folder is not told; it looks again after 2 s.
#[tokio::test]
async fn a_change_counts_at_once_where_it_is_made_and_within_two_seconds_elsewhere() {
    let house = house().await;
    let (token, secret) = house.token("t", vec![everywhere("job_admin")], 9).await;
    let dir = house.store.data_dir();
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    let other = Store::open(dir, keyring, house.clock.clone()).await.unwrap();
    let before = other.statements();
    for store in [&house.store, &other, &other, &other] {
        assert!(store.authenticate(&secret).await.unwrap().is_some());
    }
    assert_eq!(other.statements() - before, 1, "it is remembered");

    house.revoke(token.id).await;

    assert!(house.store.authenticate(&secret).await.unwrap().is_none());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(other.authenticate(&secret).await.unwrap().is_none());
}

//! The data folder: who may open it, and what is in it.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod common;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use common::{account, everywhere, house, name, noon, number, secret};
use domain::{
    Name, Plan,
    authz::{Identity, License, Permit, PrincipalId, Read, SystemTask, Write},
    event::Event,
    list::ListQuery,
    secret::TokenKind,
    user::Email,
};
use sea_orm::ConnectionTrait as _;
use store::{Clock, DataDir, Keyring, NewAccount, Store, StoreError};
use tempfile::TempDir;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn no_file_of_the_folder_holds_the_text_of_a_token() {
    let house = house().await;
    let (token, service) = house.token("nightly", vec![everywhere("job_admin")], 2).await;
    let permit = house.permit_of::<Read, Identity>(&service).await;
    house.store.own_account(&permit).await.unwrap();
    house.store.flush_last_used().await.unwrap();
    house.revoke(token.id).await;
    house.token("next", vec![], 3).await;

    let look = |when: &str| {
        let files = files(house.folder.path());
        assert!(files.iter().any(|file| file.ends_with("narrowgate.db")), "{files:?}");
        for file in files {
            let bytes = fs::read(&file).unwrap();
            for secret in [&house.secret, &service] {
                // The random part alone would do for whoever finds it.
                let text = &secret.reveal().as_bytes()[5..41];
                let found = bytes.windows(text.len()).any(|window| window == text);
                assert!(!found, "{} {when}", file.display());
            }
        }
    };
    look("while it is open");
    house.store.close().await.unwrap();
    look("after it is closed");
}

#[tokio::test]
async fn the_folder_and_what_is_in_it_are_for_their_owner_alone() {
    let house = house().await;
    let dir = house.store.data_dir();

    for folder in [dir.path(), &dir.artifacts(), &dir.warehouses(), &dir.work()] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    for file in files(dir.path()) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_named_with_the_reason_in_one_line() {
    let folder = TempDir::new().unwrap();
    let keyring = Keyring::load_or_create(&folder.path().join("keyring.json")).unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a folder").unwrap();

    let opened = Store::open(&DataDir::new(file.join("data")), keyring, Clock::System).await;

    let said = opened.unwrap_err().to_string();
    assert!(said.contains(&format!("data folder `{}/data`", file.display())), "{said}");
    assert!(said.contains("Not a directory") && !said.contains('\n'), "{said}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = TempDir::new().unwrap();
    let dir = DataDir::new(folder.path());
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    fs::write(
        dir.database(),
        "not a database, and long enough to be asked what it is\n".repeat(90),
    )
    .unwrap();

    let said = Store::open(&dir, keyring, Clock::System).await.unwrap_err().to_string();

    assert!(said.contains("is not a database") && !said.contains('\n'), "{said}");
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let house = house().await;
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    house.raw().await.execute_unprepared(newer).await.unwrap();
    let dir = house.store.data_dir();
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();

    let opened = Store::open(dir, keyring, Clock::System).await;

    match opened.unwrap_err() {
        StoreError::Newer { found, known } => {
            assert_eq!(found, "m9999_later");
            assert!(known.starts_with('m') && known < found, "{known}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_server_at_a_time_serves_a_folder_and_others_may_look() {
    let house = house().await;
    let dir = house.store.data_dir();
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    house.store.lock_for_serving().unwrap();

    let other = Store::open(dir, keyring, house.clock.clone()).await.unwrap();

    let said = other.lock_for_serving().unwrap_err().to_string();
    assert!(said.contains("another server is running on it"), "{said}");
    assert_eq!(other.system_principals(SystemTask::Auditor).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_open_a_new_folder_at_the_same_time() {
    let folder = TempDir::new().unwrap();
    let dir = DataDir::new(folder.path().join("data"));
    let open = |seed: u64| {
        let dir = dir.clone();
        tokio::spawn(async move {
            let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
            let store = Store::open(&dir, keyring, Clock::System).await.unwrap();
            let email = format!("ada{seed}@example.com");
            account(&store, "Acme", Plan::Team, &email, seed).await
        })
    };
    let mut seen = Vec::new();
    for opened in (0..8).map(open).collect::<Vec<_>>() {
        seen.push(opened.await.unwrap().0.account.id.get());
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[tokio::test]
async fn what_was_written_is_there_when_it_is_opened_again() {
    let house = house().await;
    let (token, secret) = house.token("nightly", vec![everywhere("job_admin")], 2).await;
    house.caller(&secret).await.unwrap();
    house.store.close().await.unwrap();

    let dir = house.store.data_dir();
    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    let store = Store::open(dir, keyring, house.clock.clone()).await.unwrap();

    let again = common::House { store, ..house };
    let read = again.read(token.id).await.unwrap();
    assert_eq!(read.last_used, Some(noon()));
    assert!(again.caller(&secret).await.is_some());
}

#[tokio::test]
async fn a_new_account_has_an_admin_who_may_do_everything() {
    let house = house().await;
    let permit: Permit<Read, Identity> = house.permit().await;

    let me = house.store.me(&permit).await.unwrap().expect("a user");
    let account = house.store.own_account(&permit).await.unwrap();

    assert_eq!(
        (me.id, me.email.as_str(), me.license),
        (house.user, "ada@example.com", License::Developer)
    );
    assert_eq!(permit.principal().grants(), [everywhere("account_admin")]);
    assert!(account.identifier.starts_with("act_") && account.identifier.len() == 20);
    assert!(account.tokens_may_mint);
}

#[tokio::test]
async fn one_person_may_be_in_two_accounts_with_different_rights() {
    let house = house().await;
    let plan = Plan::Enterprise;
    let (other, secret) = account(&house.store, "Other", plan, "bob@example.com", 9).await;
    let grants = vec![everywhere("job_viewer")];
    let email = Email::parse("bob@example.com").unwrap();
    let there =
        house.store.add_user(house.account, email.clone(), License::Developer, grants.clone());
    assert_eq!(there.await.unwrap(), other.admin.id);

    let caller = house.caller(&secret).await.unwrap();
    assert_eq!(caller.principal().account(), other.account.id);
    assert_eq!(caller.principal().grants(), [everywhere("account_admin")]);

    let twice = house.store.add_user(house.account, email.clone(), License::It, vec![]).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
    let nowhere = domain::AccountId::new(77).unwrap();
    let nowhere = house.store.add_user(nowhere, email, License::It, vec![]).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound)), "{nowhere:?}");
    let service = house.token("nightly", vec![], 2).await.1;
    let me = house.store.me(&house.permit_of(&service).await).await.unwrap();
    assert!(me.is_none());
}

#[tokio::test]
async fn an_account_is_changed_field_by_field() {
    let house = house().await;
    let change = store::AccountChange {
        name: Some(name("Acme & Sons")),
        plan: Some(Plan::Starter.into()),
        run_slots: None,
        tokens_may_mint: Some(false),
        ..store::AccountChange::default()
    };
    let changed = house.store.update_account(&house.permit().await, change).await.unwrap();

    let read = house.store.own_account(&house.permit().await).await.unwrap();
    assert_eq!(read, changed);
    assert_eq!((read.name.as_str(), read.run_slots), ("Acme & Sons", 5));
    assert_eq!(read.terms().plan, Some(Plan::Starter));
    let none = store::AccountChange { run_slots: Some(0), ..Default::default() };
    let none = house.store.update_account(&house.permit().await, none).await;
    assert!(matches!(none, Err(StoreError::Invalid { field: "run_slots", .. })), "{none:?}");
}

#[tokio::test]
async fn personal_tokens_are_their_users_own() {
    let house = house().await;
    let next = secret(TokenKind::Personal, 40);
    let permit = house.permit().await;
    let made = house
        .store
        .create_personal_token(&permit, house.user, name("laptop"), &next)
        .await
        .unwrap();
    let other = house.user("bob@example.com", License::Developer, vec![]).await;

    let query = ListQuery::first_page();
    let own = house.store.personal_tokens(&house.permit().await, house.user, &query).await.unwrap();
    assert_eq!(
        own.rows.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(),
        ["first admin", "laptop"]
    );
    let others = house.store.personal_tokens(&house.permit().await, other, &query).await;
    assert!(matches!(others, Err(StoreError::NotFound)), "{others:?}");

    let renamed =
        house.store.rename_personal_token(&permit, house.user, made.id, name("desk")).await;
    assert_eq!(renamed.unwrap().name.as_str(), "desk");
    let laptop: Permit<Write, domain::authz::OwnTokens> = house.permit_of(&next).await;
    house.store.revoke_personal_token(&permit, house.user, made.id).await.unwrap();
    assert!(house.caller(&next).await.is_none());
    let late = house.store.rename_personal_token(&laptop, house.user, made.id, name("late")).await;
    assert!(matches!(late, Err(StoreError::CredentialChanged)), "{late:?}");
    let gone = house.store.personal_token(&house.permit().await, house.user, made.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound)), "{gone:?}");
}

#[tokio::test]
async fn events_come_in_order_and_wake_whoever_waits() {
    let house = house().await;
    let waiting = house.store.event_appended();
    let seen = house.store.events_after(0).await.unwrap();
    let last = seen.last().unwrap().0;

    let (token, _) = house.token("nightly", vec![], 2).await;
    tokio::time::timeout(std::time::Duration::from_secs(5), waiting).await.expect("it is woken");
    house.revoke(token.id).await;

    let new = house.store.events_after(last).await.unwrap();
    let (created, revoked) =
        (Event::ServiceTokenCreated { id: token.id }, Event::ServiceTokenRevoked { id: token.id });
    assert_eq!(new, [(last + 1, created), (last + 2, revoked)]);
}

#[tokio::test]
async fn a_token_of_an_older_key_works_until_the_key_is_gone() {
    let house = house().await;
    let (_, old) = house.token("old", vec![], 2).await;
    let dir = house.store.data_dir().clone();
    house.store.close().await.unwrap();
    let file = fs::read_to_string(dir.keyring()).unwrap();
    let mut keyring: serde_json::Value = serde_json::from_str(&file).unwrap();
    let first = keyring["keys"][0].clone();
    let second = serde_json::json!({ "id": 2, "key": "ab".repeat(32) });
    keyring["keys"] = serde_json::json!([second, first]);
    fs::write(dir.keyring(), keyring.to_string()).unwrap();

    let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
    let store = Store::open(&dir, keyring, house.clock.clone()).await.unwrap();
    let house = common::House { store, ..house };
    let (_, new) = house.token("new", vec![], 3).await;

    assert!(house.caller(&old).await.is_some());
    assert!(house.caller(&new).await.is_some());
    let keys = "SELECT count(DISTINCT digest_key_id) FROM service_token_credentials";
    assert_eq!(number(&house.raw().await, keys).await, 2);
    assert!(house.records().await > 0);
}

#[tokio::test]
async fn the_server_answers_whether_its_database_does() {
    let house = house().await;
    assert!(house.store.ping().await.is_ok());
    house.store.close().await.unwrap();
    assert!(matches!(house.store.ping().await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn every_account_has_principals_for_our_own_tasks() {
    let house = house().await;
    account(&house.store, "Other", Plan::Team, "bob@example.com", 9).await;

    let runners = house.store.system_principals(SystemTask::Runner).await.unwrap();

    let accounts: Vec<_> = runners.iter().map(|runner| runner.account().get()).collect();
    assert_eq!(accounts, [1, 2]);
    assert!(runners.iter().all(|runner| runner.id() == PrincipalId::System(SystemTask::Runner)));
}

#[tokio::test]
async fn the_schema_is_the_one_in_the_golden_file() {
    let house = house().await;
    let db = house.raw().await;
    let sql = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
               ORDER BY tbl_name, type DESC, name";
    let rows = db.query_all_raw(sea_orm::Statement::from_string(db.get_database_backend(), sql));
    let schema: String = rows
        .await
        .unwrap()
        .iter()
        .map(|row| row.try_get_by_index::<String>(0).unwrap() + ";\n")
        .collect::<String>()
        .replace(", \"", ",\n  \"")
        .replace(", CONSTRAINT", ",\n  CONSTRAINT")
        .replace(", FOREIGN", ",\n  FOREIGN");

    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schema.sql");
    if std::env::var_os("NARROWGATE_BLESS").is_some() {
        fs::write(&golden, &schema).unwrap();
    }
    let expected = fs::read_to_string(&golden).unwrap();
    assert!(schema == expected, "the schema changed; NARROWGATE_BLESS=1 accepts it:\n{schema}");
}

#[tokio::test]
async fn an_account_that_cannot_be_made_leaves_nothing() {
    let house = house().await;
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON personal_tokens
                  BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    house.raw().await.execute_unprepared(refuse).await.unwrap();
    let new = NewAccount {
        name: Name::parse("Other").unwrap(),
        plan: Plan::Team,
        admin_email: Email::parse("bob@example.com").unwrap(),
    };

    let made = house.store.create_account(new, &secret(TokenKind::Personal, 9)).await;

    assert!(made.is_err());
    let db = house.raw().await;
    assert_eq!(number(&db, "SELECT count(*) FROM accounts").await, 1);
    assert_eq!(number(&db, "SELECT count(*) FROM users").await, 1);
}

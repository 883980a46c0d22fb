//! What opens a service token has a table of its own: a token is an identity with grants, and has
//! two credentials while it is rotated.
//!
//! A server of the version before finds no service token any more until it is replaced: it closes,
//! it does not open.

use sea_orm_migration::prelude::*;

use crate::dialect;

use super::{blob, id, index, int, maybe_int, maybe_text, references};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(credentials()).await?;
        manager.get_connection().execute_unprepared(dialect::MOVE_DIGESTS).await?;
        let table = "service_token_credentials";
        let digest = index(table, &["digest", "digest_key_id"]).unique().take();
        manager.create_index(digest).await?;
        manager.create_index(index(table, &["service_token_id", "id"])).await?;
        manager.drop_index(Index::drop().name("service_tokens_digest").to_owned()).await?;
        for column in ["digest", "digest_key_id", "expires_at"] {
            let mut alter = Table::alter();
            alter.table(Alias::new("service_tokens")).drop_column(Alias::new(column));
            manager.alter_table(alter).await?;
        }
        Ok(())
    }
}

fn credentials() -> TableCreateStatement {
    Table::create()
        .table(Alias::new("service_token_credentials"))
        .col(id("id"))
        .col(int("account_id"))
        .col(int("service_token_id"))
        .col(int("digest_key_id"))
        .col(blob("digest"))
        .col(int("created_at"))
        .col(maybe_int("expires_at"))
        .col(maybe_int("retires_at"))
        .col(maybe_int("retires_after"))
        .col(maybe_int("ended_at"))
        .col(maybe_int("first_used"))
        .col(maybe_int("last_used"))
        .col(maybe_text("last_address"))
        .col(maybe_text("last_agent"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("service_token_id", "service_tokens"))
        .take()
}

#[cfg(test)]
mod tests {
    use domain::{
        ServiceTokenId, Timestamp,
        authz::PrincipalId,
        secret::{TokenKind, TokenSecret},
    };
    use rand::{SeedableRng as _, rngs::StdRng};
    use sea_orm_migration::{
        MigratorTrait as _,
        sea_orm::{ConnectionTrait as _, Database, Statement},
    };

    use super::super::Migrator;
    use crate::{Clock, DataDir, Keyring, Store};

    /// How many migrations there are before this one.
    fn before() -> u32 {
        let all = Migrator::migrations();
        let this = all.iter().position(|one| one.name() == "m0070_token_credentials");
        u32::try_from(this.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_token_of_the_schema_before_works_after_it_and_ends_when_it_would_have() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
        let mint = |seed| TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(seed));
        let hex = |secret: &TokenSecret| {
            let digest = secret.digest(keyring.digest_key());
            digest.as_bytes().map(|byte| format!("{byte:02x}")).concat()
        };
        let (lasting, ending) = (mint(1), mint(2));
        let now = Timestamp::parse("2026-11-24T12:00:00Z").unwrap();
        let (made, end) = (now.plus_seconds(-60).micros(), now.plus_seconds(60).micros());
        {
            let db = format!("sqlite://{}?mode=rwc", dir.database().display());
            let db = Database::connect(db).await.unwrap();
            Migrator::up(&db, Some(before())).await.unwrap();
            let key = keyring.digest_key().id();
            let (lasting, ending) = (hex(&lasting), hex(&ending));
            let there = format!(
                "INSERT INTO accounts (id, name, plan, identifier, run_slots, tokens_may_mint,
                     created_at, updated_at) VALUES (1, 'Acme', 'team', 'act_1', 5, true, 7, 8);
                 INSERT INTO service_tokens VALUES
                     (1, 'u1', 1, 'lasting', 'active', NULL, NULL, NULL, {key}, x'{lasting}', 3,
                      {made}, {made}, 9),
                     (2, 'u2', 1, 'ending', 'active', {end}, NULL, NULL, {key}, x'{ending}', 1,
                      {made}, {made}, NULL),
                     (3, 'u3', 1, 'old', 'imported', NULL, NULL, NULL, NULL, NULL, 1, 5, 5, 6),
                     (4, 'u4', 1, 'gone', 'revoked', NULL, 7, 'user:1', NULL, NULL, 2, 5, 7, 6);
                 INSERT INTO service_token_permissions VALUES (1, 1, 'job_admin', NULL, '', 7);"
            );
            db.execute_unprepared(&there).await.unwrap();
        }

        let clock = Clock::fixed(now);
        let store = Store::open(&dir, keyring, clock.clone()).await.unwrap();

        let held = store.authenticate(&lasting).await.unwrap().expect("it works");
        assert_eq!(held.id(), PrincipalId::ServiceToken(ServiceTokenId::new(1).unwrap()));
        assert_eq!(held.grants().len(), 1);
        assert!(store.authenticate(&ending).await.unwrap().is_some());
        clock.set(now.plus_seconds(60));
        assert!(store.authenticate(&ending).await.unwrap().is_none());
        assert!(store.authenticate(&lasting).await.unwrap().is_some());
        let number = async |sql: &str| -> i64 {
            let sql = Statement::from_string(store.reader().get_database_backend(), sql);
            let row = store.reader().query_one_raw(sql).await.unwrap().unwrap();
            row.try_get_by_index(0).unwrap()
        };
        let credentials = "SELECT count(*) FROM service_token_credentials";
        assert_eq!(number(credentials).await, 2, "those without a secret have none");
        let used = "SELECT last_used FROM service_token_credentials WHERE id = 1";
        assert_eq!(number(used).await, 9);
        let left = "SELECT count(*) FROM pragma_table_info('service_tokens') WHERE name = 'digest'";
        assert_eq!(number(left).await, 0);
    }
}

//! Mails about tokens wait in the outbox, too, and are asked for by no row of `kept`.

use sea_orm_migration::prelude::*;

use super::{id, index, int, maybe_int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

const COLUMNS: [&str; 10] = [
    "id",
    "account_id",
    "word",
    "kept_id",
    "event_key",
    "event_type",
    "report",
    "tries",
    "due_at",
    "created_at",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(outbox("outbox_anew")).await?;
        let columns = || COLUMNS.map(Alias::new);
        let waiting = Query::select().columns(columns()).from(Alias::new("outbox")).take();
        let moved = Query::insert()
            .into_table(Alias::new("outbox_anew"))
            .columns(columns())
            .select_from(waiting)
            .map_err(|error| DbErr::Migration(error.to_string()))?
            .take();
        manager.execute(moved).await?;
        manager.drop_table(Table::drop().table(Alias::new("outbox")).take()).await?;
        let mut anew = Table::rename();
        manager
            .rename_table(anew.table(Alias::new("outbox_anew"), Alias::new("outbox")).take())
            .await?;
        let due = index("outbox", &["due_at", "account_id"]).name("outbox_due_at").take();
        manager.create_index(due).await?;
        manager.create_index(index("outbox", &["kept_id"])).await
    }
}

fn outbox(name: &str) -> TableCreateStatement {
    Table::create()
        .table(Alias::new(name))
        .col(id("id"))
        .col(int("account_id"))
        .col(text("word"))
        .col(maybe_int("kept_id"))
        .col(maybe_text("event_key"))
        .col(maybe_text("event_type"))
        .col(text("report"))
        .col(int("tries"))
        .col(int("due_at"))
        .col(int("created_at"))
        .foreign_key(&mut references("account_id", "accounts"))
        .foreign_key(&mut references("kept_id", "kept"))
        .take()
}

#[cfg(test)]
mod tests {
    use sea_orm_migration::{
        MigratorTrait as _,
        sea_orm::{ConnectionTrait as _, Database, Statement},
    };

    use super::super::Migrator;
    use crate::{Clock, DataDir, Keyring, Store};

    #[tokio::test]
    async fn what_waits_when_the_outbox_changes_is_still_sent() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
        let all = Migrator::migrations();
        let before = all.iter().position(|one| one.name() == "m0120_token_mails").unwrap();
        {
            let db = format!("sqlite://{}?mode=rwc", dir.database().display());
            let db = Database::connect(db).await.unwrap();
            Migrator::up(&db, Some(u32::try_from(before).unwrap())).await.unwrap();
            let there = "INSERT INTO accounts (id, name, plan, identifier, run_slots,
                     tokens_may_mint, created_at, updated_at)
                     VALUES (1, 'Acme', 'team', 'act_1', 5, true, 7, 8);
                 INSERT INTO kept VALUES (3, 1, NULL, 'webhook', 'wsu_1', '{}', NULL, 1, 7, 8);
                 INSERT INTO outbox VALUES
                     (5, 1, 'webhook', 3, 'wev_1', 'job.run.completed', '{}', 2, 9, 10);";
            db.execute_unprepared(there).await.unwrap();
        }

        let store = Store::open(&dir, keyring, Clock::System).await.unwrap();

        let sql = "SELECT group_concat(concat_ws(' ', id, account_id, word, kept_id, event_key,
                       event_type, report, tries, due_at, created_at)) FROM outbox";
        let sql = Statement::from_string(store.reader().get_database_backend(), sql);
        let row = store.reader().query_one_raw(sql).await.unwrap().unwrap();
        let waiting: String = row.try_get_by_index(0).unwrap();
        assert_eq!(waiting, "5 1 webhook 3 wev_1 job.run.completed {} 2 9 10");
    }
}

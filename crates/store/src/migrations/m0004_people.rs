//! People: what groups, licences and invitations need; and the built-in groups of accounts that
//! are there already.
//!
//! `state` is 1, or 2 once deleted or gone. A membership has an id of its own (`license_id`, the
//! documents' "permission") and the names that its account knows its user by; it stays when the
//! user leaves, for what points to it.

use domain::authz::{BuiltInGroup, catalogue};
use sea_orm_migration::{prelude::*, sea_orm::Statement};

use super::{blob, id, index, int, maybe_int, maybe_text, references, text};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, columns) in columns() {
            for column in columns {
                let mut alter = Table::alter();
                manager
                    .alter_table(alter.table(Alias::new(table)).add_column(column).take())
                    .await?;
            }
        }
        manager.create_table(invites()).await?;
        let db = manager.get_connection();
        for filling in FILLINGS {
            db.execute_unprepared(filling).await?;
        }
        for group in catalogue().built_in_groups() {
            found(db, group).await?;
        }
        for index in indexes() {
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// A column that older rows get this value in.
fn with_default(column: &mut ColumnDef, value: impl Into<SimpleExpr>) -> ColumnDef {
    column.default(value).take()
}

fn columns() -> Vec<(&'static str, Vec<ColumnDef>)> {
    let flag = |name: &str| super::flag(name).default(false).take();
    vec![
        (
            "accounts",
            vec![
                flag("locked"),
                with_default(&mut text("lock_reason"), ""),
                maybe_int("developer_seats"),
                maybe_int("analyst_seats"),
                maybe_int("read_only_seats"),
                maybe_int("it_seats"),
            ],
        ),
        (
            "memberships",
            vec![
                with_default(&mut int("license_id"), 0),
                with_default(&mut int("state"), 1),
                with_default(&mut text("first_name"), ""),
                with_default(&mut text("last_name"), ""),
                with_default(&mut int("updated_at"), 0),
            ],
        ),
        (
            "groups",
            vec![
                flag("assign_by_default"),
                with_default(&mut text("sso_mapping_groups"), "[]"),
                with_default(&mut int("state"), 1),
                with_default(&mut int("updated_at"), 0),
            ],
        ),
    ]
}

/// What the new columns hold in rows that were there.
const FILLINGS: [&str; 4] = [
    "UPDATE memberships SET updated_at = created_at",
    "UPDATE memberships SET (first_name, last_name) =
       (SELECT first_name, last_name FROM users WHERE users.id = memberships.user_id)",
    "UPDATE memberships SET license_id = (
       SELECT count(*) FROM memberships AS others
       WHERE (others.account_id, others.user_id)
          <= (memberships.account_id, memberships.user_id))",
    "UPDATE groups SET updated_at = created_at",
];

/// Gives each account a built-in group that it does not have, and the group its members: every
/// user, if it is one for every user.
async fn found(db: &SchemaManagerConnection<'_>, group: &BuiltInGroup) -> Result<(), DbErr> {
    let (name, default) = (group.name.clone(), group.assign_by_default);
    let run = async |sql: &str, values: Vec<Value>| {
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        db.execute_raw(statement).await
    };
    run(
        "INSERT INTO groups (account_id, name, created_at, assign_by_default, updated_at)
         SELECT id, ?, updated_at, ?, updated_at FROM accounts
         WHERE NOT EXISTS (SELECT 1 FROM groups WHERE account_id = accounts.id AND name = ?)",
        vec![name.clone().into(), default.into(), name.clone().into()],
    )
    .await?;
    for set in &group.sets {
        run(
            "INSERT INTO group_permissions
               (account_id, group_id, permission_set, project_id, categories, created_at)
             SELECT account_id, id, ?, NULL, '', updated_at FROM groups
             WHERE name = ? AND NOT EXISTS
               (SELECT 1 FROM group_permissions WHERE group_id = groups.id)",
            vec![set.key().into(), name.clone().into()],
        )
        .await?;
    }
    if default {
        run(
            "INSERT INTO group_members (group_id, user_id)
             SELECT groups.id, user_id FROM groups
             JOIN memberships ON memberships.account_id = groups.account_id
             WHERE name = ? AND assign_by_default AND NOT EXISTS
               (SELECT 1 FROM group_members AS held
                WHERE held.group_id = groups.id AND held.user_id = memberships.user_id)",
            vec![name.into()],
        )
        .await?;
    }
    Ok(())
}

fn invites() -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(Alias::new("invites"))
        .col(id("id"))
        .col(int("account_id"))
        .col(text("email"))
        .col(text("license"))
        .col(text("group_ids"))
        .col(text("invited_by"))
        .col(int("digest_key_id"))
        .col(blob("digest"))
        .col(int("expires_at"))
        .col(maybe_int("redeemed_at"))
        .col(maybe_int("redeemed_by"))
        .col(maybe_int("withdrawn_at"))
        .col(maybe_text("withdrawn_why"))
        .col(int("created_at"))
        .foreign_key(&mut references("account_id", "accounts"));
    table
}

fn indexes() -> Vec<IndexCreateStatement> {
    vec![
        index("memberships", &["license_id"]).unique().take(),
        index("memberships", &["user_id"]),
        index("invites", &["digest", "digest_key_id"]).unique().take(),
        index("invites", &["account_id", "email"]),
    ]
}

#[cfg(test)]
mod tests {
    use sea_orm_migration::{
        MigratorTrait as _,
        sea_orm::{ConnectionTrait as _, Database, DatabaseConnection, Statement},
    };

    use super::super::Migrator;

    async fn texts(db: &DatabaseConnection, sql: &str) -> Vec<String> {
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let rows = db.query_all_raw(statement).await.unwrap();
        rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
    }

    #[tokio::test]
    async fn an_account_that_is_there_gets_the_groups_that_it_lacks_and_its_users_a_licence_id() {
        let db = Database::connect("sqlite::memory:").await.unwrap();
        Migrator::up(&db, Some(3)).await.unwrap();
        let there = "
            INSERT INTO accounts VALUES (1, 'Acme', 'team', 'act_1', 5, true, 7, 8);
            INSERT INTO users VALUES (1, 'ada@example.com', 'Ada', 'Loader', 7);
            INSERT INTO users VALUES (2, 'bob@example.com', '', '', 7);
            INSERT INTO memberships VALUES (1, 1, 'developer', 1, 7), (1, 2, 'read_only', 1, 7);
            INSERT INTO groups VALUES (1, 1, 'Owner', 7);
            INSERT INTO group_members VALUES (1, 1);
            INSERT INTO group_permissions VALUES (1, 1, 1, 'account_admin', NULL, '', 7);";
        db.execute_unprepared(there).await.unwrap();

        Migrator::up(&db, None).await.unwrap();

        let groups = "SELECT name || ' ' || assign_by_default || ' ' || updated_at FROM groups";
        assert_eq!(texts(&db, groups).await, ["Owner 0 7", "Member 0 8", "Everyone 1 8"]);
        let given = "SELECT group_id || ' ' || permission_set FROM group_permissions ORDER BY id";
        assert_eq!(texts(&db, given).await, ["1 account_admin", "2 member"]);
        let members = "SELECT group_id || ' ' || user_id FROM group_members ORDER BY 1";
        assert_eq!(texts(&db, members).await, ["1 1", "3 1", "3 2"]);
        let licenses = "SELECT license_id || ' ' || first_name || ' ' || state FROM memberships";
        assert_eq!(texts(&db, licenses).await, ["1 Ada 1", "2  1"]);
    }
}

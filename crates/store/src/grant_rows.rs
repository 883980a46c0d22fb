//! Grants as rows: one permission set and project a row, for tokens and groups alike.

use std::collections::BTreeSet;

use domain::{
    ProjectId,
    authz::{Grant, Projects},
};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QuerySelect as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{StoreError, entities::project, groups, rows::ACTIVE, service_tokens, tx::Tx};

/// The columns of a permission row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct GrantKey {
    /// The permission set's key.
    pub set: String,
    /// `None` is all projects.
    pub project: Option<i64>,
    /// The wire's words, with commas between them.
    pub categories: String,
}

/// The rows of these grants, in their order: a grant on several projects is a row for each.
pub(crate) fn keys(grants: &[Grant]) -> Vec<GrantKey> {
    grants.iter().flat_map(rows).collect()
}

fn rows(grant: &Grant) -> Vec<GrantKey> {
    let row = |project: Option<ProjectId>| GrantKey {
        set: grant.permission_set().key().to_owned(),
        project: project.map(ProjectId::get),
        categories: grant.raised().words().join(","),
    };
    match grant.projects() {
        Projects::All => vec![row(None)],
        Projects::Only(projects) => projects.iter().map(|project| row(Some(*project))).collect(),
    }
}

impl GrantKey {
    /// What an audit record says of it.
    pub(crate) fn said(&self) -> Value {
        let words: Vec<_> = self.categories.split(',').filter(|word| !word.is_empty()).collect();
        json!({
            "permission_set": self.set,
            "project_id": self.project,
            "writable_environment_categories": words,
        })
    }
}

/// Whether no permission set stands twice on the same place; `field` is the list's.
pub(crate) fn check_no_row_twice(rows: &[GrantKey], field: &'static str) -> Result<(), StoreError> {
    let mut seen = BTreeSet::new();
    let Some(row) = rows.iter().find(|row| !seen.insert((&row.set, row.project))) else {
        return Ok(());
    };
    let place = row.project.map_or("all projects".to_owned(), |id| format!("project {id}"));
    let message = format!("grants `{}` on {place} twice", row.set);
    Err(StoreError::Invalid { field, message })
}

/// Whether each of these is on a project of the account.
pub(crate) async fn check_projects(tx: &Tx, grants: &[Grant]) -> Result<(), StoreError> {
    let named: BTreeSet<i64> = keys(grants).iter().filter_map(|row| row.project).collect();
    if named.is_empty() {
        return Ok(());
    }
    let found: Vec<i64> = project::Entity::find()
        .select_only()
        .column(project::Column::Id)
        .filter(project::Column::AccountId.eq(tx.account().get()))
        .filter(project::Column::State.eq(ACTIVE))
        .filter(project::Column::Id.is_in(named.iter().copied()))
        .into_tuple()
        .all(tx.db())
        .await
        .map_err(StoreError::db)?;
    let found = found.into_iter().collect();
    match named.difference(&found).next() {
        None => Ok(()),
        Some(id) => {
            let message = format!("`{id}` is no project of this account");
            Err(StoreError::Invalid { field: "project_id", message })
        }
    }
}

/// Takes a deleted project out of all grants, of service tokens and of groups, with their audit
/// records and events. What named only this project is left with nothing there, never with more.
pub(crate) async fn forget_project(tx: &mut Tx, project: ProjectId) -> Result<(), StoreError> {
    service_tokens::drop_grants_on(tx, project).await?;
    groups::drop_grants_on(tx, project).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{
        Name, Plan,
        authz::{Caller, License, Origin, Permit, PrincipalId, Read, ServiceTokens, authorize},
        secret::{TokenKind, TokenSecret},
        user::Email,
    };
    use rand::{SeedableRng as _, rngs::StdRng};
    use sea_orm::ConnectionTrait as _;

    use super::*;
    use crate::{Clock, DataDir, Keyring, NewAccount, NewServiceToken, Store};

    fn secret(kind: TokenKind) -> TokenSecret {
        TokenSecret::mint(kind, &mut StdRng::seed_from_u64(1))
    }

    fn everywhere(set: &str) -> Grant {
        Grant::new(set.parse().unwrap(), Projects::All).unwrap()
    }

    #[tokio::test]
    async fn a_deleted_project_leaves_every_grant_on_it_without_widening_any() {
        let folder = tempfile::TempDir::new().unwrap();
        let dir = DataDir::new(folder.path());
        let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
        let store = Store::open(&dir, keyring, Clock::System).await.unwrap();
        let admin_email = Email::parse("ada@example.com").unwrap();
        let new =
            NewAccount { name: Name::parse("Acme").unwrap(), plan: Plan::Enterprise, admin_email };
        let (service, personal) = (secret(TokenKind::Service), secret(TokenKind::Personal));
        let made = store.create_account(new, &personal).await.unwrap();
        let admin = store.authenticate(&personal).await.unwrap().unwrap();
        let admin = Arc::new(Caller::new(admin, Origin::local()));
        let grants = vec![everywhere("job_admin"), everywhere("job_viewer")];
        let new = NewServiceToken { name: Name::parse("nightly").unwrap(), grants, end: None };
        let permit = authorize(&admin, made.account.id).unwrap();
        let token = store.create_service_token(&permit, new, &service).await.unwrap();
        let bob = Email::parse("bob@example.com").unwrap();
        let grants = vec![everywhere("job_admin")];
        let bob = store.add_user(made.account.id, bob, License::Developer, grants).await.unwrap();

        // Job Admin is held to project 7 from here on.
        let write = store.write().await.unwrap();
        for table in ["service_token_permissions", "group_permissions"] {
            let sql =
                format!("UPDATE {table} SET project_id = 7 WHERE permission_set = 'job_admin'");
            write.1.execute_unprepared(&sql).await.unwrap();
        }
        let author = PrincipalId::User(made.admin.id);
        let mut tx = Tx::over(&store, write, made.account.id, author, Origin::local());
        forget_project(&mut tx, ProjectId::new(7).unwrap()).await.unwrap();
        tx.commit().await.unwrap();

        let held = store.authenticate(&service).await.unwrap().unwrap();
        assert_eq!(held.grants(), [everywhere("job_viewer")]);
        let read: Permit<Read, ServiceTokens> = authorize(&admin, made.account.id).unwrap();
        let after = store.service_token(&read, token.id).await.unwrap();
        assert_eq!(after.grants, token.grants[1..]);

        let records = store.audit_records(&permit.also().unwrap(), 0, 100).await.unwrap();
        let [.., of_token, of_group] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!(of_token.event, "service_token.project_deleted");
        assert_eq!(of_group.event, "group.project_deleted");
        let rows =
            "SELECT (SELECT count(*) FROM group_permissions WHERE permission_set = 'job_admin')
                         , (SELECT revision FROM memberships WHERE user_id = 2)
                         , (SELECT revision FROM service_tokens)";
        let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::Sqlite, rows);
        let row = store.reader().query_one_raw(statement).await.unwrap().unwrap();
        let row: (i64, i64, i64) = (
            row.try_get_by_index(0).unwrap(),
            row.try_get_by_index(1).unwrap(),
            row.try_get_by_index(2).unwrap(),
        );
        assert_eq!((row, bob.get()), ((0, 2, 2), 2));
    }
}

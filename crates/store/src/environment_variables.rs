//! Environment variables: many values of one name at once, and what of them a run is given. One
//! value at a time is kept as other nouns are (see [`crate::kept`]).

use std::collections::BTreeMap;

use domain::{
    EnvironmentId, JobId, ProjectId,
    authz::{CustomEnvVariables, Permit, Read, Write},
    environment::Environment,
    environment_variable::{EnvironmentVariable, Place, VariableName},
    job::Job,
    kept::{Hidden, Id, Kept},
    run::Run,
};
use sea_orm::{ColumnTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};

use crate::{
    Store, StoreError,
    entities::{
        environment,
        kept::{Column, Model},
    },
    jobs, kept, projects,
    rows::{self, ACTIVE, of_account},
    tx::Tx,
};

type Row = Kept<EnvironmentVariable>;

/// What becomes of a name's values in a project and its environments.
#[derive(Debug)]
pub struct VariableEdit {
    /// The name.
    pub name: VariableName,
    /// Whether it has to be there already, and what it is called from now on.
    pub change: VariableChange,
    /// Where (`project`, the name of an environment, or the id of a value) → the value; of `None`
    /// the value is deleted.
    pub values: Vec<(String, Option<Hidden>)>,
}

/// Whether a name is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableChange {
    /// It has to be new.
    Make,
    /// It has to be there.
    Keep,
    /// It has to be there, and is called this from now on.
    Rename(VariableName),
}

/// What an edit has made and deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EditedVariables {
    /// Values that were made.
    pub made: Vec<Id<EnvironmentVariable>>,
    /// Values that were deleted.
    pub deleted: Vec<Id<EnvironmentVariable>>,
}

impl Store {
    /// The environments that a project's variables may have values for, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Denied`], [`StoreError::Unavailable`].
    pub async fn environments_with_variables(
        &self,
        permit: &Permit<Read, CustomEnvVariables>,
        project: ProjectId,
    ) -> Result<Vec<Environment>, StoreError> {
        permit.within(project)?;
        let rows =
            of_account::<environment::Entity>(environment::Column::AccountId, permit.account())
                .filter(environment::Column::ProjectId.eq(project.get()))
                .filter(environment::Column::State.eq(ACTIVE))
                .order_by_asc(environment::Column::Id)
                .all(self.reader())
                .await
                .map_err(StoreError::db)?;
        rows.into_iter().map(environment::Model::into_domain).collect()
    }

    /// The environment of a job of the project: its values bear on the job.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] (no such job in the project), [`StoreError::Denied`],
    /// [`StoreError::Unavailable`].
    pub async fn environment_of_job(
        &self,
        permit: &Permit<Read, CustomEnvVariables>,
        project: ProjectId,
        job: JobId,
    ) -> Result<EnvironmentId, StoreError> {
        permit.within(project)?;
        let found = jobs::find(self.reader(), permit.account(), job).await;
        let here = |job: &Job| job.spec.project == project;
        Ok(rows::named(found, here, ("job_definition_id", "job"))?.spec.environment)
    }

    /// Edits many values at once: all of them, or none.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] or [`StoreError::Denied`] (the project),
    /// [`StoreError::Invalid`] (a name that is there already or is not there, a place that is not
    /// there, a value that cannot be), [`StoreError::CredentialChanged`],
    /// [`StoreError::Unavailable`].
    pub async fn edit_environment_variables(
        &self,
        permit: &Permit<Write, CustomEnvVariables>,
        project: ProjectId,
        edits: Vec<VariableEdit>,
    ) -> Result<EditedVariables, StoreError> {
        let mut tx = self.begin(permit).await?;
        permit.within(project)?;
        projects::find(tx.db(), tx.account(), project).await?;
        let mut done = EditedVariables::default();
        for edit in edits {
            self::edit(&mut tx, (permit, project), edit, &mut done).await?;
        }
        // An edit that changes nothing records nothing.
        tx.commit_unrecorded().await?;
        Ok(done)
    }

    /// Deletes a variable: its values in every place.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] (no such variable), [`StoreError::Denied`],
    /// [`StoreError::CredentialChanged`], [`StoreError::Unavailable`].
    pub async fn delete_environment_variable(
        &self,
        permit: &Permit<Write, CustomEnvVariables>,
        project: ProjectId,
        name: &VariableName,
    ) -> Result<Vec<Id<EnvironmentVariable>>, StoreError> {
        let mut tx = self.begin(permit).await?;
        permit.within(project)?;
        let rows = named(&tx, project, name).await?;
        if rows.is_empty() {
            return Err(StoreError::NotFound);
        }
        let mut ids = Vec::with_capacity(rows.len());
        for row in rows {
            ids.push(kept::remove(&mut tx, row).await?.id);
        }
        tx.commit().await?;
        Ok(ids)
    }
}

async fn edit(
    tx: &mut Tx,
    (permit, project): (&Permit<Write, CustomEnvVariables>, ProjectId),
    edit: VariableEdit,
    done: &mut EditedVariables,
) -> Result<(), StoreError> {
    let mut rows = named(tx, project, &edit.name).await?;
    let mut name = edit.name;
    match edit.change {
        VariableChange::Make if !rows.is_empty() => {
            return Err(invalid("new_name", "is that of another variable of the project already"));
        }
        VariableChange::Keep | VariableChange::Rename(_) if rows.is_empty() => {
            return Err(invalid("name", "does not name a variable of the project"));
        }
        VariableChange::Rename(to) if to != name => {
            rename(tx, &mut rows, &to).await?;
            name = to;
        }
        VariableChange::Make | VariableChange::Keep | VariableChange::Rename(_) => {}
    }
    for (key, value) in edit.values {
        let place = place(tx, project, &rows, &key).await?;
        let row = rows.iter().find(|row| row.spec.place == place).cloned();
        let Some(value) = value else {
            if let Some(row) = row {
                rows.retain(|other| other.id != row.id);
                done.deleted.push(kept::remove(tx, row).await?.id);
            }
            continue;
        };
        let made = EnvironmentVariable::new(name.clone(), place, value);
        let (spec, secret) =
            made.map_err(|wrong| invalid("env_var", &format!("`{}`: {wrong}", short(&key))))?;
        if let Some(row) = row {
            kept::change(tx, row, spec, secret).await?;
        } else {
            let row = kept::insert(tx, permit, Some(project), spec, secret).await?;
            done.made.push(row.id);
            rows.push(row);
        }
    }
    Ok(())
}

/// Gives all values of a variable another name; whether it is a secret stays.
async fn rename(tx: &mut Tx, rows: &mut [Row], to: &VariableName) -> Result<(), StoreError> {
    for row in rows {
        if row.spec.name.is_secret() != to.is_secret() {
            let message =
                "has to stay a secret, or stay none: delete the variable and make another";
            return Err(invalid("new_name", message));
        }
        let spec = EnvironmentVariable { name: to.clone(), ..row.spec.clone() };
        let renamed = kept::change(tx, row.clone(), spec, None).await;
        *row = renamed.map_err(|error| match error {
            StoreError::Invalid { message, .. } => {
                StoreError::Invalid { field: "new_name", message }
            }
            other => other,
        })?;
    }
    Ok(())
}

/// Where a key of an edit points.
async fn place(tx: &Tx, project: ProjectId, rows: &[Row], key: &str) -> Result<Place, StoreError> {
    if key == "project" {
        return Ok(Place::Project);
    }
    let environments: Vec<i64> =
        of_account::<environment::Entity>(environment::Column::AccountId, tx.account())
            .filter(environment::Column::ProjectId.eq(project.get()))
            .filter(environment::Column::Name.eq(key))
            .filter(environment::Column::State.eq(ACTIVE))
            .select_only()
            .column(environment::Column::Id)
            .into_tuple()
            .all(tx.db())
            .await
            .map_err(StoreError::db)?;
    let by_id = rows.iter().find(|row| row.id.to_string() == key);
    match (environments.as_slice(), by_id) {
        ([id], _) => {
            let environment_id = (*id).try_into().map_err(StoreError::corrupt)?;
            Ok(Place::Environment { environment_id })
        }
        ([], Some(row)) => Ok(row.spec.place),
        ([], None) => {
            let message = format!("`{}` does not name an environment of the project", short(key));
            Err(invalid("env_var", &message))
        }
        _ => {
            let message = format!("`{}` names several environments: say its id", short(key));
            Err(invalid("env_var", &message))
        }
    }
}

/// What a run is given: of each variable the job's value, else the environment's, else the
/// project's.
pub(crate) async fn of_run(
    store: &Store,
    tx: &Tx,
    run: &Run,
) -> Result<BTreeMap<VariableName, Hidden>, StoreError> {
    let rows = of_project(tx, run.project).await?;
    let mut chosen: BTreeMap<VariableName, (u8, Row)> = BTreeMap::new();
    for row in rows {
        let row: Row = row.into_domain()?;
        let rank = match row.spec.place {
            Place::Project => 1,
            Place::Environment { environment_id } if environment_id == run.environment => 2,
            Place::Job { job_definition_id } if job_definition_id == run.job => 3,
            Place::Environment { .. } | Place::Job { .. } | Place::User { .. } => continue,
        };
        let better = chosen.get(&row.spec.name).is_none_or(|(held, _)| *held < rank);
        if better {
            chosen.insert(row.spec.name.clone(), (rank, row));
        }
    }
    let mut values = BTreeMap::new();
    for (name, (_, row)) in chosen {
        let value = match &row.spec.value {
            Some(value) => Some(Hidden::new(value.as_str().to_owned())),
            None => kept::secret_of(store, tx.db(), row.id).await?,
        };
        values.extend(value.map(|value| (name, value)));
    }
    Ok(values)
}

/// The values of a variable, in every place.
async fn named(tx: &Tx, project: ProjectId, name: &VariableName) -> Result<Vec<Row>, StoreError> {
    let rows = of_project(tx, project).await?.into_iter().map(Model::into_domain);
    let rows = rows.collect::<Result<Vec<Row>, _>>()?;
    Ok(rows.into_iter().filter(|row| row.spec.name == *name).collect())
}

async fn of_project(tx: &Tx, project: ProjectId) -> Result<Vec<Model>, StoreError> {
    kept::of_account::<EnvironmentVariable>(tx.account())
        .filter(Column::ProjectId.eq(project.get()))
        .filter(Column::State.eq(ACTIVE))
        .order_by_asc(Column::Id)
        .all(tx.db())
        .await
        .map_err(StoreError::db)
}

fn invalid(field: &'static str, message: &str) -> StoreError {
    StoreError::Invalid { field, message: message.to_owned() }
}

/// What of a caller's text is worth repeating.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

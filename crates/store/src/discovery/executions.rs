//! Rows of executions, and what they mean.

use std::{collections::HashMap, sync::Arc};

use domain::{
    JobId, RunId,
    artifact::{NodeResult, Period, Status, Text},
    discovery::{Execution, Invocation},
    run::Run,
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _,
};

use crate::{
    StoreError,
    entities::{
        folded_step, maybe_time,
        node_execution::{ActiveModel, Model},
    },
};

/// Seconds as whole microseconds, so that each comes back as it was.
#[expect(clippy::cast_possible_truncation, reason = "300,000 years in microseconds fit")]
pub(super) fn micros(seconds: Option<f64>) -> Option<i64> {
    seconds.filter(|seconds| seconds.is_finite()).map(|seconds| (seconds * 1e6).round() as i64)
}

#[expect(clippy::cast_precision_loss, reason = "exact to 285 years")]
fn seconds(micros: Option<i64>) -> Option<f64> {
    micros.map(|micros| micros as f64 / 1e6)
}

/// The row of a result.
pub(super) fn row(run: &Run, step: u32, now: i64, result: &NodeResult) -> ActiveModel {
    let text = |text: &Option<Text>| text.as_ref().map(|text| text.as_str().to_owned());
    let at = |time: Option<domain::Timestamp>| time.map(domain::Timestamp::micros);
    let (compile, execute) = (result.compile(), result.execute());
    ActiveModel {
        account_id: Set(run.account.get()),
        environment_id: Set(run.environment.get()),
        job_id: Set(run.job.get()),
        run_id: Set(run.id.get()),
        step: Set(step.into()),
        unique_id: Set(result.unique_id.as_str().to_owned()),
        status: Set(result.status.word().to_owned()),
        message: Set(text(&result.message)),
        failures: Set(result.failures),
        execution_micros: Set(micros(result.execution_time)),
        thread_id: Set(text(&result.thread_id)),
        compile_started_at: Set(at(compile.started_at)),
        compile_completed_at: Set(at(compile.completed_at)),
        execute_started_at: Set(at(execute.started_at)),
        execute_completed_at: Set(at(execute.completed_at)),
        created_at: Set(now),
        ..Default::default()
    }
}

/// What the results of these runs say of the calls of dbt, by run and step.
pub(super) struct Invocations(HashMap<(i64, i64), Arc<Invocation>>);

impl Invocations {
    /// Reads those of the steps that the rows are of.
    pub(super) async fn of(db: &impl ConnectionTrait, rows: &[Model]) -> Result<Self, StoreError> {
        let jobs: HashMap<i64, i64> = rows.iter().map(|row| (row.run_id, row.job_id)).collect();
        let steps = folded_step::Entity::find()
            .filter(folded_step::Column::RunId.is_in(jobs.keys().copied()))
            .all(db)
            .await
            .map_err(StoreError::db)?;
        let of = |step: folded_step::Model| {
            let job = jobs.get(&step.run_id).copied().unwrap_or_default();
            let invocation = Invocation {
                run: RunId::new(step.run_id).map_err(StoreError::corrupt)?,
                job: JobId::new(job).map_err(StoreError::corrupt)?,
                step: u32::try_from(step.step).map_err(StoreError::corrupt)?,
                generated_at: maybe_time(step.generated_at)?,
                elapsed_time: seconds(step.elapsed_micros),
                invocation_id: step.invocation_id.as_deref().map(Text::from),
            };
            Ok(((step.run_id, step.step), Arc::new(invocation)))
        };
        steps.into_iter().map(of).collect::<Result<_, StoreError>>().map(Self)
    }

    /// What a row means; the code is not in it.
    pub(super) fn execution(&self, row: &Model) -> Result<Execution, StoreError> {
        let of = self.0.get(&(row.run_id, row.step)).ok_or_else(|| {
            StoreError::Corrupt(format!("execution {} is of no folded step", row.id))
        })?;
        let status = Status::from_word(&row.status).ok_or_else(|| {
            StoreError::Corrupt(format!("execution {} has the status {}", row.id, row.status))
        })?;
        let period = |started_at, completed_at| {
            Ok::<_, StoreError>(Period {
                started_at: maybe_time(started_at)?,
                completed_at: maybe_time(completed_at)?,
            })
        };
        Ok(Execution {
            of: Arc::clone(of),
            status,
            message: row.message.as_deref().map(Text::from),
            failures: row.failures,
            execution_time: seconds(row.execution_micros),
            thread_id: row.thread_id.as_deref().map(Text::from),
            compile: period(row.compile_started_at, row.compile_completed_at)?,
            execute: period(row.execute_started_at, row.execute_completed_at)?,
            compiled_code: None,
            last_success: status.is_success().then_some((of.run, of.job)),
        })
    }
}

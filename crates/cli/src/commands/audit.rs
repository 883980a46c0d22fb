//! `narrowgate audit verify`: is every account's chain of audit records whole?

use std::{process::ExitCode, sync::Arc};

use domain::authz::{AuditLogs, Caller, Origin, Permit, Read, SystemTask, authorize};
use serde_json::json;
use store::AuditError;

use super::open_existing;
use crate::{
    args::{AuditCommand, AuditVerifyArgs},
    error::CliError,
    output,
};

pub(super) async fn run(command: AuditCommand) -> Result<ExitCode, CliError> {
    match command {
        AuditCommand::Verify(args) => verify(&args).await,
    }
}

async fn verify(args: &AuditVerifyArgs) -> Result<ExitCode, CliError> {
    let store = open_existing(&args.data).await?;
    let auditors = store.system_principals(SystemTask::Auditor).await?;
    let auditors = auditors
        .into_iter()
        .filter(|one| args.account.is_none_or(|account| account == one.account()));
    let mut found = Vec::new();
    for auditor in auditors {
        let account = auditor.account();
        let caller = Arc::new(Caller::new(auditor, Origin::local()));
        let permit: Permit<Read, AuditLogs> =
            authorize(&caller, account).map_err(CliError::other)?;
        match store.verify_audit(&permit).await {
            Ok(records) => found.push((account, Ok(records))),
            Err(AuditError::Broken(broken)) => found.push((account, Err(broken.to_string()))),
            Err(AuditError::Store(error)) => return Err(error.into()),
        }
    }
    if found.is_empty() {
        return Err(CliError::Other("there is no such account here".to_owned()));
    }
    let whole = found.iter().all(|(_, result)| result.is_ok());
    if args.json {
        let rows: Vec<_> = found
            .iter()
            .map(|(account, result)| {
                json!({
                    "account_id": account,
                    "whole": result.is_ok(),
                    "records": result.as_ref().ok(),
                    "broken": result.as_ref().err(),
                })
            })
            .collect();
        output::json(&rows)?;
    } else {
        for (account, result) in &found {
            output::line(match result {
                Ok(records) => format!("account {account}: {records} records, the chain is whole"),
                Err(broken) => format!("account {account}: BROKEN: {broken}"),
            });
        }
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

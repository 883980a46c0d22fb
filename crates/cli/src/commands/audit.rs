//! `narrowgate audit verify`: is every account's chain of audit records whole?

use std::{io::BufRead as _, path::Path, process::ExitCode, sync::Arc};

use domain::{
    AccountId,
    audit::{ChainWalk, ExportHead, ExportLine},
    authz::{AuditLogs, Caller, Origin, Permit, Read, SystemTask, authorize},
};
use serde_json::json;
use store::AuditError;

use super::open_existing;
use crate::{
    args::{AuditCommand, AuditVerifyArgs, DataDirArgs},
    error::CliError,
    output,
};

pub(super) async fn run(command: AuditCommand) -> Result<ExitCode, CliError> {
    match command {
        AuditCommand::Verify(args) => verify(&args).await,
    }
}

async fn verify(args: &AuditVerifyArgs) -> Result<ExitCode, CliError> {
    let found = match &args.file {
        Some(file) => vec![verify_file(file)?],
        None => verify_store(args).await?,
    };
    tell(&found, args.json)
}

/// The chain of an account: how many records, or what is broken.
type Verified = (AccountId, Result<i64, String>);

async fn verify_store(args: &AuditVerifyArgs) -> Result<Vec<Verified>, CliError> {
    let data_dir = args.data_dir.clone().unwrap_or_default();
    let data = DataDirArgs { data_dir, keyring: args.keyring.clone() };
    let store = open_existing(&data).await?;
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
    Ok(found)
}

/// Walks an export as an outsider can: it needs neither the server nor its keys.
fn verify_file(path: &Path) -> Result<Verified, CliError> {
    let unreadable = |reason: &dyn std::fmt::Display| {
        CliError::Other(format!("`{}` is no export of an audit log: {reason}", path.display()))
    };
    let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
    let mut lines = std::io::BufReader::new(file).lines();
    let first = lines.next().ok_or_else(|| unreadable(&"it is empty"))?;
    let first = first.map_err(|error| unreadable(&error))?;
    let head: ExportHead = serde_json::from_str(&first).map_err(|error| unreadable(&error))?;
    let mut walk = ChainWalk::new(head.account);
    for line in lines {
        let line = line.map_err(|error| unreadable(&error))?;
        let line: ExportLine = serde_json::from_str(&line).map_err(|error| unreadable(&error))?;
        if let Err(broken) = walk.step(&line.record, line.hash) {
            return Ok((head.account, Err(broken.to_string())));
        }
    }
    let ended = walk.end(head.records, head.last_hash);
    Ok((head.account, ended.map_err(|broken| broken.to_string())))
}

fn tell(found: &[Verified], json: bool) -> Result<ExitCode, CliError> {
    let whole = found.iter().all(|(_, result)| result.is_ok());
    if json {
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
        for (account, result) in found {
            output::line(match result {
                Ok(records) => format!("account {account}: {records} records, the chain is whole"),
                Err(broken) => format!("account {account}: BROKEN: {broken}"),
            });
        }
    }
    Ok(if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

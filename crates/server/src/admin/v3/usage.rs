//! Usage and billing: additions of ours.

use axum::extract::State;
use domain::authz::{Permit, Read, Write, kinds::Billing as BillingKind};
use wire::v3::{Billing, BillingBody, Usage, usage_months, wants_csv};

use super::same_account;
use crate::{
    answer::{Download, Either, Object},
    app::App,
    csv,
    error::ApiError,
    extract::{Body, Query},
};

/// `GET /api/v3/accounts/{account_id}/usage/?from=2026-01&to=2026-12&format=csv`
pub(crate) async fn show(
    permit: Permit<Read, BillingKind>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Either<Object<Usage>, Download>, ApiError> {
    let (months, table) = (usage_months(&params)?, wants_csv(&params)?);
    let rows = app.store.usage(&permit, &months).await?;
    let seats = app.store.billing(&permit).await?.seats;
    let usage = Usage::new(permit.account(), rows, &seats);
    Ok(if table { Either::Other(usage_table(&usage)) } else { Either::One(Object(usage)) })
}

/// `GET /api/v3/accounts/{account_id}/billing/?format=csv`
pub(crate) async fn billing(
    permit: Permit<Read, BillingKind>,
    State(app): State<App>,
    Query(params): Query,
) -> Result<Either<Object<Billing>, Download>, ApiError> {
    let table = wants_csv(&params)?;
    let billing = Billing::new(permit.account(), app.store.billing(&permit).await?);
    Ok(if table { Either::Other(billing_table(&billing)) } else { Either::One(Object(billing)) })
}

/// `PUT` or `POST /api/v3/accounts/{account_id}/billing/`
pub(crate) async fn update_billing(
    permit: Permit<Write, BillingKind>,
    State(app): State<App>,
    Body(body): Body<BillingBody>,
) -> Result<Object<Billing>, ApiError> {
    same_account(&permit, &body.account_id)?;
    let billing = app.store.update_billing(&permit, body.email()?).await?;
    Ok(Object(Billing::new(permit.account(), billing)))
}

fn usage_table(usage: &Usage) -> Download {
    let head = ["month", "project_id", "project_name", "runs", "run_minutes", "models_built"];
    let rows = usage.rows.iter().map(|row| {
        csv::line([
            row.month.clone(),
            row.project_id.to_string(),
            row.project_name.clone(),
            row.runs.to_string(),
            row.run_minutes.to_string(),
            row.models_built.to_string(),
        ])
    });
    table("usage.csv", std::iter::once(csv::line(head)).chain(rows))
}

fn billing_table(billing: &Billing) -> Download {
    let head = csv::line(["plan", "billing_email", "license", "seats"]);
    let rows = billing.seats.iter().map(|(license, seats)| {
        let email = billing.billing_email.as_deref().unwrap_or_default();
        csv::line([&billing.plan, email, license, &seats.to_string()])
    });
    table("billing.csv", std::iter::once(head).chain(rows))
}

fn table(name: &str, lines: impl Iterator<Item = String>) -> Download {
    Download {
        content: lines.collect::<String>().into(),
        content_type: "text/csv; charset=utf-8",
        name: name.to_owned(),
    }
}

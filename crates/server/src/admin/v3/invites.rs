//! Invitations: sending them, and accepting one.

use axum::extract::State;
use domain::{
    authz::{Invitations, Permit, Write},
    invite::Invite,
    secret::{TokenKind, TokenSecret},
};
use store::{NamesChange, NewInvites, StoreError};
use wire::{
    v2::User,
    v3::{
        AcceptInviteBody, InviteAccepted, InviteLink, InvitesBody, InvitesSent,
        PersonalTokenWithSecret,
    },
};

use crate::{
    answer::Created,
    app::{App, mint},
    error::ApiError,
    extract::{Body, FromWhere},
};

/// `POST /api/v3/accounts/{account_id}/invites/`
///
/// The only answer that ever carries a link, and only one that no mail carries.
pub(crate) async fn create(
    permit: Permit<Write, Invitations>,
    State(app): State<App>,
    Body(body): Body<InvitesBody>,
) -> Result<Created<InvitesSent>, ApiError> {
    let (emails, license, groups) = body.read()?;
    let secrets: Vec<_> = emails.iter().map(|_| mint(TokenKind::Invitation)).collect();
    let new = NewInvites { emails, license, groups };
    let invites = app.store.send_invites(&permit, new, &secrets).await?;
    let sent = invites.iter().map(|invite| invite.email.as_str().to_owned()).collect();
    // Side by side: a slow mail server is waited for once, not once for each.
    let links = invites.into_iter().zip(&secrets).map(|(invite, secret)| {
        let (app, link) = (app.clone(), link(&app, secret));
        tokio::spawn(
            async move { (!mailed(&app, &invite, &link).await).then(|| told(&invite, link)) },
        )
    });
    let mut left = Vec::new();
    for link in links.collect::<Vec<_>>() {
        left.extend(link.await.map_err(|_| ApiError::Internal)?);
    }
    Ok(Created(InvitesSent { sent, links: left }))
}

/// `POST /api/v3/invites/accept/`: public; the secret of the link is the proof.
///
/// The only answer that ever carries the secret of the user's first personal token. A wrong secret
/// counts like a wrong token.
pub(crate) async fn accept(
    State(app): State<App>,
    FromWhere(origin): FromWhere,
    Body(body): Body<AcceptInviteBody>,
) -> Result<Created<InviteAccepted>, ApiError> {
    let (secret, (first_name, last_name)) = body.read()?;
    let (address, now) = (origin.address, app.store.clock().now());
    app.failures.admit(address, Some(&secret), now)?;
    let personal = mint(TokenKind::Personal);
    let names = NamesChange { first_name, last_name };
    let accepted = app.store.accept_invite(&secret, &personal, names, origin).await;
    if matches!(accepted, Err(StoreError::Invalid { field: "token", .. })) {
        app.failures.failed(address, Some(&secret), now);
    }
    let (user, token) = accepted?;
    Ok(Created(InviteAccepted {
        account_id: token.account.get(),
        user: User::new(token.account, &user),
        personal_token: PersonalTokenWithSecret::new(&token, &personal),
    }))
}

/// The secret stands behind the `#`, which no browser sends and no server logs.
fn link(app: &App, secret: &TokenSecret) -> String {
    format!("{}/invites/accept#{}", app.public_url, secret.reveal())
}

fn told(invite: &Invite, link: String) -> InviteLink {
    let email_address = invite.email.as_str().to_owned();
    InviteLink { email_address, link, expires_at: invite.expires_at.to_string() }
}

/// Whether a mail carries the link.
async fn mailed(app: &App, invite: &Invite, link: &str) -> bool {
    let Some(mailer) = &app.mailer else { return false };
    match mailer.invite(&invite.email, link, invite.expires_at).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(invite = %invite.id, %error, "an invitation was not mailed");
            false
        }
    }
}

//! Maker × permission set × action: nobody gets more out of a token than they hold, or it held before.
//! SECURITY line 18.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what fails here is a failed test"
)]

mod common;

use std::collections::BTreeSet;

use common::{House, everywhere, house, name, noon, secret};
use domain::{
    Plan,
    authz::{
        Action, Decision, Grant, License, PermissionSet, Permit, Principal, Restrictions, Scope,
        ServiceTokens, SystemTask, Write, decide,
    },
    ip_restriction::Cidr,
    networks::Networks,
    secret::{TokenKind, TokenSecret},
    service_token::ServiceToken,
    token_policy::TokenPolicy,
    token_proposal::Widening,
    token_rotation::Rotation,
};
use store::{ImportedToken, NewServiceToken, StoreError};

/// Who makes and changes tokens. Whoever may by a permission set holds every other set, too; they
/// differ in what they are held to, and the importer holds next to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Maker {
    Admin,
    Token,
    HeldToken,
    Importer,
}

/// What is done with a token.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Mint,
    Edit,
    Loosen,
    Rotate,
    Copy,
    Import,
}

const MAKERS: [Maker; 4] = [Maker::Admin, Maker::Token, Maker::HeldToken, Maker::Importer];
const DEEDS: [Deed; 6] =
    [Deed::Mint, Deed::Edit, Deed::Loosen, Deed::Rotate, Deed::Copy, Deed::Import];

fn from(network: &str) -> Restrictions {
    let networks = Networks::new(vec![Cidr::parse(network).unwrap()]);
    Restrictions { addresses: Some(networks), ..Restrictions::default() }
}

/// What may be done where, and what it is held to.
struct Reach(Principal);

impl Reach {
    async fn of(house: &House, secret: &TokenSecret) -> Self {
        Self(house.caller(secret).await.unwrap().principal().clone())
    }

    fn scope(&self, action: Action) -> Scope {
        match decide(&self.0, action) {
            Decision::Allow(scope) => scope,
            Decision::Deny => Scope::nowhere(),
        }
    }

    /// This is no more than the others have together, under the restrictions of one.
    fn must_be_within(&self, others: &[&Self], what: &str) {
        for action in Action::all() {
            let held = others.iter().map(|other| other.scope(action));
            let held = held.fold(Scope::nowhere(), Scope::union);
            assert!(held.contains(&self.scope(action)), "{what} gained {action}");
        }
        let (ours, mut others) = (self.0.restrictions(), others.iter());
        assert!(others.any(|other| ours.within(other.0.restrictions())), "{what} was loosened");
    }
}

struct Bench {
    house: House,
    makers: Vec<(Maker, Permit<Write, ServiceTokens>, Reach)>,
    seed: u64,
}

impl Bench {
    async fn new() -> Self {
        let house = house().await;
        let (_, token) = house.token("maker", vec![everywhere("account_admin")], 2).await;
        let held = secret(TokenKind::Service, 3);
        let new = NewServiceToken {
            name: name("held"),
            grants: vec![everywhere("account_admin")],
            end: None,
        };
        let to = (from("192.0.2.0/24"), true);
        house.store.create_restricted_token(&house.permit().await, new, to, &held).await.unwrap();
        let mut makers = Vec::new();
        for (maker, secret) in
            [(Maker::Admin, &house.secret), (Maker::Token, &token), (Maker::HeldToken, &held)]
        {
            let reach = Reach::of(&house, secret).await;
            makers.push((maker, house.permit_of(secret).await, reach));
        }
        let importer: Permit<Write, ServiceTokens> = house.task(SystemTask::Importer).await;
        let reach = Reach(importer.principal().clone());
        makers.push((Maker::Importer, importer, reach));
        Self { house, makers, seed: 10 }
    }

    fn mint(&mut self) -> TokenSecret {
        self.seed += 1;
        secret(TokenKind::Service, self.seed)
    }

    /// A token with this grant that the admin made, held to a network.
    async fn there(&mut self, grant: &Grant) -> (ServiceToken, TokenSecret) {
        let secret = self.mint();
        let new = NewServiceToken { name: name("there"), grants: vec![grant.clone()], end: None };
        let permit = self.house.permit().await;
        let to = (from("198.51.100.0/24"), true);
        let made = self.house.store.create_restricted_token(&permit, new, to, &secret).await;
        (made.unwrap(), secret)
    }

    /// Does it; if it was done, the token has no more than it had, or than its maker has.
    async fn try_out(&mut self, maker: usize, deed: Deed, grant: &Grant) -> bool {
        let (viewer, fresh) = (everywhere("job_viewer"), self.mint());
        let copied = matches!(deed, Deed::Copy | Deed::Rotate);
        let (token, opens) = self.there(if copied { grant } else { &viewer }).await;
        let before = Reach::of(&self.house, &opens).await;
        let (who, permit, held) = &self.makers[maker];
        let what = format!("{deed:?} of {grant:?} by {who:?}");
        let store = &self.house.store;
        let new = |grants| NewServiceToken { name: name("new"), grants, end: None };
        let grants = vec![grant.clone()];
        // The secret that opens what was made or changed, and whether it was there before.
        let done: Result<(TokenSecret, bool), StoreError> = match deed {
            Deed::Mint => {
                let made = store.create_service_token(permit, new(grants), &fresh).await;
                made.map(|_| (fresh, false))
            }
            Deed::Copy => {
                let to = (Restrictions::default(), true);
                let made = store.create_restricted_token(permit, new(token.granted()), to, &fresh);
                made.await.map(|_| (fresh, false))
            }
            Deed::Edit => {
                store.replace_grants(permit, token.id, grants).await.map(|_| (opens, true))
            }
            Deed::Loosen => {
                let none = Restrictions::default();
                let loosened = store.replace_token_restrictions(permit, token.id, none, true).await;
                loosened.map(|_| (opens, true))
            }
            Deed::Rotate => {
                let how = Rotation { overlap_minutes: Some(0), minutes_after_first_use: None };
                let rotated = store.rotate_service_token(permit, token.id, how, fresh, None).await;
                rotated.map(|rotated| (rotated.secret, true))
            }
            Deed::Import => {
                let imported = ImportedToken {
                    name: name("old"),
                    grants,
                    created_at: noon(),
                    last_used: None,
                };
                match store.import_service_tokens(permit, vec![imported]).await {
                    Ok(made) => {
                        let how = Rotation::default();
                        let id = made[0].id;
                        let rotated =
                            store.rotate_service_token(permit, id, how, fresh, None).await;
                        rotated.map(|rotated| (rotated.secret, false))
                    }
                    Err(error) => Err(error),
                }
            }
        };
        match done {
            Ok((secret, was_there)) => {
                let after = Reach::of(&self.house, &secret).await;
                let others: &[&Reach] = if was_there { &[&before, held] } else { &[held] };
                after.must_be_within(others, &what);
                true
            }
            Err(StoreError::Exceeds(_)) => false,
            Err(other) => panic!("{what}: {other}"),
        }
    }
}

/// Every set that Enterprise offers, with each maker and each deed, on all projects.
#[tokio::test]
async fn no_deed_of_any_maker_with_any_set_gives_a_token_more_than_its_maker_holds() {
    let mut bench = Bench::new().await;
    let sets = PermissionSet::all().map(|set| everywhere(set.key()));
    let sets: Vec<_> = sets.filter(|set| set.offered_by(Some(Plan::Enterprise)).is_ok()).collect();
    let (mut done, mut refused) = (BTreeSet::new(), 0);
    for (place, maker) in MAKERS.into_iter().enumerate() {
        assert_eq!(bench.makers[place].0, maker);
        for deed in DEEDS {
            for grant in &sets {
                if bench.try_out(place, deed, grant).await {
                    done.insert((format!("{maker:?}"), format!("{deed:?}")));
                } else {
                    refused += 1;
                }
            }
        }
    }
    // Who holds all and is held to nothing does everything; the others were refused what they lack.
    for deed in DEEDS {
        for maker in ["Admin", "Token"] {
            assert!(done.contains(&(maker.to_owned(), format!("{deed:?}"))), "{maker} {deed:?}");
        }
        let importer = ("Importer".to_owned(), format!("{deed:?}"));
        assert!(!done.contains(&importer), "{importer:?}");
    }
    assert!(refused > 5 * sets.len(), "{refused}");
}

/// What a proposal gives is held by both who proposed it and who accepts it, when it is accepted.
#[tokio::test]
async fn an_accepted_proposal_gives_no_more_than_both_hold() {
    let mut bench = Bench::new().await;
    let all = vec![everywhere("account_admin")];
    bench.house.user("grace@example.com", License::Developer, all).await;
    let ask = |policy: TokenPolicy| -> Result<_, StoreError> {
        Ok(TokenPolicy { widening_is_proposed: true, ..policy })
    };
    bench.house.store.update_token_policy(&bench.house.permit().await, ask).await.unwrap();
    let (token, opens) = bench.there(&everywhere("job_viewer")).await;
    let before = Reach::of(&bench.house, &opens).await;
    for (who, permit, _) in &bench.makers {
        let store = &bench.house.store;
        let wider = vec![everywhere("job_admin")];
        let alone = store.replace_grants(permit, token.id, wider.clone()).await;
        let refused = matches!(alone, Err(StoreError::NeedsSecond | StoreError::Exceeds(_)));
        assert!(refused, "{who:?}: {alone:?}");
        let none = Restrictions::default();
        let alone = store.replace_token_restrictions(permit, token.id, none, true).await;
        let refused = matches!(alone, Err(StoreError::NeedsSecond | StoreError::Exceeds(_)));
        assert!(refused, "{who:?}: {alone:?}");
        let proposed = store.propose(permit, token.id, Widening::Grants(wider), true).await;
        match (who, proposed) {
            (Maker::Admin, Ok(proposal)) => {
                for (other, accepts, _) in &bench.makers {
                    let accepted = store.accept_proposal(accepts, proposal.id).await;
                    let own = matches!(accepted, Err(StoreError::OwnProposal));
                    let by_no_person = matches!(accepted, Err(StoreError::UserOnly { .. }));
                    assert!(own || by_no_person, "{other:?}: {accepted:?}");
                }
            }
            (Maker::Admin, Err(error)) => panic!("{error}"),
            (Maker::Token | Maker::HeldToken | Maker::Importer, proposed) => {
                assert!(matches!(proposed, Err(StoreError::UserOnly { .. })), "{proposed:?}");
            }
        }
    }
    Reach::of(&bench.house, &opens).await.must_be_within(&[&before], "nobody's word");
}

//! What a refusal tells: the missing permission, and what to ask for.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

use std::{fmt::Write as _, sync::Arc};

use domain::{
    AccountId, EnvironmentId, JobId, Plan, ProjectId, ServiceTokenId,
    authz::{
        Access, AccountTerms, Action, Caller, Categories, Category, Denied, Explanation, Grant,
        Origin, Permit, Place, Principal, Projects, ResourceKind, Restriction, Restrictions, Rule,
        Runs, Write, authorize, authorize_action, explain,
    },
};
use insta::assert_snapshot;

fn refusal(access: Access, on: ResourceKind, plan: Option<Plan>) -> String {
    let rule = Rule::NoGrant;
    let denied = Denied::NoGrant { action: Action::new(access, on), plan, rule };
    denied.explanation().unwrap().to_string()
}

#[test]
fn a_refusal_names_the_smallest_sets_of_the_plan() {
    use Access::{Read, Write};
    use Plan::{Developer, Enterprise, Starter, Team};
    use ResourceKind::{
        Billing, Jobs, Metadata, Projects, Runs, SemanticLayerQuery, ServiceTokens,
    };
    let mut all = String::new();
    for (access, on, plan) in [
        (Write, Runs, Enterprise),
        (Write, Runs, Team),
        (Write, Runs, Starter),
        (Write, Jobs, Enterprise),
        (Write, Jobs, Team),
        (Read, Jobs, Enterprise),
        (Read, Billing, Enterprise),
        (Read, Billing, Team),
        (Read, Projects, Enterprise),
        (Write, ServiceTokens, Enterprise),
        (Read, ServiceTokens, Team),
        (Read, Metadata, Enterprise),
        (Read, Metadata, Team),
        (Read, SemanticLayerQuery, Developer),
    ] {
        writeln!(all, "{plan}: {}", refusal(access, on, Some(plan))).unwrap();
    }
    assert_snapshot!(all, @r"
    enterprise: needs write on `runs`: the permission set Job Runner holds it
    team: needs write on `runs`: the permission set Job Admin holds it
    starter: needs write on `runs`: no permission set that the plan `starter` offers holds it
    enterprise: needs write on `jobs`: the permission set Job Creator or Job Admin holds it
    team: needs write on `jobs`: the permission set Job Admin holds it
    enterprise: needs read on `jobs`: the permission set Job Runner, Cost Insights Viewer, Job Viewer or Stakeholder holds it
    enterprise: needs read on `billing`: the permission set Billing Admin or Account Viewer holds it
    team: needs read on `billing`: the permission set Account Admin or Owner holds it
    enterprise: needs read on `projects`: the permission set Cost Insights Viewer, Job Viewer, Job Creator, Stakeholder or Security Admin holds it
    enterprise: needs write on `service_tokens`: the permission set Account Admin holds it
    team: needs read on `service_tokens`: the permission set Account Admin or Owner holds it
    enterprise: needs read on `metadata`: the permission set Metadata Only or Cost Insights Viewer holds it
    team: needs read on `metadata`: the permission set Metadata Only holds it
    developer: needs read on `semantic_layer_query`: the permission set Semantic Layer Only holds it
    ");
}

#[test]
fn a_refusal_that_no_permission_set_would_lift_says_why() {
    use ResourceKind::{AccountRecord, AuditLogs, FusionUpgrade, Identity, OwnTokens, Runs, Scim};
    let plan = Some(Plan::Enterprise);
    let all = [
        refusal(Access::Write, OwnTokens, plan),
        refusal(Access::Read, AccountRecord, plan),
        refusal(Access::Write, Identity, plan),
        refusal(Access::Write, AuditLogs, plan),
        refusal(Access::Write, FusionUpgrade, Some(Plan::Starter)),
        refusal(Access::Write, Scim, Some(Plan::Developer)),
        refusal(Access::Write, Runs, None),
    ];
    assert_snapshot!(all.join("\n"), @r"
    needs write on `own_tokens`: users hold it, service tokens never do
    needs read on `account_record`: every permission set that opens the Admin API brings it
    needs write on `identity`: nobody holds it
    needs write on `audit_logs`: nobody holds it
    needs write on `fusion_upgrade`: no permission set that the plan `starter` offers holds it
    needs write on `scim`: no permission set that the plan `developer` offers holds it
    needs write on `runs`: the account has no plan, so no permission set counts
    ");
}

/// A service token that raises runs to write in production, on one project.
fn raised() -> Permit<Write, Runs> {
    let (account, project) = (AccountId::new(1).unwrap(), ProjectId::new(7).unwrap());
    let grant = Grant::new("developer".parse().unwrap(), Projects::only([project]).unwrap());
    let grant = grant.unwrap().raising(Categories::NONE.with(Category::Production));
    let viewer = Projects::only([ProjectId::new(8).unwrap()]).unwrap();
    let viewer = Grant::new("job_viewer".parse().unwrap(), viewer).unwrap();
    let terms = AccountTerms { id: account, plan: Some(Plan::Enterprise), tokens_may_mint: true };
    let id = ServiceTokenId::new(3).unwrap();
    let token = Principal::service_token(id, 1, terms, vec![grant, viewer]);
    authorize(&Arc::new(Caller::new(Arc::new(token), Origin::local())), account).unwrap()
}

#[test]
fn a_refusal_in_a_project_says_in_which_and_in_what_environments() {
    let environment = |project, category| {
        let (project, id) = (ProjectId::new(project).unwrap(), EnvironmentId::new(70).unwrap());
        Place::environment(project, id, category)
    };
    let said = |denied: Denied| denied.explanation().unwrap().to_string();
    let permit = raised();

    assert_eq!(permit.at(environment(7, Category::Production)), Ok(()));
    let staging = permit.at(environment(7, Category::Staging)).unwrap_err();
    assert_snapshot!(said(staging), @"needs write on `runs` in project 7 in staging environments: the permission set Job Runner holds it");
    let viewed = permit.at(environment(8, Category::Production)).unwrap_err();
    assert_snapshot!(said(viewed), @"needs write on `runs` in project 8: the permission set Job Runner holds it");
}

#[test]
fn a_refusal_out_of_reach_explains_nothing() {
    let permit = raised();
    let unseen = permit.within(ProjectId::new(9).unwrap()).unwrap_err();
    assert_eq!(unseen.explanation(), None);
    assert_eq!(Denied::OtherAccount.explanation(), None);
}

/// Every set that is named lifts the refusal on that plan, and none of them holds all of another.
#[test]
fn the_sets_that_are_named_lift_the_refusal_and_none_is_larger_than_needed() {
    let account = AccountId::new(1).unwrap();
    for plan in Plan::ALL {
        let terms = AccountTerms { id: account, plan: Some(plan), tokens_may_mint: true };
        let holds = |set, action| {
            let grant = Grant::new(set, Projects::All).unwrap();
            let id = ServiceTokenId::new(3).unwrap();
            Principal::service_token(id, 1, terms, vec![grant]).holds(action)
        };
        for action in Action::all() {
            let named = explain(action, Some(plan));
            for set in &named {
                assert!(holds(*set, action), "{set} {action}");
                for other in &named {
                    let (rights, others) = (set.row().rights, other.row().rights);
                    assert!(rights == others || !rights.contain(others), "{set} {other} {action}");
                }
            }
        }
    }
}

#[test]
fn an_explanation_reads_the_same_from_its_parts() {
    let action = Action::new(Access::Write, ResourceKind::Jobs);
    let plan = Some(Plan::Team);
    let sets = explain(action, plan);
    let rule = Rule::NoGrant;
    let whole = Explanation { action, project: None, category: None, plan, rule, sets };
    assert_eq!(whole.to_string(), refusal(Access::Write, ResourceKind::Jobs, plan));
}

#[test]
fn a_refusal_names_the_rule_and_no_set_where_none_would_help() {
    let account = AccountId::new(1).unwrap();
    let token = |plan, tokens_may_mint, restrictions| {
        let terms = AccountTerms { id: account, plan: Some(plan), tokens_may_mint };
        let grant = Grant::new("account_admin".parse().unwrap(), Projects::All).unwrap();
        let id = ServiceTokenId::new(3).unwrap();
        Principal::service_token(id, 1, terms, vec![grant]).restricted(restrictions)
    };
    let refusal = |token: &Principal, access, on| {
        let denied = authorize_action(token, account, Action::new(access, on)).unwrap_err();
        let told = denied.explanation().unwrap();
        (told.rule, told.sets.len(), told.to_string())
    };
    let none = Restrictions::default;
    let read_only = Restrictions { read_only: true, ..none() };
    let jobs = Restrictions { jobs: Some([JobId::new(5).unwrap()].into()), ..none() };

    let told =
        refusal(&token(Plan::Enterprise, true, read_only), Access::Write, ResourceKind::Jobs);
    let reason = "needs write on `jobs`: the token's restriction `read_only` takes it away";
    assert_eq!(told, (Rule::Restriction(Restriction::ReadOnly), 0, reason.to_owned()));
    let told = refusal(&token(Plan::Enterprise, true, jobs), Access::Read, ResourceKind::Projects);
    assert_eq!((told.0, told.1), (Rule::Restriction(Restriction::Jobs), 0));
    let mints = (Access::Write, ResourceKind::ServiceTokens);
    let told = refusal(&token(Plan::Enterprise, false, none()), mints.0, mints.1);
    assert_eq!((told.0, told.1), (Rule::AccountSetting, 0));
    let told = refusal(&token(Plan::Starter, true, none()), Access::Write, ResourceKind::Jobs);
    assert_eq!(told.0, Rule::Plan);
    let told =
        refusal(&token(Plan::Enterprise, true, none()), Access::Write, ResourceKind::Identity);
    assert_eq!(told.0, Rule::NoGrant);
}

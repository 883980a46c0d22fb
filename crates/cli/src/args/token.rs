//! `token …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use domain::{
    AccountId, EnvironmentId, JobId, ServiceTokenId, TokenProposalId, UserId, token_use::Days,
};

use super::{ClientArgs, DataDirArgs, ManySecretsArgs, SinkArgs, TokenFilterArgs};

/// `token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token; its secret goes to a file, or is shown once
    #[command(after_help = "\
Example: a token that may run the jobs of project 7 and read metadata everywhere
  narrowgate token create --name nightly --grant job_runner:7 --grant metadata_only \\
    --to-file nightly.token")]
    Create(TokenCreateArgs),
    /// Make a canary: it looks like any other, grants nothing, and each use of it is told
    #[command(after_help = "\
Example: a token to leave where only an intruder looks
  narrowgate token canary 'backup host, /root/.env'")]
    Canary(TokenCanaryArgs),
    /// The account's tokens
    #[command(after_help = "\
Example: those that nobody used for 90 days
  narrowgate token list --unused-for 90")]
    List(TokenListArgs),
    /// One token
    Show(TokenShowArgs),
    /// A token's permissions; with --grant, replaced as a whole; with --none, taken away
    Permissions(TokenPermissionsArgs),
    /// What a token is held to beside its permissions; with options, replaced as a whole; with
    /// --none, taken back
    #[command(after_help = "\
Example: jobs 12 and 13 only, from one network, at most 5 times a second
  narrowgate token restrictions 7 --job 12 --job 13 --address 192.0.2.0/24 --rate 5")]
    Restrictions(TokenRestrictionsArgs),
    /// Change a token: its name, when it ends, disabled or enabled; the secret stays
    Change(TokenChangeArgs),
    /// Another secret for a token with the same permissions, beside the old one for a while
    #[command(after_help = "\
Examples: a token whose old secret works for an hour more, or 5 minutes after the new one's first use
  narrowgate token rotate 7 --overlap 60 --after-first-use 5 --to-file nightly.token
a secret that leaked
  narrowgate token rotate 7 --overlap 0 --to-file nightly.token
every token that an advisory is about, or that meets other conditions: first the plan, then it is done
  narrowgate token rotate --advised
  narrowgate token rotate --advised --apply --to-dir successors
and what is left to swap
  narrowgate token old-secrets")]
    Rotate(TokenRotateArgs),
    /// Take a rotation back while the old secret works: the new secret opens nothing any more
    CancelRotation(TokenShowArgs),
    /// Delete every token that meets these conditions; shows the plan first
    Revoke(TokenRevokeArgs),
    /// What is proposed to let tokens do more, where the account asks for a second person
    Proposals(ClientArgs),
    /// Accept such a proposal: by another person than who made it
    Accept(ProposalArgs),
    /// Reject such a proposal, or take one's own back
    Reject(ProposalArgs),
    /// Old secrets that still work, and who sends them; exit code 3 while there are any
    OldSecrets(ClientArgs),
    /// Who depends on a token, and what it was used for
    #[command(after_help = "\
Example: in the last 30 days
  narrowgate token use 7 --days 30")]
    Use(TokenUseArgs),
    /// The smallest permissions that still hold everything that a token was used for
    #[command(after_help = "\
Examples: what they are, and what the token would lose
  narrowgate token least-privilege 7
make it so; and take it back, if something was missing after all
  narrowgate token least-privilege 7 --apply
  narrowgate token least-privilege 7 --undo")]
    LeastPrivilege(LeastPrivilegeArgs),
    /// Delete a token: it stops working at once
    Delete(TokenDeleteArgs),
    /// Print all tokens, what they are granted and held to, as a TOML file without secrets
    Export(ClientArgs),
    /// Make the account's tokens what a file says; shows the plan first
    Apply(TokenApplyArgs),
    /// Take over the metadata of tokens made elsewhere, from CSV or JSON, on the server's machine
    #[command(after_help = "\
CSV has the columns name, created_at, last_used and permissions (`job_admin:7;metadata_only`); JSON
is a list of objects with the same keys, permissions as a list of such texts. The tokens have no
secret: each must be rotated before use.")]
    Import(TokenImportArgs),
}

/// `token canary`
#[derive(Debug, Args)]
pub(crate) struct TokenCanaryArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// What to call it: where you put it
    pub(crate) name: String,
    /// When it ends by itself, a time or a day; never unless given
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
}

/// `token create`
#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// What to call it
    #[arg(long)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) grants: GrantArgs,
    #[command(flatten)]
    pub(crate) restrictions: RestrictionArgs,
    /// When it ends: a time such as `2027-01-31` (UTC), or `never`; unless given, as the account's
    /// policy says
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
    /// Who answers for it: a user's id; unless given, who makes it
    #[arg(long, value_name = "USER")]
    pub(crate) responsible: Option<UserId>,
    #[command(flatten)]
    pub(crate) sink: SinkArgs,
}

/// `token change`
#[derive(Debug, Args)]
pub(crate) struct TokenChangeArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
    /// Another name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// When it ends: a time such as `2027-01-31` (UTC), or `never`
    #[arg(long, value_name = "TIME")]
    pub(crate) expires_at: Option<String>,
    /// Who answers for it: a user's id
    #[arg(long, value_name = "USER")]
    pub(crate) responsible: Option<UserId>,
    /// It opens nothing until it is enabled
    #[arg(long, conflicts_with = "enable")]
    pub(crate) disable: bool,
    /// It opens again what it may
    #[arg(long)]
    pub(crate) enable: bool,
}

/// `token rotate`
#[derive(Debug, Args)]
pub(crate) struct TokenRotateArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    #[arg(required_unless_present = "TokenFilterArgs", conflicts_with = "TokenFilterArgs")]
    pub(crate) id: Option<ServiceTokenId>,
    /// Or every token that meets these: shows the plan
    #[command(flatten)]
    pub(crate) filter: TokenFilterArgs,
    /// Does what the plan shows
    #[arg(long, requires = "TokenFilterArgs", alias = "yes")]
    pub(crate) apply: bool,
    /// How many minutes the old secret works on at most; 0 after a leak [default: a day, or what
    /// the account allows]
    #[arg(long, value_name = "MINUTES")]
    pub(crate) overlap: Option<u32>,
    /// End it so many minutes after the new one's first use, if that is earlier
    #[arg(long, value_name = "MINUTES")]
    pub(crate) after_first_use: Option<u32>,
    #[command(flatten)]
    pub(crate) sink: SinkArgs,
    /// With a filter: a folder with a file for each token, named after its id
    #[arg(long, value_name = "DIR", requires = "TokenFilterArgs", conflicts_with = "to_env")]
    pub(crate) to_dir: Option<PathBuf>,
}

/// `token revoke`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows which tokens are meant, and ends them with --yes: those that it showed, or none if others are
meant by then. The token that asks is left out. What is revoked never comes back.
  narrowgate token revoke --unused-for 90 --name-prefix ci-
  narrowgate token revoke --unused-for 90 --name-prefix ci- --yes")]
pub(crate) struct TokenRevokeArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(flatten)]
    pub(crate) filter: TokenFilterArgs,
    /// Only shows them, which is also what happens without --yes
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Ends them
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `token apply`
#[derive(Debug, Args)]
#[command(after_help = "\
Shows what the file would change, in rights gained and lost for each token, and does it with --yes.
Tokens are told apart by their names. The grants and restrictions of a token in the file are all that
it will have; of when it ends, whether it is disabled and who answers for it, what is left out stays.
Tokens that are not in the file stay, but with --prune.
  narrowgate token export > tokens.toml
  narrowgate token apply tokens.toml
  narrowgate token apply tokens.toml --yes --to-dir secrets
Exit code 0: done, or nothing to do; 3: the plan would change something; 1: something failed.")]
pub(crate) struct TokenApplyArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// A file as `token export` prints it
    pub(crate) file: PathBuf,
    /// Delete tokens that are not in the file
    #[arg(long)]
    pub(crate) prune: bool,
    /// Only shows the plan, which is also what happens without --yes
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Does what the plan shows
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) sink: ManySecretsArgs,
}

/// A proposal by its id.
#[derive(Debug, Args)]
pub(crate) struct ProposalArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The proposal's id
    pub(crate) id: TokenProposalId,
}

/// Grants as text.
#[derive(Debug, Args)]
pub(crate) struct GrantArgs {
    /// SET on all projects, or SET:PROJECT[,PROJECT…]; may be repeated
    #[arg(long = "grant", value_name = "SET[:PROJECT,…]")]
    pub(crate) grants: Vec<String>,
    /// Environment categories in which raisable sets may write: all, development, staging,
    /// production, other
    #[arg(long, value_delimiter = ',', value_name = "CATEGORY,…")]
    pub(crate) environments: Vec<String>,
}

/// A token by its id.
#[derive(Debug, Args)]
pub(crate) struct TokenShowArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
}

/// `token list`
#[derive(Debug, Args)]
pub(crate) struct TokenListArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// Only those that nobody used for so many days, 1 to 400, and that are at least as old
    #[arg(long, value_name = "DAYS")]
    pub(crate) unused_for: Option<Days>,
}

/// `token use`
#[derive(Debug, Args)]
pub(crate) struct TokenUseArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
    /// How many days back, today included: 1 to 400
    #[arg(long, default_value = "90")]
    pub(crate) days: Days,
}

/// `token least-privilege`
#[derive(Debug, Args)]
pub(crate) struct LeastPrivilegeArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
    /// What it was used for in how many days, today included: 1 to 400
    #[arg(long, default_value = "90")]
    pub(crate) days: Days,
    /// Narrow the token to what is proposed; its secret stays
    #[arg(long, conflicts_with = "undo")]
    pub(crate) apply: bool,
    /// Give it back what it had before, if nothing else of its rights has changed
    #[arg(long)]
    pub(crate) undo: bool,
}

/// `token delete`
#[derive(Debug, Args)]
pub(crate) struct TokenDeleteArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
    /// Do not ask, also if it was used lately
    #[arg(long)]
    pub(crate) yes: bool,
}

/// `token permissions`
#[derive(Debug, Args)]
pub(crate) struct TokenPermissionsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
    #[command(flatten)]
    pub(crate) grants: GrantArgs,
    /// Take all its permissions away
    #[arg(long, conflicts_with = "grants")]
    pub(crate) none: bool,
}

/// What a token is held to.
#[derive(Debug, Args)]
#[group(multiple = true)]
pub(crate) struct RestrictionArgs {
    /// From this network or address only; may be repeated
    #[arg(long = "address", value_name = "CIDR")]
    pub(crate) addresses: Vec<String>,
    /// This environment, and what is in it, only; may be repeated
    #[arg(long = "environment", value_name = "ID")]
    pub(crate) environment_ids: Vec<EnvironmentId>,
    /// This job, and its runs, only; may be repeated
    #[arg(long = "job", value_name = "ID")]
    pub(crate) jobs: Vec<JobId>,
    /// No write at all
    #[arg(long)]
    pub(crate) read_only: bool,
    /// So many requests a second
    #[arg(long, value_name = "N")]
    pub(crate) rate: Option<i64>,
    /// So many at once; as many as a second unless given
    #[arg(long, value_name = "N", requires = "rate")]
    pub(crate) burst: Option<i64>,
    /// Also a list of addresses that shuts out the own one
    #[arg(long)]
    pub(crate) force: bool,
}

/// `token restrictions`
#[derive(Debug, Args)]
pub(crate) struct TokenRestrictionsArgs {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    /// The token's id
    pub(crate) id: ServiceTokenId,
    #[command(flatten)]
    pub(crate) restrictions: RestrictionArgs,
    /// Take all of them back
    #[arg(long, conflicts_with = "RestrictionArgs")]
    pub(crate) none: bool,
}

/// `token import`
#[derive(Debug, Args)]
pub(crate) struct TokenImportArgs {
    #[command(flatten)]
    pub(crate) data: DataDirArgs,
    /// The account's id
    #[arg(long, env = "NARROWGATE_ACCOUNT")]
    pub(crate) account: AccountId,
    /// A `.csv` or `.json` file
    pub(crate) file: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

//! The server's and the runner's configuration: defaults, then a TOML file, then the environment, then options.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use domain::token_use::Days;
use figment::{
    Figment, Metadata, Profile, Provider,
    providers::{Format as _, Serialized, Toml},
    value::{Dict, Map, Value},
};
use runner::{DbtVersions, Limits, RunnerConfig, SandboxMode};
use serde::{Deserialize, Serialize};
use server::{LeakKeys, MailConfig, ServerConfig, TlsFiles, TrustedProxies, WebhookTargets};

use crate::{
    args::{RunnerArgs, ServeArgs},
    artifacts::Artifacts,
    error::CliError,
};

/// What `serve` runs with, and `runner` as far as it concerns it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "the file's own switches")]
pub(crate) struct Config {
    /// The folder that holds everything.
    pub(crate) data_dir: PathBuf,
    /// The keyring file; `keyring.json` in the data folder unless given.
    pub(crate) keyring: Option<PathBuf>,
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// What links begin with; the address unless given.
    pub(crate) public_url: Option<String>,
    /// The certificate that TLS is served with; plain HTTP unless given.
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key.
    pub(crate) tls_key: Option<PathBuf>,
    /// Whose `X-Forwarded-For` counts; nobody's unless given.
    pub(crate) trusted_proxy: TrustedProxies,
    /// The mail server that invitations and notifications go by; without one, links are shown to
    /// the inviter and notifications are dropped. It may hold a password.
    pub(crate) smtp_url: Option<String>,
    /// Who writes them.
    pub(crate) smtp_from: Option<String>,
    /// The dbt program.
    pub(crate) dbt: PathBuf,
    /// Programs for versions of dbt, in the file alone.
    pub(crate) dbt_versions: DbtVersions,
    /// How many runs are executed at once, 1 or more.
    pub(crate) workers: usize,
    /// How much nicer than the server the programs of runs are, 0 to 19.
    pub(crate) niceness: u8,
    /// The largest file that they write, in MiB; 0 is any.
    pub(crate) max_file_size_mib: u64,
    /// The most processes and threads of their user; 0 is any.
    pub(crate) max_processes: u64,
    /// The largest address space of each, in MiB; 0 is any.
    pub(crate) max_memory_mib: u64,
    /// How large the clones that are kept of repositories may be, all together, in MiB; 0 keeps none.
    pub(crate) max_clones_mib: u64,
    /// The user that executes dbt, where the server is root.
    pub(crate) run_as: Option<String>,
    /// Whether dbt runs in a sandbox: `auto`, `bubblewrap` or `off`.
    pub(crate) sandbox: String,
    /// What is logged.
    pub(crate) log: String,
    /// Whether no run is executed here.
    pub(crate) no_runner: bool,
    /// Whether plain HTTP may leave this machine.
    pub(crate) allow_plain_http: bool,
    /// Whether `/api/openapi.json` is shut.
    pub(crate) no_openapi: bool,
    /// Whether webhooks may lead into private networks.
    pub(crate) allow_private_webhooks: bool,
    /// After how many days artifacts are removed, 1 or more; never unless given.
    pub(crate) keep_artifacts_days: Option<u32>,
    /// For how many days it is known what tokens were used for: 90 to 400.
    pub(crate) keep_token_uses_days: u16,
    /// How many wrong tokens one address may present at once; 0 is any number.
    pub(crate) failed_tries: u32,
    /// Where artifacts are kept, in the file alone.
    #[serde(default)]
    pub(crate) artifacts: Artifacts,
    /// Public keys that reports of leaks are signed with, in the file alone.
    pub(crate) leak_keys: LeakKeys,
}

/// The keys whose values are texts, also where they look like a number: a folder may be `2026`.
const TEXTS: [&str; 13] = [
    "data_dir",
    "keyring",
    "listen",
    "public_url",
    "tls_cert",
    "tls_key",
    "trusted_proxy",
    "smtp_url",
    "smtp_from",
    "dbt",
    "run_as",
    "sandbox",
    "log",
];
/// The others.
const VALUES: [&str; 13] = [
    "workers",
    "niceness",
    "max_file_size_mib",
    "max_processes",
    "max_memory_mib",
    "max_clones_mib",
    "no_runner",
    "allow_plain_http",
    "no_openapi",
    "allow_private_webhooks",
    "keep_artifacts_days",
    "keep_token_uses_days",
    "failed_tries",
];

/// The environment: `NARROWGATE_` and a key in capitals.
struct Environment;

impl Provider for Environment {
    fn metadata(&self) -> Metadata {
        Metadata::named("environment")
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let value = |key: &str| std::env::var(format!("NARROWGATE_{}", key.to_uppercase())).ok();
        let texts = TEXTS.iter().filter_map(|key| Some((*key, Value::from(value(key)?))));
        let values = VALUES.iter().filter_map(|key| {
            let Ok(value) = value(key)?.parse::<Value>();
            Some((*key, value))
        });
        let found = texts.chain(values).map(|(key, value)| (key.to_owned(), value)).collect();
        Ok(Profile::Default.collect(found))
    }
}

/// The options that were given, by the names of the file.
#[derive(Default, Serialize)]
struct Given<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data_dir: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keyring: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listen: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    public_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_cert: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_key: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    trusted_proxy: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smtp_from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dbt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workers: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    niceness: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_file_size_mib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_processes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_memory_mib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_clones_mib: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_as: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_runner: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_plain_http: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    no_openapi: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allow_private_webhooks: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_artifacts_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_token_uses_days: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_tries: Option<u32>,
}

impl Config {
    /// Puts the layers together for `serve`.
    ///
    /// # Errors
    /// One line that names the key, what is wrong with it and where it came from.
    pub(crate) fn load(args: &ServeArgs) -> Result<Self, CliError> {
        let given = Given {
            data_dir: args.data_dir.as_deref(),
            keyring: args.keyring.as_deref(),
            listen: args.listen.as_deref(),
            public_url: args.public_url.as_deref(),
            tls_cert: args.tls_cert.as_deref(),
            tls_key: args.tls_key.as_deref(),
            trusted_proxy: &args.trusted_proxy,
            smtp_url: args.smtp_url.as_deref(),
            smtp_from: args.smtp_from.as_deref(),
            dbt: args.dbt.as_deref(),
            workers: args.workers,
            niceness: args.programs.niceness,
            max_file_size_mib: args.programs.max_file_size_mib,
            max_processes: args.programs.max_processes,
            max_memory_mib: args.programs.max_memory_mib,
            max_clones_mib: args.programs.max_clones_mib,
            run_as: args.programs.run_as.as_deref(),
            sandbox: args.programs.sandbox.as_deref(),
            log: args.log.as_deref(),
            no_runner: args.no_runner.then_some(true),
            allow_plain_http: args.allow_plain_http.then_some(true),
            no_openapi: args.no_openapi.then_some(true),
            allow_private_webhooks: args.allow_private_webhooks.then_some(true),
            keep_artifacts_days: args.keep_artifacts_days,
            keep_token_uses_days: args.keep_token_uses_days,
            failed_tries: args.failed_tries,
        };
        Self::layered(given, args.config.as_deref())?.check_listening()
    }

    /// Puts the layers together for `runner`, which does not listen.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub(crate) fn load_runner(args: &RunnerArgs) -> Result<Self, CliError> {
        let given = Given {
            data_dir: args.data_dir.as_deref(),
            keyring: args.keyring.as_deref(),
            dbt: args.dbt.as_deref(),
            workers: args.workers,
            niceness: args.programs.niceness,
            max_file_size_mib: args.programs.max_file_size_mib,
            max_processes: args.programs.max_processes,
            max_memory_mib: args.programs.max_memory_mib,
            max_clones_mib: args.programs.max_clones_mib,
            run_as: args.programs.run_as.as_deref(),
            sandbox: args.programs.sandbox.as_deref(),
            log: args.log.as_deref(),
            ..Given::default()
        };
        Self::layered(given, args.config.as_deref())
    }

    fn layered(given: Given<'_>, file: Option<&Path>) -> Result<Self, CliError> {
        let above = Figment::from(Environment).merge(Serialized::from(given, "default"));
        let file = match file {
            Some(file) if !file.exists() => {
                let file = file.display();
                return Err(CliError::Usage(format!("the configuration {file} is not there")));
            }
            Some(file) => file.to_owned(),
            None => Self::file_beside_the_data(&above),
        };
        let limits = Limits::default();
        let below = Figment::from(Serialized::default("listen", "127.0.0.1:8580"))
            .merge(Serialized::default("trusted_proxy", TrustedProxies::default()))
            .merge(Serialized::default("dbt", "dbt"))
            .merge(Serialized::default("dbt_versions", DbtVersions::new()))
            .merge(Serialized::default("workers", 4))
            .merge(Serialized::default("niceness", limits.niceness))
            .merge(Serialized::default("max_file_size_mib", limits.max_file_size_mib))
            .merge(Serialized::default("max_processes", limits.max_processes))
            .merge(Serialized::default("max_memory_mib", limits.max_memory_mib))
            .merge(Serialized::default("max_clones_mib", RunnerConfig::default().max_clones_mib))
            .merge(Serialized::default("sandbox", "auto"))
            .merge(Serialized::default("log", "info"))
            .merge(Serialized::default("no_runner", false))
            .merge(Serialized::default("allow_plain_http", false))
            .merge(Serialized::default("no_openapi", false))
            .merge(Serialized::default("allow_private_webhooks", false))
            .merge(Serialized::default("keep_token_uses_days", Days::MOST))
            .merge(Serialized::default("failed_tries", ServerConfig::FAILURES))
            .merge(Serialized::default("leak_keys", LeakKeys::default()));
        let below = if file.exists() { below.merge(Toml::file_exact(file)) } else { below };
        let config: Self = below.merge(above).extract().map_err(|error| told(&error))?;
        if config.workers == 0 {
            return Err(CliError::Usage("`workers` must be 1 or more".to_owned()));
        }
        if let Err(error) = config.sandbox.parse::<SandboxMode>() {
            return Err(CliError::Usage(format!("`sandbox` {error}")));
        }
        if config.niceness > 19 {
            return Err(CliError::Usage("`niceness` must be 0 to 19".to_owned()));
        }
        Ok(config)
    }

    fn file_beside_the_data(above: &Figment) -> PathBuf {
        let folder: String = above.extract_inner("data_dir").unwrap_or_default();
        Path::new(&folder).join("narrowgate.toml")
    }

    /// What the runner is told.
    pub(crate) fn runner(&self) -> RunnerConfig {
        let limits = Limits {
            niceness: self.niceness,
            max_file_size_mib: self.max_file_size_mib,
            max_processes: self.max_processes,
            max_memory_mib: self.max_memory_mib,
        };
        let (dbt, workers, run_as) = (self.dbt.clone(), self.workers, self.run_as.clone());
        let dbt_versions = self.dbt_versions.clone();
        let max_clones_mib = self.max_clones_mib;
        let sandbox = self.sandbox.parse().unwrap_or(SandboxMode::Bubblewrap);
        let hidden = [Some(self.keyring()), self.tls_key.clone(), self.artifacts.credentials()];
        let hidden = hidden.into_iter().flatten().collect();
        RunnerConfig {
            dbt,
            dbt_versions,
            workers,
            limits,
            max_clones_mib,
            run_as,
            sandbox,
            hidden,
            ..RunnerConfig::default()
        }
    }

    /// Where webhooks may lead.
    pub(crate) fn webhook_targets(&self) -> WebhookTargets {
        if self.allow_private_webhooks { WebhookTargets::Any } else { WebhookTargets::Public }
    }

    /// For how many days it is known what tokens were used for.
    ///
    /// # Errors
    /// [`CliError::Usage`] if it is not 90 to 400.
    pub(crate) fn keep_token_uses(&self) -> Result<Days, CliError> {
        let (days, least, most) = (self.keep_token_uses_days, Days::USUAL.get(), Days::MOST);
        Days::new(days).ok().filter(|days| least <= days.get()).ok_or_else(|| {
            CliError::Usage(format!("`keep_token_uses_days` must be {least} to {most}"))
        })
    }

    fn check_listening(self) -> Result<Self, CliError> {
        self.keep_token_uses()?;
        if self.keep_artifacts_days == Some(0) {
            let reason = "`keep_artifacts_days` must be 1 or more; leave it out to keep all";
            return Err(CliError::Usage(reason.to_owned()));
        }
        if self.tls_cert.is_some() != self.tls_key.is_some() {
            let reason = "`tls_cert` and `tls_key` go together: give both, or neither";
            return Err(CliError::Usage(reason.to_owned()));
        }
        let plain = self.tls_cert.is_none();
        if plain && !self.listen.ip().is_loopback() && !self.allow_plain_http {
            let reason = format!(
                "`listen` is {}: plain HTTP leaves this machine, where tokens can be read on the \
                 way; give --tls-cert and --tls-key, put a TLS front before 127.0.0.1, or say \
                 --allow-plain-http",
                self.listen
            );
            return Err(CliError::Usage(reason));
        }
        Ok(self)
    }

    /// What TLS is served with.
    pub(crate) fn tls(&self) -> Option<TlsFiles> {
        let (certificate, key) = self.tls_cert.clone().zip(self.tls_key.clone())?;
        Some(TlsFiles { certificate, key })
    }

    /// The mail server, if there is one; it has to be said who writes.
    pub(crate) fn mail(&self) -> Result<Option<MailConfig>, CliError> {
        match (&self.smtp_url, &self.smtp_from) {
            (None, _) => Ok(None),
            (Some(url), Some(from)) => {
                Ok(Some(MailConfig { url: url.clone(), from: from.clone() }))
            }
            (Some(_), None) => {
                let reason = "`smtp_from` must say who writes, since `smtp_url` is given";
                Err(CliError::Other(reason.to_owned()))
            }
        }
    }

    /// The keyring's file.
    pub(crate) fn keyring(&self) -> PathBuf {
        let beside = || store::DataDir::new(&self.data_dir).keyring();
        self.keyring.clone().unwrap_or_else(beside)
    }
}

/// The first thing that is wrong: which key, what, and where it came from.
fn told(error: &figment::Error) -> CliError {
    let Some(first) = error.clone().into_iter().next() else {
        return CliError::Usage(error.to_string());
    };
    let key = first.path.join(".");
    let source = match first.metadata.as_ref().map(|metadata| (&metadata.name, &metadata.source)) {
        Some((name, _)) if name.contains("environment") => {
            format!("the environment variable NARROWGATE_{}", key.to_uppercase())
        }
        Some((_, Some(source))) if source.file_path().is_some() => format!("{source}"),
        _ if key.is_empty() => String::new(),
        _ => format!("the option --{}", key.replace('_', "-")),
    };
    let from = if source.is_empty() { source } else { format!(" (from {source})") };
    let key = if key.is_empty() { key } else { format!("`{key}`: ") };
    CliError::Usage(format!("{key}{}{from}", first.kind))
}

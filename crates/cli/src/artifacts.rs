//! Where a server keeps artifacts: the part `[artifacts]` of the configuration.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    providers::{Format as _, Toml},
};
use serde::{Deserialize, Serialize};
use store::{ArtifactPlace, S3, S3Keys};

use crate::error::CliError;

/// Where artifacts are kept: in the data folder unless a bucket is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Artifacts {
    s3: Option<S3Place>,
}

/// A bucket of an S3-compatible service. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct S3Place {
    bucket: String,
    prefix: Option<String>,
    region: Option<String>,
    /// Amazon's unless given.
    endpoint: Option<String>,
    /// A file with the keys, which its owner alone may read; the environment has them unless given.
    credentials: Option<PathBuf>,
}

/// What the file with the keys holds. No `Debug`: it is all secret.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Artifacts {
    /// The file with the keys, which no run is to read.
    pub(crate) fn credentials(&self) -> Option<PathBuf> {
        self.s3.as_ref()?.credentials.clone()
    }

    /// The place that it names.
    ///
    /// # Errors
    /// One line that says what is wrong with it, or with the file of the keys; no secret is in it.
    pub(crate) fn place(&self) -> Result<ArtifactPlace, CliError> {
        let Some(s3) = &self.s3 else { return Ok(ArtifactPlace::Folder) };
        if s3.bucket.is_empty() {
            return Err(CliError::Usage("`artifacts.s3.bucket` must be a name".to_owned()));
        }
        if let Some(endpoint) = &s3.endpoint {
            check_endpoint(endpoint)?;
        }
        Ok(ArtifactPlace::S3(S3 {
            bucket: s3.bucket.clone(),
            prefix: s3.prefix.clone(),
            region: s3.region.clone(),
            endpoint: s3.endpoint.clone(),
            keys: s3.credentials.as_deref().map(read).transpose()?,
        }))
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), CliError> {
    let rest = ["https://", "http://"].iter().find_map(|scheme| endpoint.strip_prefix(scheme));
    if rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('@')) {
        return Ok(());
    }
    let reason = "`artifacts.s3.endpoint` must be https:// or http:// and a host, without a login";
    Err(CliError::Usage(reason.to_owned()))
}

fn read(file: &Path) -> Result<S3Keys, CliError> {
    let wrong = |reason: String| {
        CliError::Usage(format!("`artifacts.s3.credentials`: {} {reason}", file.display()))
    };
    let unread = |error: io::Error| wrong(format!("cannot be read: {error}"));
    let mode = fs::metadata(file).map_err(unread)?.mode();
    if mode & 0o077 != 0 {
        return Err(wrong(format!("is open to others (mode {:03o}); make it 600", mode & 0o777)));
    }
    let text = fs::read_to_string(file).map_err(unread)?;
    // What is wrong with it could be told with a secret.
    let keys: Keys = Figment::from(Toml::string(&text)).extract().map_err(|_| {
        let right = "`access_key_id`, `secret_access_key`, and `session_token` where there is one";
        wrong(format!("must hold {right}, each a text, as TOML"))
    })?;
    Ok(S3Keys {
        access_key_id: keys.access_key_id,
        secret_access_key: keys.secret_access_key.into(),
        session_token: keys.session_token.map(Into::into),
    })
}

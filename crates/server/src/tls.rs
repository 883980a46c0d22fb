//! TLS: which certificate is shown, read anew when its files change.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::http::{HeaderValue, header};
use axum_server::tls_rustls::RustlsConfig;
use rustls::{
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use tokio::time::MissedTickBehavior;
use tower_http::set_header::SetResponseHeaderLayer;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A year: browsers that were here once come by TLS alone (RFC 6797).
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The files that TLS is served with, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, then those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why TLS is not served with these files.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {reason}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// A file holds something else.
    #[error("{} holds no {wanted} in PEM", file.display())]
    NoPem {
        /// The file.
        file: PathBuf,
        /// What it should hold.
        wanted: &'static str,
    },
    /// The two do not go together, or are of a kind that is not known.
    #[error("{} and {} do not go together: {reason}", files.certificate.display(), files.key.display())]
    Unfit {
        /// The files.
        files: TlsFiles,
        /// What is wrong.
        reason: rustls::Error,
    },
}

/// What connections are opened with, and where it comes from.
pub(crate) struct Tls {
    files: TlsFiles,
    seen: Option<Stamp>,
    config: RustlsConfig,
}

impl Tls {
    /// Reads the files.
    pub(crate) async fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let seen = Stamp::of(&files).await;
        let config = RustlsConfig::from_config(read(&files).await?);
        Ok(Self { files, seen, config })
    }

    /// What connections are opened with, now and after each change.
    pub(crate) fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    /// Looks at the files every 2 s, for ever: new ones are served from the next connection on,
    /// broken ones leave the old ones in place.
    pub(crate) async fn follow(mut self) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let now = Stamp::of(&self.files).await;
            if now == self.seen {
                continue;
            }
            self.seen = now;
            match read(&self.files).await {
                Ok(config) => {
                    self.config.reload_from_config(config);
                    tracing::info!("the certificate was read anew");
                }
                Err(error) => tracing::warn!(%error, "the certificate stays as it was"),
            }
        }
    }
}

/// The header that every answer over TLS carries.
pub(crate) fn hsts() -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(header::STRICT_TRANSPORT_SECURITY, HSTS)
}

/// By which a change of the files is seen: time and length of each.
#[derive(PartialEq, Eq)]
struct Stamp([(SystemTime, u64); 2]);

impl Stamp {
    /// None while a file is not there: the next look sees it come back.
    async fn of(files: &TlsFiles) -> Option<Self> {
        let one = async |file: &Path| {
            let metadata = tokio::fs::metadata(file).await.ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        Some(Self([one(&files.certificate).await?, one(&files.key).await?]))
    }
}

async fn read(files: &TlsFiles) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let chain = pem(&files.certificate).await?;
    let no_certificate =
        || TlsError::NoPem { file: files.certificate.clone(), wanted: "certificate" };
    let chain = CertificateDer::pem_slice_iter(&chain)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| no_certificate())?;
    if chain.is_empty() {
        return Err(no_certificate());
    }
    let key = PrivateKeyDer::from_pem_slice(&pem(&files.key).await?)
        .map_err(|_| TlsError::NoPem { file: files.key.clone(), wanted: "private key" })?;
    let unfit = |reason| TlsError::Unfit { files: files.clone(), reason };
    let mut config =
        rustls::ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(unfit)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(unfit)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

async fn pem(file: &Path) -> Result<Vec<u8>, TlsError> {
    let reading = tokio::fs::read(file).await;
    reading.map_err(|reason| TlsError::Read { file: file.to_owned(), reason })
}

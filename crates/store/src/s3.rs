//! Artifacts in a bucket of an S3-compatible service: Amazon's or another's.

use std::{fmt, sync::Arc};

use object_store::ObjectStore;
use zeroize::Zeroizing;

use crate::StoreError;

/// A bucket, and how it is reached.
#[derive(Debug, Clone, Default)]
pub struct S3 {
    /// The bucket's name; it is not made.
    pub bucket: String,
    /// What its objects' names begin with, a folder of any depth; the bucket's root unless given.
    pub prefix: Option<String>,
    /// Its region; `AWS_REGION` of the environment, or else `us-east-1`, unless given.
    pub region: Option<String>,
    /// `http://` or `https://` of a service that is not Amazon's.
    pub endpoint: Option<String>,
    /// The keys that requests are signed with; unless given, those that the environment tells of, as
    /// Amazon's own programs look for them (`AWS_ACCESS_KEY_ID`, a web identity, the machine's role).
    pub keys: Option<S3Keys>,
}

/// What requests are signed with. Its `Debug` does not show the secrets.
#[derive(Clone)]
pub struct S3Keys {
    /// Which key it is.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: Zeroizing<String>,
    /// A second secret, of keys that end.
    pub session_token: Option<Zeroizing<String>>,
}

impl fmt::Debug for S3Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3Keys({})", self.access_key_id)
    }
}

impl S3 {
    /// Opens the bucket, and lists it once, so that what is wrong with it shows at the start.
    #[cfg(feature = "s3")]
    pub(crate) async fn open(self) -> Result<Arc<dyn ObjectStore>, StoreError> {
        use futures_util::TryStreamExt as _;
        use object_store::{path::Path, prefix::PrefixStore};

        let unusable = |error: object_store::Error| {
            StoreError::Unavailable(format!("the bucket `{}` cannot be used: {error}", self.bucket))
        };
        let store = self.client().build().map_err(unusable)?;
        let prefix = Path::parse(self.prefix.as_deref().unwrap_or_default())
            .map_err(|error| unusable(error.into()))?;
        let store = PrefixStore::new(store, prefix);
        store.list(None).try_next().await.map_err(unusable)?;
        Ok(Arc::new(store))
    }

    /// One that gives up on a service that does not answer, and not on a long transfer.
    #[cfg(feature = "s3")]
    fn client(&self) -> object_store::aws::AmazonS3Builder {
        use std::time::Duration;

        use object_store::{ClientOptions, RetryConfig, aws::AmazonS3Builder};

        let plain = self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let options = ClientOptions::new()
            .with_allow_http(plain)
            .with_timeout_disabled()
            .with_connect_timeout(Duration::from_secs(5))
            .with_read_timeout(Duration::from_secs(30));
        let retry = RetryConfig {
            max_retries: 5,
            retry_timeout: Duration::from_mins(1),
            ..RetryConfig::default()
        };
        let mut client = match &self.keys {
            Some(keys) => {
                let client = AmazonS3Builder::new()
                    .with_access_key_id(&keys.access_key_id)
                    .with_secret_access_key(keys.secret_access_key.as_str());
                match &keys.session_token {
                    Some(token) => client.with_token(token.as_str()),
                    None => client,
                }
            }
            None => AmazonS3Builder::from_env(),
        };
        if let Some(region) = &self.region {
            client = client.with_region(region);
        }
        if let Some(endpoint) = &self.endpoint {
            client = client.with_endpoint(endpoint);
        }
        client.with_bucket_name(&self.bucket).with_client_options(options).with_retry(retry)
    }

    /// This build has no client for it.
    #[cfg(not(feature = "s3"))]
    #[expect(clippy::unused_async, reason = "it waits where there is a client")]
    pub(crate) async fn open(self) -> Result<Arc<dyn ObjectStore>, StoreError> {
        let reason = "this program was built without S3: build it with `--features s3`";
        Err(StoreError::Unavailable(format!("the bucket `{}`: {reason}", self.bucket)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        let keys = S3Keys {
            access_key_id: "AKIA1".to_owned(),
            secret_access_key: Zeroizing::new("very secret".to_owned()),
            session_token: Some(Zeroizing::new("also secret".to_owned())),
        };
        let s3 = S3 { keys: Some(keys), ..S3::default() };
        let shown = format!("{s3:?}");
        assert!(shown.contains("AKIA1") && !shown.contains("secret\""), "{shown}");
        assert!(!shown.contains("very secret") && !shown.contains("also secret"), "{shown}");
    }
}

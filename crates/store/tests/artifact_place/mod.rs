//! What holds of every place that artifacts are kept in.
#![expect(clippy::unwrap_used, reason = "a test helper fails the test")]

use std::{collections::BTreeSet, io, sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    RunId,
    authz::{Category, Permit, Read, Runs, SystemTask, Write},
    run::Outcome,
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{ObjectStore, ObjectStoreExt as _, path::Path};
use store::StoreError;
use tokio::{io::AsyncRead, time::timeout};
use tokio_util::io::StreamReader;

use crate::{
    common::House,
    nouns::{Owner, admin},
};

/// Larger than what is handed to a place at once, and no multiple of it.
const LARGE: usize = 12 * 1024 * 1024 + 17;

fn large() -> Vec<u8> {
    (0..LARGE).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

/// The names of all that lies in a place.
async fn names(place: &dyn ObjectStore) -> BTreeSet<String> {
    let found: Vec<_> = place.list(None).try_collect().await.unwrap();
    found.into_iter().map(|file| file.location.to_string()).collect()
}

async fn get(owner: &Owner, run: RunId, path: &str) -> Result<Bytes, StoreError> {
    let permit: Permit<Read, Runs> = owner.permit().await;
    owner.store.artifact(&permit, run, path, None).await?.bytes().await
}

/// Most of a large artifact, and then this.
fn most_and_then(end: Option<io::Error>) -> impl AsyncRead + Unpin {
    let most = stream::iter([Ok(Bytes::from(large()))]);
    match end {
        Some(error) => StreamReader::new(most.chain(stream::iter([Err(error)])).boxed()),
        None => StreamReader::new(most.chain(stream::pending()).boxed()),
    }
}

/// Artifacts of a house are in a place whole or not at all, are given as they were stored or not at
/// all, and go.
pub(crate) async fn holds_artifacts(house: &House, place: Arc<dyn ObjectStore>) {
    let ada = admin(house);
    let of = ada.furnish("sales", Category::Staging).await;
    let (lease, runner) = (ada.begin(of.job).await, ada.runner().await);
    let (run, whole) = (lease.run, large());
    let put = async |path: &str, text: &[u8]| {
        house.store.put_artifact(&runner, &lease, 1, path, text).await.unwrap();
    };
    put("manifest.json", &whole).await;
    put("small.json", b"one").await;
    put("small.json", b"{}").await;
    put("compiled/a b/%2e ä.sql", b"select 1").await;
    assert_eq!(get(&ada, run, "manifest.json").await.unwrap(), whole);
    assert_eq!(get(&ada, run, "small.json").await.unwrap(), "{}");
    assert_eq!(get(&ada, run, "compiled/a b/%2e ä.sql").await.unwrap(), "select 1");

    // What is not read to its end is never seen, whether reading fails or the writer is gone.
    let before = names(&*place).await;
    let failing = most_and_then(Some(io::Error::other("the disk is gone")));
    let half = house.store.put_artifact(&runner, &lease, 1, "half.json", failing).await;
    assert!(matches!(half, Err(StoreError::Unavailable(_))), "{half:?}");
    let waiting = house.store.put_artifact(&runner, &lease, 1, "half.json", most_and_then(None));
    assert!(timeout(Duration::from_millis(500), waiting).await.is_err());
    assert!(matches!(get(&ada, run, "half.json").await, Err(StoreError::NotFound)));
    assert_eq!(names(&*place).await, before);

    // One byte is another: a small one is refused, a large one lacks its end.
    let at = |path: &str| Path::from(format!("{}/{run}/1/{path}", house.account));
    let altered: Vec<u8> = whole.iter().enumerate().map(|(n, b)| b ^ u8::from(n == 9)).collect();
    place.put(&at("manifest.json"), altered.into()).await.unwrap();
    place.put(&at("small.json"), "[]".into()).await.unwrap();
    assert!(matches!(get(&ada, run, "small.json").await, Err(StoreError::Corrupt(_))));
    let permit: Permit<Read, Runs> = ada.permit().await;
    let found = house.store.artifact(&permit, run, "manifest.json", None).await.unwrap();
    let (mut given, mut pieces) = (0, found.into_pieces());
    let end = loop {
        match pieces.try_next().await {
            Ok(Some(piece)) => given += piece.len(),
            end => break end,
        }
    };
    assert!(matches!(end, Err(StoreError::Corrupt(_))), "{end:?}");
    assert!(given < LARGE, "{given}");
    place.put(&at("manifest.json"), "cut off".into()).await.unwrap();
    assert!(matches!(get(&ada, run, "manifest.json").await, Err(StoreError::Corrupt(_))));

    // A newer good run has some: these go, names and bytes.
    ada.finish(&lease, Outcome::Success).await;
    let newest = ada.begin(of.job).await;
    house.store.put_artifact(&runner, &newest, 1, "manifest.json", &b"{}"[..]).await.unwrap();
    ada.finish(&newest, Outcome::Success).await;
    house.clock.set(house.clock.now().plus_seconds(24 * 60 * 60));
    let keeper: Permit<Write, Runs> = house.task(SystemTask::Keeper).await;
    assert_eq!(house.store.prune_artifacts(&keeper, house.clock.now()).await.unwrap(), 2);
    let left = format!("{}/{}/1/manifest.json", house.account, newest.run);
    assert_eq!(names(&*place).await, [left].into());
    assert!(matches!(get(&ada, run, "small.json").await, Err(StoreError::Missing(_))));
}

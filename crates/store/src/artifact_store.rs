//! Where the bytes of artifacts lie, and how they come and go: piece by piece, never whole in memory.
//!
//! What is put there is seen whole or not at all. What is read is held to the size and the SHA-256
//! that it had then.

use std::{fmt, io, mem, sync::Arc};

use aws_lc_rs::digest::{Context, SHA256};
use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    stream::{self, BoxStream},
};
use object_store::{
    GetResult, GetResultPayload, ObjectStore, ObjectStoreExt as _, buffered::BufWriter,
    local::LocalFileSystem, path::Path,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
};
use tokio_util::io::ReaderStream;

use crate::{DataDir, S3, StoreError};

/// How much is read at once.
const PIECE: usize = 64 * 1024;
/// What is handed to the store at once; S3 takes no smaller parts.
const PART: usize = 5 * 1024 * 1024;
/// How many parts are under way at once.
const PARTS: usize = 2;
/// Up to this size an artifact is checked before its first byte is given.
const SMALL: u64 = 1024 * 1024;

/// Where a server keeps artifacts.
#[derive(Debug, Clone, Default)]
pub enum ArtifactPlace {
    /// In `artifacts/` of the data folder.
    #[default]
    Folder,
    /// In a bucket of an S3-compatible service.
    S3(S3),
}

impl ArtifactPlace {
    /// Opens the place, and makes sure that it can be used.
    pub(crate) async fn open(self, dir: &DataDir) -> Result<Arc<dyn ObjectStore>, StoreError> {
        match self {
            Self::Folder => folder(dir),
            Self::S3(s3) => s3.open().await,
        }
    }
}

/// Files are flushed to the disk before they count.
fn folder(dir: &DataDir) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let folder = dir.artifacts();
    std::fs::create_dir_all(&folder).map_err(unavailable)?;
    let store = LocalFileSystem::new_with_prefix(folder).map_err(unavailable)?;
    Ok(Arc::new(store.with_fsync(true).with_automatic_cleanup(true)))
}

pub(crate) fn unavailable(error: impl fmt::Display) -> StoreError {
    StoreError::Unavailable(format!("the artifact store: {error}"))
}

/// What an artifact was when it was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Print {
    /// In bytes.
    pub(crate) size: u64,
    /// Artifacts of old have none.
    pub(crate) sha256: Option<Vec<u8>>,
}

/// An artifact that is being read.
pub struct ArtifactContent {
    size: u64,
    pieces: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl ArtifactContent {
    /// How many bytes there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes as they are read. The last piece comes once all of them are known to be those that
    /// were stored; otherwise [`StoreError::Corrupt`] comes in its place.
    #[must_use]
    pub fn into_pieces(self) -> BoxStream<'static, Result<Bytes, StoreError>> {
        self.pieces
    }

    /// All bytes, for what is known to be small.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], [`StoreError::Unavailable`].
    pub async fn bytes(mut self) -> Result<Bytes, StoreError> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.pieces.try_next().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

impl fmt::Debug for ArtifactContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ArtifactContent({} bytes)", self.size)
    }
}

/// Puts what is read at a place, each piece to `also` too; it is seen once it is whole.
pub(crate) async fn put(
    store: Arc<dyn ObjectStore>,
    place: Path,
    from: impl AsyncRead + Unpin,
    also: Option<mpsc::Sender<Bytes>>,
) -> Result<Print, StoreError> {
    let mut writer = BufWriter::with_capacity(store, place, PART).with_max_concurrency(PARTS);
    match pour(from, &mut writer, also).await {
        Ok(print) => {
            writer.shutdown().await.map_err(unavailable)?;
            Ok(print)
        }
        Err(error) => {
            // What it wrote so far is in nobody's way, and a store that fails may fail in this too.
            let _ = writer.abort().await;
            Err(unavailable(error))
        }
    }
}

async fn pour(
    mut from: impl AsyncRead + Unpin,
    writer: &mut BufWriter,
    mut also: Option<mpsc::Sender<Bytes>>,
) -> io::Result<Print> {
    let (mut digest, mut size) = (Context::new(&SHA256), 0);
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        if from.read_buf(&mut piece).await? == 0 {
            break;
        }
        let piece = piece.freeze();
        digest.update(&piece);
        size += piece.len() as u64;
        if let Some(reader) = &also
            && reader.send(piece.clone()).await.is_err()
        {
            also = None;
        }
        writer.put(piece).await?;
    }
    Ok(Print { size, sha256: Some(digest.finish().as_ref().to_vec()) })
}

/// What was put at a place; `None` if that is not there any more, but something else.
pub(crate) async fn get(
    store: &dyn ObjectStore,
    place: &Path,
    print: Print,
) -> Result<Option<ArtifactContent>, StoreError> {
    let found = store.get(place).await.map_err(unavailable)?;
    let size = print.size;
    if found.meta.size != size {
        return Ok(None);
    }
    let Some(sha256) = print.sha256 else {
        return Ok(Some(ArtifactContent { size, pieces: pieces(found) }));
    };
    let content = ArtifactContent { size, pieces: held_to(sha256, pieces(found), place.clone()) };
    if size > SMALL {
        return Ok(Some(content));
    }
    match content.bytes().await {
        Ok(bytes) => {
            let pieces = stream::once(async { Ok(bytes) }).boxed();
            Ok(Some(ArtifactContent { size, pieces }))
        }
        Err(StoreError::Corrupt(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What there is to say where it is something else.
pub(crate) fn other_than_stored(place: &Path) -> StoreError {
    StoreError::Corrupt(format!("artifact {place} is not what was stored"))
}

fn pieces(found: GetResult) -> BoxStream<'static, Result<Bytes, StoreError>> {
    match found.payload {
        GetResultPayload::File(file, _) => {
            let file = tokio::fs::File::from_std(file);
            ReaderStream::with_capacity(file, PIECE).map_err(unavailable).boxed()
        }
        GetResultPayload::Stream(pieces) => pieces.map_err(unavailable).boxed(),
    }
}

/// Passes pieces on, each once the next is there, so that the last waits for the digest of all.
fn held_to(
    sha256: Vec<u8>,
    pieces: BoxStream<'static, Result<Bytes, StoreError>>,
    place: Path,
) -> BoxStream<'static, Result<Bytes, StoreError>> {
    let start = (pieces, Context::new(&SHA256), Bytes::new());
    stream::try_unfold(Some(start), move |state| {
        let (sha256, place) = (sha256.clone(), place.clone());
        async move {
            let Some((mut pieces, mut digest, mut last)) = state else { return Ok(None) };
            while let Some(piece) = pieces.try_next().await? {
                if piece.is_empty() {
                    continue;
                }
                digest.update(&piece);
                let ready = mem::replace(&mut last, piece);
                if !ready.is_empty() {
                    return Ok(Some((ready, Some((pieces, digest, last)))));
                }
            }
            if digest.finish().as_ref() != sha256 {
                return Err(other_than_stored(&place));
            }
            Ok(Some((last, None)))
        }
    })
    .boxed()
}

/// What another task sends, read as one text. It may wait: not for the runtime's own threads.
pub(crate) struct Pieces {
    from: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Pieces {
    /// What they are read from, and what they are sent with.
    pub(crate) fn new() -> (mpsc::Sender<Bytes>, Self) {
        let (to, from) = mpsc::channel(4);
        (to, Self { from, piece: Bytes::new() })
    }
}

impl io::Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            self.piece = self.from.blocking_recv().unwrap_or_default();
        }
        let length = io::Read::read(&mut self.piece.as_ref(), into)?;
        self.piece.advance(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(sha256: &[u8], pieces: &[&'static [u8]]) -> (Vec<u8>, Result<(), StoreError>) {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        let mut held = held_to(sha256.to_vec(), stream::iter(pieces).boxed(), Path::from("a"));
        let mut given = Vec::new();
        loop {
            match held.try_next().await {
                Ok(Some(piece)) => given.extend_from_slice(&piece),
                Ok(None) => return (given, Ok(())),
                Err(error) => return (given, Err(error)),
            }
        }
    }

    #[tokio::test]
    async fn the_last_piece_is_given_only_if_all_are_what_was_stored() {
        let sha256 = aws_lc_rs::digest::digest(&SHA256, b"one two");
        let fine: [&[&[u8]]; 3] = [&[b"one ", b"two"], &[b"one two"], &[b"", b"one t", b"wo", b""]];
        for pieces in fine {
            let (given, end) = read(sha256.as_ref(), pieces).await;
            assert!(end.is_ok() && given == b"one two", "{pieces:?}");
        }
        let damaged: [&[&[u8]]; 4] =
            [&[b"one ", b"tvo"], &[b"onf ", b"two"], &[b"one ", b"two", b""], &[]];
        for (pieces, known) in damaged.iter().zip([true, true, false, true]) {
            let sha256 = if known { sha256.as_ref() } else { &[0; 32] };
            let (given, end) = read(sha256, pieces).await;
            assert!(matches!(end, Err(StoreError::Corrupt(_))), "{pieces:?}");
            assert!(given.len() <= 4, "the last piece is kept back: {pieces:?}");
        }
        let nothing = aws_lc_rs::digest::digest(&SHA256, b"");
        assert!(read(nothing.as_ref(), &[]).await.1.is_ok());
    }

    #[tokio::test]
    async fn pieces_are_read_as_one_text() {
        let (to, mut text) = Pieces::new();
        let read = tokio::task::spawn_blocking(move || io::read_to_string(&mut text).unwrap());
        for piece in ["one ", "two ", "three"] {
            to.send(Bytes::from_static(piece.as_bytes())).await.unwrap();
        }
        drop(to);
        assert_eq!(read.await.unwrap(), "one two three");
    }
}

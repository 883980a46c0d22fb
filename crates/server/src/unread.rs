//! What a handler leaves unread of a body.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::header::EXPECT,
    middleware::Next,
    response::Response,
};
use futures_util::StreamExt as _;
use http_body::{Frame, SizeHint};

use crate::extract::MAX_BODY;

/// How long a body that nobody wants is still read.
const AT_MOST: Duration = Duration::from_secs(5);

/// Reads on, and forgets, what a handler leaves of the body: at most as much as a handler would
/// read, for 5 s.
///
/// A connection that is closed on a client that still sends is reset, and the client then sees an
/// error of the network in the place of the 401 or 403 that it was answered with. Clients that
/// wait to be asked for their body (`Expect: 100-continue`) are not asked.
pub(crate) async fn drain(request: Request, next: Next) -> Response {
    if request.headers().contains_key(EXPECT) {
        return next.run(request).await;
    }
    next.run(request.map(|body| Body::new(Drained(body)))).await
}

struct Drained(Body);

impl HttpBody for Drained {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.0).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

impl Drop for Drained {
    fn drop(&mut self) {
        let body = std::mem::take(&mut self.0);
        if !body.is_end_stream() {
            tokio::spawn(tokio::time::timeout(AT_MOST, forget(body)));
        }
    }
}

async fn forget(body: Body) {
    let (mut stream, mut seen) = (body.into_data_stream(), 0);
    while let Some(Ok(bytes)) = stream.next().await {
        seen += bytes.len();
        if seen > MAX_BODY {
            return;
        }
    }
}

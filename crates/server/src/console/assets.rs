//! What pages are dressed with: one stylesheet, one script, one icon. Their names hold a digest of
//! what is in them, so that a browser keeps each for good and asks anew only after an update.

use std::sync::LazyLock;

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest as _, Sha256};

use crate::{answer::Unchanged, error::ApiError};

/// How long a browser keeps one: a year, without asking.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A file that is part of the program.
pub(crate) struct Asset {
    /// `console.0a1b2c3d4e5f.css`
    pub(crate) name: String,
    content_type: &'static str,
    text: &'static str,
    tag: HeaderValue,
}

impl Asset {
    fn new(stem: &str, ending: &str, content_type: &'static str, text: &'static str) -> Self {
        let digest = Sha256::digest(text);
        let digest = digest.iter().take(6).fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
        let digest = format!("{digest:012x}");
        let tag = HeaderValue::from_str(&format!("\"{digest}\""))
            .expect("hexadecimal digits may stand in a header");
        Self { name: format!("{stem}.{digest}.{ending}"), content_type, text, tag }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> String {
        format!("/console/static/{}", self.name)
    }
}

/// Every asset.
pub(crate) struct Assets {
    /// The stylesheet.
    pub(crate) style: Asset,
    /// The script: copying, and comfort. No page needs it.
    pub(crate) script: Asset,
    /// The icon of a browser's tab.
    pub(crate) icon: Asset,
}

/// The assets of this build.
pub(crate) fn assets() -> &'static Assets {
    static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
        style: Asset::new(
            "console",
            "css",
            "text/css; charset=utf-8",
            include_str!("../../assets/console.css"),
        ),
        script: Asset::new(
            "console",
            "js",
            "text/javascript; charset=utf-8",
            include_str!("../../assets/console.js"),
        ),
        icon: Asset::new("icon", "svg", "image/svg+xml", include_str!("../../assets/icon.svg")),
    });
    &ASSETS
}

/// `GET /console/static/{file}`
pub(crate) async fn show(
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Assets { style, script, icon } = assets();
    let asset = [style, script, icon].into_iter().find(|asset| asset.name == file);
    let asset = asset.ok_or(ApiError::NoSuchPath)?;
    let kept = [(header::CACHE_CONTROL, KEPT), (header::ETAG, asset.tag.clone())];
    if headers.get(header::IF_NONE_MATCH) == Some(&asset.tag) {
        return Ok((kept, Unchanged).into_response());
    }
    Ok(([(header::CONTENT_TYPE, asset.content_type)], kept, asset.text).into_response())
}

//! What a run left: its files, and each of them as it is.

use askama::Template;
use axum::extract::State;
use domain::{
    RunId,
    authz::{Permit, Read, Runs},
};
use store::Artifact;

use super::{
    door::Visitor,
    form::Asked,
    icons,
    page::{Page, Shell},
    run_view::{RunView, named_in},
    token_view::curl,
};
use crate::{
    answer::File,
    app::App,
    error::ApiError,
    extract::{At, Remainder},
};

#[derive(Template)]
#[template(path = "artifacts.html")]
struct List<'a> {
    shell: Shell<'a>,
    run: RunView,
    ended: bool,
    files: Vec<FileView>,
}

/// A file of a step.
struct FileView {
    path: String,
    link: String,
    step: u32,
    size: String,
}

/// `GET /console/runs/{run_id}/artifacts`
pub(super) async fn list(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    visitor: Visitor,
    At(id): At<RunId>,
) -> Result<Page, ApiError> {
    let run = app.store.run(&permit, id).await?;
    let files = app.store.artifacts(&permit, id).await?;
    let names = app.store.names(&permit, &named_in([&run])).await?;
    let path = format!("/api/v2/accounts/{}/runs/{id}/artifacts/", permit.account());
    Page::of(&List {
        shell: Shell { visitor: &visitor, here: "runs", curl: curl(&app, &path) },
        ended: run.state.is_finished(),
        run: RunView::new(&run, &names, 0, app.store.clock().now()),
        files: files.into_iter().map(|file| FileView::new(id, file)).collect(),
    })
}

/// `GET /console/runs/{run_id}/artifacts/{remainder}?step=`: the file as it is.
pub(super) async fn show(
    permit: Permit<Read, Runs>,
    State(app): State<App>,
    At(id): At<RunId>,
    Remainder(path): Remainder,
    Asked(asked): Asked,
) -> Result<File, ApiError> {
    let bytes = app.store.artifact(&permit, id, &path, asked.first("step").parse().ok()).await?;
    Ok(File::named(&path, bytes))
}

impl FileView {
    fn new(run: RunId, file: Artifact) -> Self {
        let Artifact { step, path, size } = file;
        let encoded = url::Url::parse("http://localhost").map(|mut url| {
            if let Ok(mut parts) = url.path_segments_mut() {
                parts.extend(path.split('/'));
            }
            url.path().to_owned()
        });
        let encoded = encoded.unwrap_or_default();
        let link = format!("/console/runs/{run}/artifacts{encoded}?step={step}");
        Self { path, link, step, size: size_of(size) }
    }
}

/// `812 B`, `14 kB`, `3.4 MB`
fn size_of(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_of_a_file_leads_to_it_whatever_it_is_called() {
        let link = |path: &str| {
            let file = Artifact { step: 4, path: path.to_owned(), size: 1 };
            FileView::new(RunId::new(7).unwrap(), file).link
        };
        assert_eq!(link("manifest.json"), "/console/runs/7/artifacts/manifest.json?step=4");
        assert_eq!(link("a b/ü?#\"<"), "/console/runs/7/artifacts/a%20b/%C3%BC%3F%23%22%3C?step=4");
    }

    #[test]
    fn a_size_is_told_in_the_unit_that_fits() {
        let told = [12, 812_345, 3_450_000].map(size_of);
        assert_eq!(told, ["12 B", "812 kB", "3.4 MB"]);
    }
}

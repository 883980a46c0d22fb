//! What the real dbt leaves for a whole project: its documentation, and how fresh its sources are.

use std::{path::PathBuf, time::Duration};

use domain::{
    authz::{Permit, Read, Runs},
    project::ProjectSpec,
    run::Outcome,
    source_freshness::Verdict,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    process::Command,
};

use crate::{
    house::{House, real_dbt},
    shop::shop,
};

#[tokio::test(flavor = "multi_thread")]
async fn the_docs_of_the_shop_name_its_models_and_stale_sources_do_not_fail_a_run() {
    let house = House::new().await;
    let place = shop(&house).await;
    let seeds = house.job_with(place, &["dbt seed"], |job| job.generate_docs = true).await;
    let checks =
        house.job_with(place, &["dbt compile"], |job| job.run_generate_sources = true).await;
    let permit = house.permit();
    let shown = house.store.update_project(&permit, place.project, |spec| {
        let (docs_job, freshness_job) = (Some(seeds), Some(checks));
        Ok::<_, store::StoreError>(ProjectSpec { docs_job, freshness_job, ..spec })
    });
    shown.await.unwrap();

    let runner = house.runner(real_dbt()).await;
    let first = house.trigger(seeds).await;
    assert_eq!(house.ended(first).await.message, "", "{}", house.logs(first).await);
    let second = house.trigger(checks).await;
    let ended = house.ended(second).await;
    runner.stop().await;

    let permit: Permit<Read, Runs> = house.permit();
    let page = house.store.docs_page(&permit, place.project).await.unwrap();
    let page = String::from_utf8(page.bytes().await.unwrap().to_vec()).unwrap();
    assert!(page.starts_with("<!") && page.contains("model.shop.fct_orders"), "{}", page.len());
    match browser() {
        Some(browser) => {
            let seen = seen_in(browser, page).await;
            let title = seen.split("<h1>").nth(1).and_then(|rest| rest.split("</h1>").next());
            assert!(title.is_some_and(|title| title.contains("fct_orders")), "{seen}");
        }
        None => println!("no Chromium is here (scripts/test): the page was not opened in one"),
    }

    // One source is stale by the day, one by its seeds: the step says so, and the run goes well.
    let story = house.story(second).await;
    assert!(story.contains("`dbt source freshness`: Error"), "{story}");
    assert_eq!(ended.state.status(), Outcome::Success.into(), "{story}");
    let ((job, run), found) = house.store.source_freshness(&permit, place.project).await.unwrap();
    assert_eq!((job, run), (checks, second));
    let stale = found.sources.iter().find(|row| row.table == "old_customers").unwrap();
    let Verdict::Looked { status, age, .. } = &stale.verdict else { panic!("{stale:?}") };
    assert_eq!(status.word(), "error");
    assert!(*age > 60_000_000.0, "{age}");
}

/// A Chromium of this machine.
fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let files = std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)).into_iter());
    files.into_iter().find(|file| file.is_file())
}

/// What the server tells browsers of the page.
const POLICY: &str = "sandbox allow-scripts; default-src 'none'; \
    script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; \
    img-src data:; font-src data:";

/// How a browser is told to ask nobody but us.
const ALONE: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// What a browser shows of a model's page, served as the server does: without the scripts, whose own
/// text names every model.
async fn seen_in(browser: PathBuf, page: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = listener.local_addr().unwrap();
    let url = format!("http://{url}/#!/model/model.shop.fct_orders");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\
                 Content-Security-Policy: {POLICY}\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n",
                page.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(page.as_bytes()).await;
        }
    });
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command.args(ALONE).arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(["--virtual-time-budget=20000", "--dump-dom", &url]).kill_on_drop(true);
    let output = tokio::time::timeout(Duration::from_mins(2), command.output()).await;
    let shown = String::from_utf8_lossy(&output.unwrap().unwrap().stdout).into_owned();
    let mut parts = shown.split("<script");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once("</script>").map_or("", |(_, rest)| rest))
}

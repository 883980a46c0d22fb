//! Runs whose artifacts lie in a bucket of moto's server.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    process::{Child, Command, Stdio},
};

use reqwest::Method;
use serde_json::json;

use crate::{
    program::{Folder, Server},
    scripted::{dbt_script, scripted_job},
};

const SECRET: &str = "a secret key of some forty letters .....";

struct Moto {
    child: Child,
    address: String,
}

impl Moto {
    fn start() -> Self {
        let cached =
            || std::env::var("HOME").unwrap() + "/.cache/narrowgate/s3-venv/bin/moto_server";
        let program = std::env::var("NARROWGATE_TEST_MOTO").unwrap_or_else(|_| cached());
        let mut command = Command::new(program);
        command.args(["-p", "0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("Running on http://") {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "moto ended");
        }
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let address = line.trim().rsplit('/').next().unwrap().to_owned();
        Self { child, address }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{request} HTTP/1.0\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn artifacts_of_a_run_go_to_the_bucket_and_come_back_and_no_log_has_its_key() {
    let (folder, moto) = (Folder::new(), Moto::start());
    let admin = folder.init("Acme");
    assert!(moto.ask("PUT /artifacts").contains(" 200 OK"));
    let keys = folder.path("keys.toml");
    fs::write(&keys, format!("access_key_id = \"AKIA1\"\nsecret_access_key = \"{SECRET}\"\n"))
        .unwrap();
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o600)).unwrap();
    let place = format!(
        "bucket = \"artifacts\"\nprefix = \"ours\"\nendpoint = \"http://{}\"",
        moto.address
    );
    let text = format!("[artifacts.s3]\n{place}\ncredentials = {keys:?}\n");
    fs::write(folder.data().join("narrowgate.toml"), text).unwrap();
    let script = "mkdir target; echo '{\"nodes\": 1}' > target/manifest.json";
    let dbt = dbt_script(&folder, script).display().to_string();
    let log = fs::File::create(folder.path("log")).unwrap();
    let options = ["serve", "--listen", "127.0.0.1:0", "--log", "trace", "--dbt", &dbt];
    let mut server = Server::started(folder.command(&options).stderr(log));
    let job = scripted_job(&folder, &server, &admin, "dbt build");

    let followed = server.client(&admin, &["run", "trigger", &job, "--follow"]);

    assert!(followed.out.contains(": Success after"), "{followed:?}");
    let path = "/api/v2/accounts/1/runs/1/artifacts/manifest.json";
    assert_eq!(server.ask(Method::GET, &admin, path, None), json!({ "nodes": 1 }));
    let listed = moto.ask("GET /artifacts?list-type=2");
    assert!(listed.contains("<Key>ours/1/1/4/manifest.json</Key>"), "{listed}");
    assert_eq!(fs::read_dir(folder.data().join("artifacts")).unwrap().count(), 0);
    assert_eq!(server.terminate(), Some(0));
    let log = fs::read_to_string(folder.path("log")).unwrap();
    assert!(log.contains("a run ends") && !log.contains(SECRET), "{}", log.len());
}

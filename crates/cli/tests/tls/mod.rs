//! The real program over TLS: its certificate, and how it takes up a new one.
#![expect(clippy::unwrap_used, reason = "a test helper fails the test")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::program::{Folder, Server, narrowgate};

/// A certificate in the folder, and the options that serve it.
struct Certificate(PathBuf);

impl Certificate {
    fn made_in(folder: &Folder, names: &[&str]) -> Self {
        let made = Self(folder.path("tls"));
        made.make(names);
        made
    }

    fn make(&self, names: &[&str]) {
        let out = self.0.display().to_string();
        let names = names.iter().flat_map(|name| ["--name", name]);
        let arguments: Vec<_> = ["dev-cert", "--out", &out].into_iter().chain(names).collect();
        let said = narrowgate(&arguments);
        assert_eq!(said.code, Some(0), "{said:?}");
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn serve(&self, folder: &Folder) -> Server {
        let (cert, key) = (self.file("cert.pem"), self.file("key.pem"));
        let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
        let options = ["--tls-cert", cert, "--tls-key", key, "--log", "error"];
        Server::start_with(folder, &options)
    }
}

/// Asks `https://NAME:PORT/healthz` of this machine, and trusts the authority alone.
fn get(server: &Server, name: &str, authority: &Path) -> Result<reqwest::Response, reqwest::Error> {
    let authority = fs::read(authority).unwrap();
    let authority = reqwest::Certificate::from_pem(&authority).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .resolve(name, address(server))
        .build()
        .unwrap();
    let url = format!("https://{name}:{}/healthz", address(server).port());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(client.get(url).send())
}

fn address(server: &Server) -> std::net::SocketAddr {
    server.url.trim_start_matches("https://").parse().unwrap()
}

/// Until it is so, for at most 10 s.
fn until(so: impl Fn() -> bool) -> bool {
    let end = Instant::now() + Duration::from_secs(10);
    while !so() {
        if Instant::now() > end {
            return false;
        }
        #[expect(clippy::disallowed_methods, reason = "the test's own thread waits for a process")]
        std::thread::sleep(Duration::from_millis(100));
    }
    true
}

#[test]
fn answers_come_over_tls_for_each_name_of_the_certificate_and_say_so() {
    let folder = Folder::new();
    folder.init("Acme");
    let made = Certificate::made_in(&folder, &["metadata.localhost", "semantic-layer.localhost"]);
    let mut server = made.serve(&folder);
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let names = ["localhost", "metadata.localhost", "semantic-layer.localhost"];
    for name in names {
        let answer = get(&server, name, &made.file("ca.pem")).unwrap();
        assert_eq!(answer.status(), 200, "{name}");
        assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    }
    let other = get(&server, "example.com", &made.file("ca.pem")).unwrap_err();
    assert!(format!("{other:?}").contains("NotValidForName"), "{other:?}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn plain_http_on_the_tls_port_is_refused_and_not_redirected() {
    let folder = Folder::new();
    folder.init("Acme");
    let server = Certificate::made_in(&folder, &[]).serve(&folder);
    let mut stream = TcpStream::connect(address(&server)).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    // A TLS alert at most: seven bytes that are no HTTP.
    assert!(!said.starts_with(b"HTTP") && said.len() <= 7, "{said:?}");
}

#[test]
fn links_and_client_commands_go_by_https() {
    let folder = Folder::new();
    let admin = folder.init("Acme");
    let made = Certificate::made_in(&folder, &[]);
    let server = made.serve(&folder);
    let list = ["token", "list", "--json"];
    let trusted = server.client_with(&admin, &list, &[("SSL_CERT_FILE", &made.file("ca.pem"))]);
    assert_eq!(trusted.code, Some(0), "{trusted:?}");
    assert!(serde_json::from_str::<Value>(&trusted.out).is_ok(), "{trusted:?}");
    let distrusted = server.client(&admin, &list);
    assert_eq!(distrusted.code, Some(1), "{distrusted:?}");
}

#[test]
fn a_new_certificate_is_taken_up_while_the_server_runs() {
    let folder = Folder::new();
    folder.init("Acme");
    let made = Certificate::made_in(&folder, &[]);
    let server = made.serve(&folder);
    let authority = made.file("ca.pem");
    assert!(get(&server, "new.localhost", &authority).is_err());
    made.make(&["new.localhost"]);
    assert!(until(|| get(&server, "new.localhost", &authority).is_ok()));
}

#[test]
fn a_broken_file_leaves_the_old_certificate_in_place_until_it_is_mended() {
    let folder = Folder::new();
    folder.init("Acme");
    let made = Certificate::made_in(&folder, &[]);
    let server = made.serve(&folder);
    let authority = made.file("ca.pem");
    for broken in ["", "no PEM at all", &fs::read_to_string(made.file("ca.pem")).unwrap()] {
        fs::write(made.file("cert.pem"), broken).unwrap();
        #[expect(clippy::disallowed_methods, reason = "the server is to have looked by then")]
        std::thread::sleep(Duration::from_millis(2500));
        assert!(get(&server, "localhost", &authority).is_ok(), "{broken:?}");
    }
    fs::remove_file(made.file("key.pem")).unwrap();
    assert!(get(&server, "localhost", &authority).is_ok());
    made.make(&["mended.localhost"]);
    assert!(until(|| get(&server, "mended.localhost", &authority).is_ok()));
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start_with_one_line() {
    let folder = Folder::new();
    folder.init("Acme");
    let made = Certificate::made_in(&folder, &[]);
    let file = |name| made.file(name).display().to_string();
    let serve = |options: &[&str]| folder.serve(&[&["--listen", "127.0.0.1:0"], options].concat());
    let (cert, key, missing) = (file("cert.pem"), file("key.pem"), file("missing.pem"));
    let other_key = file("ca-key.pem");
    let cases = [
        (2, serve(&["--tls-cert", &cert]), "`tls_cert` and `tls_key` go together"),
        (1, serve(&["--tls-cert", &missing, "--tls-key", &key]), "cannot read"),
        (1, serve(&["--tls-cert", &key, "--tls-key", &key]), "holds no certificate in PEM"),
        (1, serve(&["--tls-cert", &cert, "--tls-key", &cert]), "holds no private key in PEM"),
        (1, serve(&["--tls-cert", &cert, "--tls-key", &other_key]), "do not go together"),
        (2, folder.serve(&["--listen", "0.0.0.0:0"]), "give --tls-cert and --tls-key"),
    ];
    for (code, said, words) in cases {
        assert_eq!(said.code, Some(code), "{words}: {said:?}");
        assert_eq!(said.err.trim_end().lines().count(), 1, "{words}: {said:?}");
        assert!(said.err.contains(words), "{words}: {said:?}");
        assert!(!said.err.contains("PRIVATE KEY"), "{said:?}");
    }
}

#[test]
fn with_tls_every_address_may_be_listened_on() {
    let folder = Folder::new();
    folder.init("Acme");
    let made = Certificate::made_in(&folder, &[]);
    let (cert, key) = (made.file("cert.pem"), made.file("key.pem"));
    let toml = format!("tls_cert = {cert:?}\nlisten = \"0.0.0.0:0\"\n");
    fs::write(folder.data().join("narrowgate.toml"), toml).unwrap();
    let mut command = folder.command(&["serve", "--no-runner"]);
    let server = Server::started(command.env("NARROWGATE_TLS_KEY", key));
    assert!(server.url.starts_with("https://0.0.0.0:"), "{}", server.url);
}

#[test]
fn the_keys_are_their_owners_alone_and_the_authority_stays() {
    let folder = Folder::new();
    let made = Certificate::made_in(&folder, &[]);
    let bits = |name| fs::metadata(made.file(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((bits("ca-key.pem"), bits("key.pem")), (0o600, 0o600));
    assert_eq!(fs::metadata(&made.0).unwrap().permissions().mode() & 0o777, 0o700);
    let read = |name| fs::read_to_string(made.file(name)).unwrap();
    let (authority, certificate) = (read("ca.pem"), read("cert.pem"));
    made.make(&[]);
    assert_eq!(read("ca.pem"), authority);
    assert_ne!(read("cert.pem"), certificate);
    let out = made.0.display().to_string();
    let said = narrowgate(&["dev-cert", "--out", &out, "--name", "ünknown name"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("`name`"), "{said:?}");
}

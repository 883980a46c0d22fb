//! Artifacts in a bucket: moto's server stands for Amazon's, and checks who signs each request.
#![expect(clippy::unwrap_used, reason = "a failure is a failed test")]

mod artifact_place;
mod common;
mod nouns;

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use artifact_place::holds_artifacts;
use common::{house_in, noon};
use domain::Plan;
use object_store::{ObjectStore, aws::AmazonS3Builder, prefix::PrefixStore};
use store::{ArtifactPlace, Clock, DataDir, Keyring, S3, S3Keys, Store};

/// The requests that need no signature: those that make the user and the bucket.
const UNSIGNED: &str = "4";

/// moto's server, with a bucket and a user.
struct Moto {
    child: Child,
    address: String,
    key: String,
    secret: String,
}

impl Moto {
    fn start() -> Self {
        let program = std::env::var("NARROWGATE_TEST_MOTO").unwrap_or_else(|_| {
            let home = std::env::var("HOME").unwrap();
            format!("{home}/.cache/narrowgate/s3-venv/bin/moto_server")
        });
        let mut child = Command::new(&program)
            .args(["-p", "0"])
            .env("INITIAL_NO_AUTH_ACTION_COUNT", UNSIGNED)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} (scripts/test installs it): {error}"));
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "moto ended");
            if let Some((_, address)) = line.trim().split_once("Running on http://") {
                break address.to_owned();
            }
        };
        // Else it would wait for somebody to read on.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        let mut moto = Self { child, address, key: String::new(), secret: String::new() };
        moto.ask("POST", "/", "Action=CreateUser&UserName=n");
        let made = moto.ask("POST", "/", "Action=CreateAccessKey&UserName=n");
        let of = |tag: &str| {
            made.split_once(&format!("<{tag}>")).unwrap().1.split('<').next().unwrap().to_owned()
        };
        (moto.key, moto.secret) = (of("AccessKeyId"), of("SecretAccessKey"));
        let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A\
                      %22Allow%22%2C%22Action%22%3A%22s3%3A*%22%2C%22Resource%22%3A%22*%22%7D%5D%7D";
        let allow = "Action=PutUserPolicy&UserName=n&PolicyName=p&PolicyDocument=";
        moto.ask("POST", "/", &format!("{allow}{policy}"));
        moto.ask("PUT", "/artifacts", "");
        moto
    }

    /// A request that is not signed; gives the answer.
    fn ask(&self, method: &str, path: &str, form: &str) -> String {
        let (service, length) = (if path == "/" { "iam" } else { "s3" }, form.len());
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {length}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nAuthorization: AWS4-HMAC-SHA256 \
             Credential=x/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, \
             Signature=x\r\n\r\n{form}",
            self.address
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains(" 200 OK"), "{answer}");
        answer
    }

    fn bucket(&self) -> S3 {
        S3 {
            bucket: "artifacts".to_owned(),
            prefix: Some("narrowgate/ours".to_owned()),
            endpoint: Some(format!("http://{}", self.address)),
            keys: Some(S3Keys {
                access_key_id: self.key.clone(),
                secret_access_key: self.secret.clone().into(),
                session_token: None,
            }),
            region: None,
        }
    }

    /// The bucket, past the store.
    fn raw(&self) -> Arc<dyn ObjectStore> {
        let client = AmazonS3Builder::new()
            .with_allow_http(true)
            .with_endpoint(format!("http://{}", self.address))
            .with_access_key_id(&self.key)
            .with_secret_access_key(&self.secret)
            .with_bucket_name("artifacts");
        Arc::new(PrefixStore::new(client.build().unwrap(), "narrowgate/ours"))
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_bucket_holds_artifacts_as_the_folder_does_and_opens_to_its_key_alone() {
    let moto = Moto::start();
    let house = house_in(Plan::Enterprise, ArtifactPlace::S3(moto.bucket())).await;
    holds_artifacts(&house, moto.raw()).await;
    let folder = house.store.data_dir().artifacts();
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0, "nothing lies beside it");

    let mut wrong = moto.bucket();
    let secret = "no secret of anybody's, forty letters ..";
    wrong.keys.as_mut().unwrap().secret_access_key = secret.to_owned().into();
    let missing = S3 { bucket: "nowhere".to_owned(), ..moto.bucket() };
    for (bucket, why) in [(wrong, "SignatureDoesNotMatch"), (missing, "NoSuchBucket")] {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path().join("data"));
        let keyring = Keyring::load_or_create(&dir.keyring()).unwrap();
        let (clock, place) = (Clock::fixed(noon()), ArtifactPlace::S3(bucket));
        let said = Store::open_with(&dir, keyring, clock, place).await.unwrap_err().to_string();
        assert!(said.contains("` cannot be used: ") && said.contains(why), "{said}");
        assert!(!said.contains(secret) && !said.contains(&moto.secret), "{said}");
    }
}

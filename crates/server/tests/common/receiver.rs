//! What webhooks of tests are sent to: a small real server.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use domain::{kept::Hidden, webhook::signature};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::{Instant, sleep},
};

pub(crate) const OK: &str =
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nfine\n";
pub(crate) const BROKEN: &str = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
pub(crate) const MOVED: &str = "HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\
                                Connection: close\r\n\r\n";

/// Gives these answers one after another, the last one for good, and keeps what came.
pub(crate) struct Receiver {
    pub(crate) url: String,
    came: Arc<Mutex<Vec<String>>>,
}

/// What came: its head, in small letters, and its body.
pub(crate) struct Delivery {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Receiver {
    pub(crate) async fn answering(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
        let came = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&came);
        tokio::spawn(async move {
            let mut answers = answers.iter().copied();
            let mut answer = OK;
            while let Ok((mut stream, _)) = listener.accept().await {
                answer = answers.next().unwrap_or(answer);
                let mut text = String::new();
                let mut buffer = vec![0; 4096];
                // The head, and a body as long as it says.
                while !is_whole(&text) {
                    let read = stream.read(&mut buffer).await.unwrap_or(0);
                    if read == 0 {
                        break;
                    }
                    text.push_str(&String::from_utf8_lossy(buffer.get(..read).unwrap()));
                }
                kept.lock().unwrap().push(text);
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, came }
    }

    /// What came so far.
    pub(crate) fn so_far(&self) -> Vec<Delivery> {
        let requests = self.came.lock().unwrap().clone();
        let delivery = |request: String| {
            let (head, body) = request.split_once("\r\n\r\n").unwrap();
            Delivery { head: head.to_lowercase(), body: body.to_owned() }
        };
        requests.into_iter().map(delivery).collect()
    }

    /// Waits until so many have come.
    pub(crate) async fn came(&self, count: usize) -> Vec<Delivery> {
        let end = Instant::now() + Duration::from_secs(30);
        while self.came.lock().unwrap().len() < count {
            assert!(Instant::now() < end, "{} of {count} came", self.so_far().len());
            sleep(Duration::from_millis(20)).await;
        }
        self.so_far()
    }
}

impl Delivery {
    pub(crate) fn payload(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Whether it is signed with this secret, as dbt's page has it checked.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let signed = signature(&Hidden::new(secret.to_owned()), self.body.as_bytes());
        self.head.contains(&format!("authorization: {signed}"))
    }
}

fn is_whole(text: &str) -> bool {
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.to_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length:").and_then(|value| value.trim().parse::<usize>().ok())
    });
    body.len() >= length.unwrap_or(0)
}

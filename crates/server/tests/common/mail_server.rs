//! A mail server of one test: it takes mail, and keeps what was said to it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

/// Refuses what goes to `nobody@…`, and the first mail to `busy@…`.
pub(crate) struct MailServer {
    pub(crate) url: String,
    heard: Arc<Mutex<Heard>>,
}

#[derive(Default)]
struct Heard {
    /// All lines of all connections, as they came.
    lines: Vec<String>,
    /// The mails that were taken.
    mails: Vec<String>,
    /// Whom the first mail was refused to.
    refused: BTreeSet<String>,
}

impl MailServer {
    pub(crate) async fn new() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let heard = Arc::new(Mutex::new(Heard::default()));
        let ears = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&ears)));
            }
        });
        Self { url, heard }
    }

    /// All lines so far, commands and mails.
    pub(crate) fn heard(&self) -> String {
        self.heard.lock().unwrap().lines.join("\n")
    }

    /// The mails that were taken so far, each from its first header on.
    pub(crate) fn taken(&self) -> Vec<String> {
        self.heard.lock().unwrap().mails.clone()
    }

    /// Waits until so many were taken; gives them.
    pub(crate) async fn mails(&self, count: usize) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let taken = self.taken();
            if taken.len() >= count {
                return taken;
            }
            assert!(Instant::now() < end, "{} of {count} mails", taken.len());
            sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn talk(stream: TcpStream, heard: Arc<Mutex<Heard>>) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    write.write_all(b"220 mail.example ESMTP\r\n").await.unwrap();
    let mut mail: Option<Vec<String>> = None;
    while let Ok(Some(line)) = lines.next_line().await {
        let answer = {
            let mut heard = heard.lock().unwrap();
            heard.lines.push(line.clone());
            match (&mut mail, line.as_str()) {
                (Some(text), ".") => {
                    heard.mails.push(text.join("\n"));
                    mail = None;
                    "250 taken\r\n"
                }
                (Some(text), _) => {
                    text.push(line);
                    continue;
                }
                (None, "DATA") => {
                    mail = Some(Vec::new());
                    "354 go on\r\n"
                }
                (None, command) => answer(command, &mut heard.refused),
            }
        };
        if write.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

fn answer(command: &str, refused: &mut BTreeSet<String>) -> &'static str {
    match command.split(' ').next().unwrap_or_default() {
        "EHLO" => "250-mail.example\r\n250 8BITMIME\r\n",
        "QUIT" => "221 bye\r\n",
        "RCPT" if command.contains("nobody@") => "550 no such user\r\n",
        "RCPT" if command.contains("busy@") && refused.insert(command.to_owned()) => {
            "451 later\r\n"
        }
        _ => "250 fine\r\n",
    }
}

//! What a webhook of a test is sent to.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test helper fails the test")]

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
};

use serde_json::Value;

/// The next delivery: its connection, not answered yet, and its body.
pub(crate) fn delivery(receiver: &TcpListener) -> (TcpStream, Value) {
    let (mut stream, _) = receiver.accept().unwrap();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "{}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&buffer[..read]);
        let whole = String::from_utf8_lossy(&text);
        let Some((_, body)) = whole.split_once("\r\n\r\n") else { continue };
        if let Ok(body) = serde_json::from_str(body) {
            return (stream, body);
        }
    }
}

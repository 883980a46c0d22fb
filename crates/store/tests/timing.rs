//! Looking a token up leaks no part of it: what is looked up is a keyed digest. SECURITY line 4.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failure is a failed test")]

mod common;

use std::time::{Duration, Instant};

use domain::secret::{TokenKind, TokenSecret};

/// `secret` with another character at `place` of the random part, and the checksum that fits.
fn changed(secret: &TokenSecret, place: usize) -> TokenSecret {
    let mut text = secret.reveal().as_bytes()[..41].to_vec();
    let place = 5 + place;
    text[place] = if text[place] == b'x' { b'y' } else { b'x' };
    let mut rest = crc32fast::hash(&text);
    let mut digits = Vec::new();
    for _ in 0..6 {
        let digit = (rest % 62) as usize;
        let alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        digits.push(alphabet[digit]);
        rest /= 62;
    }
    digits.reverse();
    text.extend(digits);
    TokenSecret::parse(&String::from_utf8(text).unwrap()).unwrap()
}

#[tokio::test]
async fn first_byte_last_byte_and_absent_tokens_take_the_same_time() {
    let house = common::house().await;
    let absent = [
        changed(&house.secret, 0),
        changed(&house.secret, 35),
        common::secret(TokenKind::Personal, 99),
    ];
    // In turn, so that whatever else the machine does falls on all of them alike.
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..1_000 {
        for (times, secret) in times.iter_mut().zip(&absent) {
            let begun = Instant::now();
            assert!(house.store.authenticate(secret).await.unwrap().is_none());
            times.push(begun.elapsed());
        }
    }
    let medians = times.map(|mut times| {
        times.sort_unstable();
        times[times.len() / 2]
    });
    let (least, most) = (*medians.iter().min().unwrap(), *medians.iter().max().unwrap());
    // A comparison that stops at the first wrong byte differs by nanoseconds, which no caller sees
    // through a database; what is held here is that no other path is taken.
    assert!(most < least + least / 4 + Duration::from_micros(20), "{medians:?}");
}

//! How fast texts without tokens are looked through: `cargo bench --workspace --bench scan`. Goal:
//! 1 GB/s on one core.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot start may as well stop")]

use std::hint::black_box;

use divan::{Bencher, counter::BytesCount};
use domain::scan::Scan;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

const SIZE: usize = 16 << 20;
const PIECE: usize = 256 << 10;

fn main() {
    divan::main();
}

fn look(bencher: Bencher<'_, '_>, text: &[u8]) {
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let (mut scan, mut found, mut from) = (Scan::default(), 0, 0);
        while from < text.len() {
            let to = (from + PIECE).min(text.len());
            let piece = text.get(from..to).unwrap();
            from += scan.feed(black_box(piece), to == text.len(), |_| found += 1);
        }
        assert_eq!(found, 0);
    });
}

/// Source code: this file, over and over.
#[divan::bench]
fn source_code(bencher: Bencher<'_, '_>) {
    let text: Vec<u8> = include_bytes!("scan.rs").iter().copied().cycle().take(SIZE).collect();
    look(bencher, &text);
}

/// Base64 in lines of 76, as in keys and mail.
#[divan::bench]
fn base64(bencher: Bencher<'_, '_>) {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut rng = StdRng::seed_from_u64(1);
    let digit = |place: usize, number: usize| {
        if place % 77 == 76 { b'\n' } else { *DIGITS.get(number).unwrap() }
    };
    let text: Vec<u8> = (0..SIZE).map(|place| digit(place, rng.random_range(0..64))).collect();
    look(bencher, &text);
}

/// Random bytes, as in what is compressed.
#[divan::bench]
fn binary(bencher: Bencher<'_, '_>) {
    let mut rng = StdRng::seed_from_u64(1);
    let text: Vec<u8> = (0..SIZE).map(|_| rng.random()).collect();
    look(bencher, &text);
}

/// What is full of beginnings of tokens that are none.
#[divan::bench]
fn beginnings(bencher: Bencher<'_, '_>) {
    let text: Vec<u8> = b"ngst_ ngpt_0 ngit_\n".iter().copied().cycle().take(SIZE).collect();
    look(bencher, &text);
}

//! `narrowgate dev-cert`: a local authority, and a certificate by it.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    process::ExitCode,
};

use chrono::Datelike as _;
use domain::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use store::Clock;

use crate::{args::DevCertArgs, error::CliError, output};

/// What the certificate is for unless more is asked.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// Ten years: it is trusted by hand, once.
const AUTHORITY_DAYS: i64 = 3650;
/// The longest that browsers take.
const CERTIFICATE_DAYS: i64 = 397;

pub(super) fn run(args: &DevCertArgs) -> Result<ExitCode, CliError> {
    let folder = &args.out;
    let wrong = |error| CliError::Other(format!("{}: {error}", folder.display()));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)?;
    let now = Clock::System.now();
    let authority = authority(folder, now)?;
    let names: Vec<_> = NAMES.iter().map(ToString::to_string).chain(args.names.clone()).collect();
    let key = KeyPair::generate().map_err(CliError::other)?;
    let certificate = certificate(&names, now)?;
    let certificate = certificate.signed_by(&key, &authority).map_err(CliError::other)?;
    // A running server that reads between the two keeps its old pair, and reads again.
    write(&folder.join("key.pem"), &key.serialize_pem(), 0o600)?;
    write(&folder.join("cert.pem"), &certificate.pem(), 0o644)?;
    output::line(format!(
        "a certificate for {}, for {CERTIFICATE_DAYS} days\nserve it: --tls-cert {} --tls-key {}\n\
         let clients trust {}: SSL_CERT_FILE, for Python REQUESTS_CA_BUNDLE too",
        names.join(", "),
        folder.join("cert.pem").display(),
        folder.join("key.pem").display(),
        folder.join("ca.pem").display(),
    ));
    Ok(ExitCode::SUCCESS)
}

/// The folder's authority, made if it is not there.
fn authority(folder: &Path, now: Timestamp) -> Result<Issuer<'static, KeyPair>, CliError> {
    let (file, key_file) = (folder.join("ca.pem"), folder.join("ca-key.pem"));
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Narrowgate local authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid(&mut params, now, AUTHORITY_DAYS);
    if file.exists() && key_file.exists() {
        let told = |error: String| CliError::Other(format!("{}: {error}", key_file.display()));
        let text = fs::read_to_string(&key_file).map_err(|error| told(error.to_string()))?;
        let key = KeyPair::from_pem(&text).map_err(|error| told(error.to_string()))?;
        return Ok(Issuer::new(params, key));
    }
    let key = KeyPair::generate().map_err(CliError::other)?;
    let own = params.self_signed(&key).map_err(CliError::other)?;
    write(&key_file, &key.serialize_pem(), 0o600)?;
    write(&file, &own.pem(), 0o644)?;
    Ok(Issuer::new(params, key))
}

fn certificate(names: &[String], now: Timestamp) -> Result<CertificateParams, CliError> {
    let wrong = |_| CliError::Other("`name` must be host names or addresses".to_owned());
    let mut params = CertificateParams::new(names).map_err(wrong)?;
    params.distinguished_name.push(DnType::CommonName, "Narrowgate on this machine");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, now, CERTIFICATE_DAYS);
    Ok(params)
}

/// From yesterday on, since clocks differ.
fn valid(params: &mut CertificateParams, now: Timestamp, days: i64) {
    const DAY: i64 = 24 * 60 * 60;
    let (year, month, day) = date(now.plus_seconds(-DAY));
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = date(now.plus_seconds(days * DAY));
    params.not_after = rcgen::date_time_ymd(year, month, day);
}

fn date(time: Timestamp) -> (i32, u8, u8) {
    let date = time.as_datetime().date_naive();
    let small = |number: u32| u8::try_from(number).expect("months and days are below 32");
    (date.year(), small(date.month()), small(date.day()))
}

/// Puts a file in place as a whole, so that no reader sees half of it.
fn write(file: &Path, text: &str, mode: u32) -> Result<(), CliError> {
    let written = || -> std::io::Result<()> {
        let new = file.with_extension("new");
        let _ = fs::remove_file(&new);
        let mut options = fs::OpenOptions::new();
        let mut opened = options.write(true).create_new(true).mode(mode).open(&new)?;
        opened.write_all(text.as_bytes())?;
        fs::rename(&new, file)
    };
    written().map_err(|error| CliError::Other(format!("{}: {error}", file.display())))
}

//! Values: what parses prints as itself, and no text makes a parser panic.

use domain::{
    JobId, Name, Plan, Timestamp,
    authz::{Categories, Category, License, PermissionSet, PrincipalId, ResourceKind},
    connection::DuckDbPath,
    environment::BranchName,
    job::DbtCommand,
    project::Subdirectory,
    repository::RemoteUrl,
    secret::{TokenKind, TokenSecret},
};
use proptest::{collection::vec, prelude::*, sample::select};
use rand::{SeedableRng as _, rngs::StdRng};

/// Texts made of what parsers look at, and of anything.
fn text() -> impl Strategy<Value = String> {
    const PIECES: [&str; 42] = [
        "dbt",
        "build",
        "run",
        " ",
        "--select",
        "--profiles-dir",
        "=",
        "'",
        "\"",
        "\\",
        "#",
        ";",
        "$(",
        "/",
        "..",
        ".",
        ":",
        "@",
        "-",
        "file://",
        "https://",
        "git",
        "host",
        "ext::",
        "~",
        "\n",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "é",
        "@{",
        "*",
        "[",
        "1",
        "2026-11-23",
        "T",
        "17:03:60",
        "+24:00",
        "Z",
        "all",
        "user",
    ];
    let pieces = vec(select(&PIECES[..]), 0..8).prop_map(|pieces| pieces.concat());
    let anything = vec(any::<char>(), 0..300).prop_map(String::from_iter);
    prop_oneof![4 => pieces, 1 => anything, 1 => any::<String>()]
}

/// Defines the law for a type: what it takes, it gives back as text, which it takes again.
macro_rules! prints_what_it_parsed {
    ($($name:ident: $type:ty;)*) => {
        proptest! {$(
            #[test]
            fn $name(text in text()) {
                if let Ok(value) = <$type>::parse(&text) {
                    prop_assert_eq!(<$type>::parse(value.as_str()).unwrap(), value.clone());
                    let json = serde_json::to_string(&value).unwrap();
                    prop_assert_eq!(serde_json::from_str::<$type>(&json).unwrap(), value);
                } else {
                    let json = serde_json::to_string(&text).unwrap();
                    prop_assert!(serde_json::from_str::<$type>(&json).is_err());
                }
            }
        )*}
    };
}

prints_what_it_parsed! {
    a_branch_name_prints_what_it_parsed: BranchName;
    a_dbt_command_prints_what_it_parsed: DbtCommand;
    a_duckdb_path_prints_what_it_parsed: DuckDbPath;
    a_remote_url_prints_what_it_parsed: RemoteUrl;
    a_subdirectory_prints_what_it_parsed: Subdirectory;
}

proptest! {
    #[test]
    fn a_name_keeps_its_text(text in text()) {
        if let Ok(name) = Name::parse(text.as_str()) {
            prop_assert_eq!(name.as_str(), text);
        }
    }

    #[test]
    fn a_name_holds_no_token_wherever_it_stands(before in "\\PC{0,9}", after in "\\PC{0,9}", seed in any::<u64>()) {
        let secret = TokenSecret::mint(TokenKind::Service, &mut StdRng::seed_from_u64(seed));
        let name = Name::parse(format!("{before}{}{after}", secret.reveal()));
        prop_assert_eq!(name, Err(domain::InvalidName::Token));
    }

    #[test]
    fn a_relative_path_stays_inside(text in text()) {
        let paths = [
            Subdirectory::parse(&text).map(|path| path.as_str().to_owned()).ok(),
            DuckDbPath::parse(&text).map(|path| path.as_str().to_owned()).ok(),
        ];
        for path in paths.into_iter().flatten() {
            let path = std::path::Path::new(&path);
            let plain = |part: std::path::Component| matches!(part, std::path::Component::Normal(_));
            prop_assert!(path.components().all(plain), "{}", path.display());
        }
    }

    #[test]
    fn git_takes_no_address_or_branch_for_an_option(text in text()) {
        prop_assert!(!RemoteUrl::parse(&text).is_ok_and(|url| url.as_str().starts_with('-')));
        prop_assert!(!BranchName::parse(&text).is_ok_and(|name| name.as_str().starts_with('-')));
        let runs = |url: RemoteUrl| url.as_str().split_once("::").is_some_and(|(helper, _)| !helper.contains(['/', '@']));
        prop_assert!(!RemoteUrl::parse(&text).is_ok_and(runs));
    }

    #[test]
    fn a_step_runs_dbt_and_nothing_else(text in text()) {
        let words = shlex::split(text.trim()).unwrap_or_default();
        match DbtCommand::parse(&text) {
            Ok(command) => {
                prop_assert_eq!(words.first().map(String::as_str), Some("dbt"));
                prop_assert_eq!(command.arguments(), &words[1..]);
                let option = |word: &String| word.split('=').next().unwrap_or("").to_owned();
                let reserved = |word: &String| DbtCommand::RESERVED.contains(&option(word).as_str());
                prop_assert!(!words.is_empty() && !words.iter().any(reserved));
            }
            Err(error) => prop_assert!(!error.to_string().is_empty()),
        }
    }

    #[test]
    fn what_does_not_begin_with_dbt_is_refused(program in "[a-zA-Z./-]{1,8}", rest in text()) {
        prop_assume!(program != "dbt");
        let line = [program, rest].join(" ");
        prop_assert!(DbtCommand::parse(&line).is_err(), "{}", line);
    }

    #[test]
    fn an_id_prints_what_it_parsed(value in any::<i64>(), text in text()) {
        match JobId::new(value) {
            Ok(id) => prop_assert_eq!(id.to_string().parse(), Ok(id)),
            Err(_) => prop_assert!(value <= 0),
        }
        if let Ok(id) = text.parse::<JobId>() {
            prop_assert!(id.get() > 0);
        }
    }

    #[test]
    fn a_principal_prints_what_it_parsed(id in 1..i64::MAX, text in text()) {
        for kind in ["service_token", "user"] {
            let text = format!("{kind}:{id}");
            prop_assert_eq!(text.parse::<PrincipalId>().unwrap().to_string(), text);
        }
        prop_assert!(text.parse::<PrincipalId>().is_err());
    }

    #[test]
    fn categories_print_what_they_parsed(words in vec(select(&["all", "development", "staging", "production", "other"][..]), 0..6)) {
        let set = Categories::parse(&words).unwrap();
        prop_assert_eq!(Categories::parse(&set.words()).unwrap(), set);
        let every = Category::ALL.iter().all(|category| words.contains(&category.key()));
        prop_assert_eq!(set == Categories::ALL, every || words.contains(&"all"));
    }
}

/// From the first moment of year 0 to the last of year 9999.
fn micros() -> impl Strategy<Value = i64> {
    prop_oneof![-62_167_219_200_000_000..=253_402_300_799_999_999_i64, 0..4_000_000_000_000_000_i64]
}

proptest! {
    #[test]
    fn a_time_prints_what_it_parsed(micros in micros()) {
        let time = Timestamp::from_micros(micros).unwrap();
        prop_assert_eq!(time.micros(), micros);
        prop_assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
        prop_assert_eq!(time.to_string().len(), "2026-11-23T17:03:00.123456+00:00".len());
    }

    #[test]
    fn times_sort_as_text(one in micros(), other in micros()) {
        let (one, other) = (Timestamp::from_micros(one).unwrap(), Timestamp::from_micros(other).unwrap());
        prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
        prop_assert_eq!(one.cmp(&other), one.micros().cmp(&other.micros()));
    }

    #[test]
    fn a_time_that_parses_is_one_that_databases_give_back(text in text()) {
        if let Ok(time) = Timestamp::parse(&text) {
            prop_assert_eq!(Timestamp::from_micros(time.micros()), Some(time));
            prop_assert_eq!(Timestamp::parse(&time.to_string()), Ok(time));
        }
    }

    #[test]
    fn adding_seconds_stays_on_the_calendar(start in micros(), seconds in any::<i64>()) {
        let start = Timestamp::from_micros(start).unwrap();
        let end = start.plus_seconds(seconds);
        prop_assert_eq!(Timestamp::from_micros(end.micros()), Some(end));
        let forward = if seconds < 0 { end <= start } else { end >= start };
        prop_assert!(forward);
    }
}

#[test]
fn times_of_every_form_are_read() {
    let whole = Timestamp::parse("2026-11-23T17:03:00+00:00").unwrap();
    for text in [
        "2026-11-23T17:03:00Z",
        " 2026-11-23T18:03:00.000000+01:00 ",
        "2026-11-23 17:03:00",
        "2026-11-23 17:03:00.0",
        "2026-11-23 17:03:00+00:00",
        "2026-11-23 17:03:00.000000+00:00",
        "2026-11-23T17:03:00",
    ] {
        assert_eq!(Timestamp::parse(text), Ok(whole), "{text}");
    }
    assert_eq!(
        Timestamp::parse("2026-11-23").unwrap().to_string(),
        "2026-11-23T00:00:00.000000+00:00"
    );
    // The second that some days have more is the first of the next.
    assert_eq!(
        Timestamp::parse("2016-12-31T23:59:60Z").unwrap().to_string(),
        "2017-01-01T00:00:00.000000+00:00"
    );
    for text in [
        "",
        "now",
        "2026-13-01",
        "9999-12-31T23:59:59-00:01",
        "+10000-01-01T00:00:00Z",
        "1700000000",
    ] {
        assert!(Timestamp::parse(text).is_err(), "{text}");
    }
}

#[test]
fn words_of_closed_lists_print_what_they_parsed() {
    assert!(PermissionSet::all().all(|set| set.key().parse() == Ok(set)));
    assert!(ResourceKind::ALL.iter().all(|kind| kind.key().parse() == Ok(*kind)));
    assert!(Plan::ALL.iter().all(|plan| plan.key().parse() == Ok(*plan)));
    assert!(License::ALL.iter().all(|license| license.key().parse() == Ok(*license)));
}

#[test]
fn addresses_that_git_would_run_or_that_show_a_secret_are_refused() {
    for text in [
        "/srv/git/shop",
        "file:///srv/git/shop",
        "https://host/shop.git",
        "http://host:8080/shop",
        "ssh://git@host:22/shop",
        "git://host/shop",
        "git@host:group/shop.git",
        "https://user@host/shop",
    ] {
        assert!(RemoteUrl::parse(text).is_ok(), "{text}");
    }
    for text in [
        "",
        "shop",
        "./shop",
        "-oProxyCommand=x",
        "--upload-pack=x",
        "ext::sh -c x",
        "a@b::x",
        "ssh://-oProxyCommand=x/y",
        "https://user:word@host/shop",
        "ssh://git:word@host/shop",
        "https://host/a b",
        "https://host/a\nb",
        "file://",
        "fd::17",
        "javascript:x",
        "C:\\shop",
    ] {
        assert!(RemoteUrl::parse(text).is_err(), "{text}");
    }
}

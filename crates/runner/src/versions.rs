//! Which dbt executes a run, where there are several.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use store::DataDir;

use crate::folder;

/// The programs of this machine, by the version that they are asked for with: `1.11`, or `1.11.2`.
pub type DbtVersions = BTreeMap<String, PathBuf>;

/// The file that a finished installation has: what its dbt calls its version.
const MARK: &str = "version";

/// A dbt that `narrowgate dbt install` has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledDbt {
    /// What it is asked for with.
    pub name: String,
    /// What it calls itself: `1.11.2`.
    pub version: String,
    /// The program.
    pub program: PathBuf,
}

/// What is installed in a data folder, oldest version first; half installations are not told.
#[must_use]
pub fn installed_dbts(data_dir: &DataDir) -> Vec<InstalledDbt> {
    let entries = fs::read_dir(data_dir.dbt()).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<_> = names.filter_map(|name| installed(data_dir, &name)).collect();
    found.sort_by_key(|dbt| numbers(&dbt.version));
    found
}

/// The finished installation of this name.
pub(crate) fn installed(data_dir: &DataDir, name: &str) -> Option<InstalledDbt> {
    let folder = data_dir.dbt().join(name);
    let version = fs::read_to_string(folder.join(MARK)).ok()?.trim().to_owned();
    let program = folder::absolute(&folder).join("bin/dbt");
    Some(InstalledDbt { name: name.to_owned(), version, program })
}

/// Notes that an installation is finished.
pub(crate) fn mark(folder: &Path, version: &str) -> std::io::Result<()> {
    fs::write(folder.join(MARK), version)
}

/// All that runs may ask for: what is installed, and over it what is configured.
pub(crate) fn table(configured: &DbtVersions, data_dir: &DataDir) -> DbtVersions {
    let installed = installed_dbts(data_dir).into_iter().map(|dbt| (dbt.name, dbt.program));
    let configured = configured.iter().map(|(name, program)| (name.clone(), program.clone()));
    installed.chain(configured).collect()
}

/// The program for the version that a run asks for: the one of that name, or of its minor version;
/// of a minor version without a program of its own, the newest patch. Words (`latest`) mean the
/// default, and so does everything where there is no table.
///
/// # Errors
/// A sentence that names the version, the table and what it has.
pub(crate) fn pick<'a>(
    asked: &str,
    table: &'a DbtVersions,
    default: &'a Path,
) -> Result<&'a Path, String> {
    let is_word = !asked.starts_with(|first: char| first.is_ascii_digit());
    let minor = minor(asked);
    let newest = || {
        let patches = table.iter().filter(|(name, _)| asked == minor && self::minor(name) == minor);
        Some(patches.max_by_key(|(name, _)| numbers(name))?.1)
    };
    match table.get(asked).or_else(|| table.get(&minor)).or_else(newest) {
        Some(program) => Ok(program),
        None if is_word || table.is_empty() => Ok(default),
        None => {
            let names: Vec<_> = table.keys().map(String::as_str).collect();
            Err(format!(
                "dbt {asked} is asked for, and this runner has {}: add it to `[dbt_versions]` of \
                 its configuration, or `narrowgate dbt install {minor}`",
                names.join(", ")
            ))
        }
    }
}

/// `1.11` of `1.11.2` and of `1.11.0-latest`.
fn minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

/// A version's numbers, by which it is older or newer than others.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picked(asked: &str, names: &[&str]) -> Result<String, String> {
        let table = names.iter().map(|name| ((*name).to_owned(), name.into())).collect();
        let program = pick(asked, &table, Path::new("default"));
        program.map(|program| program.display().to_string())
    }

    #[test]
    fn the_version_itself_goes_before_its_minor_version_and_words_mean_the_default() {
        let table = ["1.11", "1.11.2", "1.9.1", "1.9.10"];
        for (asked, expected) in [
            ("1.11.2", "1.11.2"),
            ("1.11", "1.11"),
            ("1.11.7", "1.11"),
            ("1.11.0-latest", "1.11"),
            ("1.9", "1.9.10"),
            ("latest", "default"),
            ("versionless", "default"),
        ] {
            assert_eq!(picked(asked, &table).as_deref(), Ok(expected), "{asked}");
        }
        assert_eq!(picked("latest", &["latest"]).as_deref(), Ok("latest"));
    }

    #[test]
    fn a_version_that_is_not_in_the_table_is_an_error_that_names_it() {
        for asked in ["1.10", "1.1", "1.9.2", "2.0.1", "1"] {
            let told = picked(asked, &["1.11", "1.9.1"]).unwrap_err();
            let expected = format!("dbt {asked} is asked for, and this runner has 1.11, 1.9.1: ");
            assert!(told.starts_with(&expected) && told.contains("`[dbt_versions]`"), "{told}");
        }
        assert_eq!(picked("1.10", &[]).as_deref(), Ok("default"));
    }

    #[test]
    fn only_finished_installations_are_told_oldest_first() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::new(folder.path());
        assert_eq!(installed_dbts(&dir), []);
        for name in ["1.11", "1.9", "half"] {
            fs::create_dir_all(dir.dbt().join(name)).unwrap();
        }
        mark(&dir.dbt().join("1.11"), "1.11.2").unwrap();
        mark(&dir.dbt().join("1.9"), "1.9.10\n").unwrap();
        let found = installed_dbts(&dir);
        let told: Vec<_> = found.iter().map(|dbt| (&*dbt.name, &*dbt.version)).collect();
        assert_eq!(told, [("1.9", "1.9.10"), ("1.11", "1.11.2")]);
        let configured = DbtVersions::from([("1.9".to_owned(), "/opt/dbt".into())]);
        let table = table(&configured, &dir);
        assert_eq!(table["1.9"], Path::new("/opt/dbt"));
        assert!(table["1.11"].ends_with("dbt/1.11/bin/dbt"));
    }
}

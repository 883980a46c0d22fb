//! Programs, by path or by name.

use std::{
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// The program that a path, or a name in this process's `PATH`, stands for; `None` if there is none
/// that can be executed.
#[must_use]
pub fn find_program(program: &Path) -> Option<PathBuf> {
    if program.components().count() > 1 {
        return is_program(program).then(|| program.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_executed_is_a_program() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dbt");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        assert_eq!(find_program(&file), None);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_program(&file), Some(file));
        assert_eq!(find_program(folder.path()), None);
        assert!(find_program(Path::new("sh")).is_some_and(|sh| sh.is_absolute()));
        assert_eq!(find_program(Path::new("no-such-program-anywhere")), None);
    }
}

# Shared by scripts/demo and scripts/test, which source it from the repository's root.
# shellcheck shell=bash

say() { printf '==> %s\n' "$*"; }

# Ends the script with one line. `$me` is the script's name.
die() {
    printf '%s: %s\n' "${me:-narrowgate}" "$*" >&2
    exit 1
}

# need PROGRAM HINT
need() { command -v "$1" >/dev/null 2>&1 || die "$1 is missing: $2"; }

# at_least WANTED FOUND: both as 1.95 or 1.95.0
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }

check_rust() {
    local wanted found
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    need cargo "install Rust $wanted or newer"
    need rustc "install Rust $wanted or newer"
    found=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) || true
    [ -n "$found" ] || die "rustc does not run: install Rust $wanted or newer"
    at_least "$wanted" "$found" || die "rustc is $found: install Rust $wanted or newer"
    need cc "install a C compiler (Debian: build-essential); SQLite and the cryptography are C"
}

# Sets `python` to a Python that dbt runs on and that can make virtual environments.
find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import ensurepip, sys, venv
sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
            python=$candidate
            return
        fi
    done
    die "Python 3.11, 3.12 or 3.13 with its venv module is missing (Debian: python3 and python3-venv)"
}

# make_venv FOLDER REQUIREMENTS: a virtual environment that holds exactly the pinned versions.
#
# The stamp says for which requirements and which place it was made: while it agrees, nothing is
# done; otherwise the environment is made anew. The lock keeps two scripts out of each other's way.
make_venv() (
    folder=$1 requirements=$2
    stamp="$(cksum <"$requirements") $folder"
    mkdir -p "$(dirname "$folder")"
    if command -v flock >/dev/null 2>&1; then
        exec 9>"$folder.lock"
        flock 9
    fi
    if [ "$(cat "$folder/stamp" 2>/dev/null)" = "$stamp" ] && "$folder/bin/python" -c '' 2>/dev/null; then
        exit 0
    fi
    rm -rf "$folder"
    "$python" -m venv "$folder" || exit 1
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --requirement "$requirements" || exit 1
    printf '%s\n' "$stamp" >"$folder/stamp"
)

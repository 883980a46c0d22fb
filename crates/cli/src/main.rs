//! `narrowgate`: one program for the server and for those who talk to it.
//!
//! This crate reads arguments, wires the others together and prints. It decides nothing: its
//! client commands go over HTTP like anybody else's, and its local ones (`init`, `audit verify`,
//! `token import`) show the store a permit of one of Narrowgate's own tasks.

mod args;
mod artifacts;
mod commands;
mod config;
mod error;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::Arguments;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match commands::run(arguments).await {
        Ok(code) => code,
        Err(error) => {
            output::complain(&error);
            error.exit_code()
        }
    }
}

//! `gradus sandbox fetch`.

use super::tell::Teller;
use super::{CommandError, NamedPath, print};
use crate::cli::sandbox::FetchArgs;
use crate::exit::Exit;
use gradus_fetch::git::{FetchOptions, Fetched, Fetcher};
use gradus_fetch::net::Secret;
use std::fs;
use std::io::Read;
use std::path::Path;

/// Longest token.
const TOKEN_BYTES_MAX: u64 = 4096;

pub(super) fn run(arguments: &FetchArgs) -> Result<Exit, CommandError> {
    let token = token(arguments)?;
    let parent = match arguments.dir.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    fs::metadata(parent).map_err(NamedPath::of(
        "DIR",
        &arguments.dir,
        "it is a directory that is made, in one that is there",
    ))?;
    let mut options = FetchOptions {
        plain_loopback: arguments.insecure_loopback,
        ..FetchOptions::default()
    };
    options.limits.total = arguments.time;
    for server in &arguments.trusted {
        options.reach = options.reach.trust(server);
    }
    let fetched = Fetcher::new(options).fetch(
        &arguments.url,
        &arguments.commit,
        token.as_ref(),
        &arguments.dir,
    )?;
    let teller = Teller::new();
    for note in notes(&fetched) {
        teller.note(&note);
    }
    print(&match arguments.json {
        true => serde_json::to_string_pretty(&fetched).expect("plain data") + "\n",
        false => format!("{}\n", fetched.tree),
    })?;
    Ok(Exit::Done)
}

/// What may surprise whoever builds from these files.
fn notes(fetched: &Fetched) -> Vec<String> {
    let mut notes = Vec::new();
    for path in &fetched.submodules {
        notes.push(format!("{path} is a submodule: an empty directory"));
    }
    if fetched.lfs_pointers > 0 {
        let count = fetched.lfs_pointers;
        notes.push(format!(
            "{count} files are pointers of git's LFS, without the contents that they stand for"
        ));
    }
    if fetched.links_out > 0 {
        let count = fetched.links_out;
        notes.push(format!("{count} links lead out of the tree"));
    }
    notes
}

fn token(arguments: &FetchArgs) -> Result<Option<Secret>, CommandError> {
    if let Some(name) = &arguments.token_env {
        return match std::env::var(name) {
            Ok(token) if !token.is_empty() => Ok(Some(Secret::new(token))),
            _ => Err(CommandError::NoToken(name.clone())),
        };
    }
    let Some(path) = &arguments.token_file else {
        return Ok(None);
    };
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text))
        .map_err(NamedPath::of(
            "--token-file",
            path,
            "it names a file with a token and nothing else",
        ))?;
    Ok(Some(Secret::new(text.trim())))
}

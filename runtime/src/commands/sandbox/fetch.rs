//! `gradus sandbox fetch`.

use super::registries::authorities;
use super::{CommandError, print};
use crate::cli::sandbox::FetchArgs;
use crate::exit::Exit;
use crate::printable::printable;
use gradus_fetch::git::{FetchOptions, Fetched, Fetcher};
use gradus_fetch::net::Secret;
use std::io::{self, Read, Write};

/// Longest token.
const TOKEN_BYTES_MAX: u64 = 4096;

pub(super) fn run(arguments: &FetchArgs) -> Result<Exit, CommandError> {
    let token = token(arguments)?;
    let mut options = FetchOptions {
        plain_loopback: arguments.insecure_loopback,
        ..FetchOptions::default()
    };
    options.limits.total = arguments.time;
    options.reach = options.reach.vouched_by(authorities()?);
    for server in &arguments.trusted {
        options.reach = options.reach.trust(server);
    }
    let fetched = Fetcher::new(options).fetch(
        &arguments.url,
        &arguments.commit,
        token.as_ref(),
        &arguments.dir,
    )?;
    for note in notes(&fetched) {
        let _ = writeln!(io::stderr(), "gradus: {}", printable(&note));
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
            _ => Err(CommandError::Usage(format!(
                "the variable {name} holds no token"
            ))),
        };
    }
    let Some(path) = &arguments.token_file else {
        return Ok(None);
    };
    let io = |source| CommandError::Io {
        what: path.display().to_string(),
        source,
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(io)?;
    file.take(TOKEN_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(io)?;
    Ok(Some(Secret::new(text.trim())))
}

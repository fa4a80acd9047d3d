//! `gradus sandbox fetch`.

use super::tell::Teller;
use super::{CommandError, NamedPath, print};
use crate::cli::sandbox::FetchArgs;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use gradus_fetch::git::{FetchOptions, Fetched, Fetcher, remove_left};
use gradus_fetch::net::Secret;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How often it is looked whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

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
    let fetched = fetch(Fetcher::new(options), arguments, token)?;
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

/// Fetches. Ctrl-C ends the process, wherever it waits, and leaves nothing.
fn fetch(
    fetcher: Fetcher,
    arguments: &FetchArgs,
    token: Option<Secret>,
) -> Result<Fetched, CommandError> {
    let interrupt = Interrupt::listen();
    let (url, commit, dir) = (
        arguments.url.clone(),
        arguments.commit,
        arguments.dir.clone(),
    );
    let (answer, answered) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody waits for it after Ctrl-C.
        let _ = answer.send(fetcher.fetch(&url, &commit, token.as_ref(), &dir));
    });
    loop {
        match answered.recv_timeout(LOOK_EVERY) {
            Ok(fetched) => return Ok(fetched?),
            Err(RecvTimeoutError::Timeout) if interrupt.requested() => {
                remove_left(&arguments.dir, true);
                return Err(CommandError::Interrupted);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => unreachable!("it answers or panics"),
        }
    }
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

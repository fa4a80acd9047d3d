//! `gradus sandbox pull`.

use super::{CommandError, print, registries};
use crate::cli::sandbox::PullArgs;
use crate::exit::Exit;
use crate::printable::printable;
use gradus_fetch::registry::{PullEvent, Puller};
use gradus_image::store::Store;
use gradus_sandbox::sandbox::Sandbox;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// What was pulled, on standard output.
#[derive(Serialize)]
struct Report {
    reference: String,
    resolved: String,
    manifest: String,
    image: String,
    layers: usize,
    fetched_bytes: u64,
}

pub(super) fn run(sandbox: &Sandbox, arguments: &PullArgs) -> Result<Exit, CommandError> {
    let store = Store::open(&sandbox.state().images())?;
    let pin = store.pin()?;
    let mut options = registries::options(&arguments.registries)?;
    options.limits.total = arguments.time;
    let shown = Shown::new(arguments.quiet);
    let pulled = Puller::new(options).pull(&store, &pin, &arguments.reference, &|event| {
        shown.show(event)
    });
    shown.bar.finish_and_clear();
    let pulled = pulled?;
    for name in registries::names(&arguments.reference) {
        store.tag(&name, &pulled.image.config)?;
    }
    let report = Report {
        reference: pulled.reference.to_string(),
        resolved: pulled.resolved.to_string(),
        manifest: pulled.manifest.to_string(),
        image: pulled.image.config.to_string(),
        layers: pulled.image.layers.len(),
        fetched_bytes: pulled.fetched_bytes,
    };
    print(&match arguments.json {
        true => serde_json::to_string_pretty(&report).expect("plain data") + "\n",
        false => format!("{}\n", report.reference),
    })?;
    Ok(Exit::Done)
}

/// A bar on a terminal, lines elsewhere.
struct Shown {
    bar: ProgressBar,
    lines: bool,
    done: Mutex<HashMap<String, u64>>,
}

impl Shown {
    fn new(quiet: bool) -> Shown {
        let terminal = io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if quiet || !terminal {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = "{bytes} of {total_bytes}  {bytes_per_sec}  {msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("a template of ours"));
        Shown {
            bar,
            lines: !quiet && !terminal,
            done: Mutex::new(HashMap::new()),
        }
    }

    fn show(&self, event: PullEvent) {
        match event {
            PullEvent::Passed { server, reason } => {
                self.line(&format!("{server}: {reason}"));
            }
            PullEvent::Resolved {
                digest,
                layers,
                bytes,
            } => {
                self.bar.set_length(bytes);
                self.line(&format!("{digest}: {layers} layers, {bytes} bytes"));
            }
            PullEvent::Layer {
                digest,
                done,
                total,
            } => {
                let mut all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
                let before = all.insert(digest.to_string(), done).unwrap_or(0);
                self.bar.inc(done.saturating_sub(before));
                drop(all);
                self.bar.set_message(match done == total {
                    true => "unpacking",
                    false => "fetching",
                });
            }
            PullEvent::Applied { digest, had } => {
                let how = if had { "was there" } else { "taken" };
                if self.lines {
                    self.line(&format!("{digest}: {how}"));
                }
            }
        }
    }

    fn line(&self, text: &str) {
        let text = printable(text.lines().next().unwrap_or_default());
        if self.lines {
            // Nobody reads it: no reason to stop.
            let _ = writeln!(io::stderr(), "{text}");
        } else {
            self.bar.println(text);
        }
    }
}

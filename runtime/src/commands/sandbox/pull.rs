//! `gradus sandbox pull`.

use super::tell::Teller;
use super::{CommandError, print, registries};
use crate::bytes::ByteSize;
use crate::cli::sandbox::PullArgs;
use crate::exit::Exit;
use gradus_fetch::registry::{PullEvent, Puller};
use gradus_image::store::Store;
use gradus_sandbox::sandbox::Sandbox;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::collections::HashMap;
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

/// What happens, for programs.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Said<'a> {
    /// a server was asked in vain, and the next one is
    Passed { server: &'a str, reason: &'a str },
    /// what the name stands for
    Resolved {
        digest: &'a str,
        layers: usize,
        bytes: u64,
    },
    /// a layer is in the store; whether it was before
    Layer { digest: &'a str, had: bool },
}

/// A bar on a terminal, lines elsewhere.
struct Shown {
    teller: Teller,
    bar: ProgressBar,
    done: Mutex<HashMap<String, u64>>,
}

impl Shown {
    fn new(quiet: bool) -> Shown {
        let teller = Teller::unless(quiet);
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if !teller.is_for_people() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = "{bytes} of {total_bytes}  {bytes_per_sec}  {msg}";
        bar.set_style(ProgressStyle::with_template(style).expect("a template of ours"));
        Shown {
            teller,
            bar,
            done: Mutex::new(HashMap::new()),
        }
    }

    fn show(&self, event: PullEvent) {
        match event {
            PullEvent::Passed { server, reason } => {
                let reason = reason.lines().next().unwrap_or_default();
                let (server, text) = (&server, format!("{server}: {reason}"));
                self.line(&Said::Passed { server, reason }, text);
            }
            PullEvent::Resolved {
                digest,
                layers,
                bytes,
            } => {
                self.bar.set_length(bytes);
                let digest = &digest.to_string();
                let text = format!("{digest}: {layers} layers, {}", ByteSize(bytes));
                self.line(
                    &Said::Resolved {
                        digest,
                        layers,
                        bytes,
                    },
                    text,
                );
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
            // The bar shows it.
            PullEvent::Applied { .. } if self.teller.is_for_people() => {}
            PullEvent::Applied { digest, had } => {
                let digest = &digest.to_string();
                self.line(&Said::Layer { digest, had }, String::new());
            }
        }
    }

    fn line(&self, event: &Said<'_>, text: String) {
        self.bar.suspend(|| self.teller.tell(event, || text));
    }
}

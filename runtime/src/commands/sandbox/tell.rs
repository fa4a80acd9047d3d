//! What commands say on standard error besides what they are for: lines for people on a terminal, elsewhere lines of JSON, as errors and the
//! progress of evaluations are.

use crate::printable::printable_lines;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::time::Instant;

/// Says what happens, in the form that fits who listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teller {
    started: Instant,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    People,
    Programs,
    Nothing,
}

/// An event and when it was, in seconds since the command began.
#[derive(Serialize)]
struct Line<'a, T> {
    #[serde(flatten)]
    event: &'a T,
    elapsed_s: f64,
}

/// Something worth knowing that is no failure.
#[derive(Serialize)]
#[serde(tag = "event", rename = "note")]
struct Note<'a> {
    text: &'a str,
}

impl Teller {
    /// For whoever reads standard error.
    pub(super) fn new() -> Teller {
        Teller {
            started: Instant::now(),
            form: match io::stderr().is_terminal() {
                true => Form::People,
                false => Form::Programs,
            },
        }
    }

    /// The same; with `quiet` it says nothing.
    pub(super) fn unless(quiet: bool) -> Teller {
        let teller = Teller::new();
        match quiet {
            true => Teller {
                form: Form::Nothing,
                ..teller
            },
            false => teller,
        }
    }

    /// Whether people read it.
    pub(super) fn is_for_people(&self) -> bool {
        self.form == Form::People
    }

    /// Says `event` to programs, to people the line or lines that `text` makes, whose control characters are escaped.
    pub(super) fn tell(&self, event: &impl Serialize, text: impl FnOnce() -> String) {
        if self.form == Form::Nothing {
            return;
        }
        let line = match self.form {
            Form::People => printable_lines(&text()),
            _ => {
                let elapsed_s = self.started.elapsed().as_millis() as f64 / 1000.0;
                serde_json::to_string(&Line { event, elapsed_s }).expect("events have text keys")
            }
        };
        // Nobody may be reading: no reason to stop.
        let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
    }

    /// Says `text`.
    pub(super) fn note(&self, text: &str) {
        self.tell(&Note { text }, || format!("gradus: {text}"));
    }
}

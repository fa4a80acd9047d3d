//! Exit codes, and how errors are shown.
//!
//! | code | meaning |
//! |---|---|
//! | 0 | every candidate has a score |
//! | 1 | the command failed: nothing was scored; or `bench` or `chain doctor` found something wrong |
//! | 2 | the arguments do not fit |
//! | 3 | the command finished, but some candidate has no score; or weights are on their way and not proven |
//! | 130 | interrupted |
//!
//! `gradus sandbox run` has those of the program that it runs, and 124 to 127 as programs that start programs have.

use crate::cli::{Cli, Command};
use crate::commands;
use crate::commands::eval::EvalError;
use crate::interrupt::INTERRUPTED;
use crate::printable::printable_lines;
use serde::Serialize;
use std::ffi::OsString;
use std::fmt;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All of it was done.
    Done,
    /// It was done, but not for every candidate.
    SomeFailed,
    /// It was not done, and has said why.
    Failed,
    /// A program was run, and this is its exit code, or the one that says how it ended.
    Program(u8),
    /// A measurement was made, and says that something is wrong.
    Wrong,
}

/// Runs the command that the arguments name.
pub fn main_with(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::read(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that went away is no reason to complain.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let result: Result<Exit, (u8, Shown)> =
        match cli.command {
            Command::Eval(arguments) => commands::eval::run(&arguments)
                .map_err(|error| (code_of(&error), Shown::new(&error))),
            Command::Bench(arguments) => {
                commands::bench::run(&arguments).map_err(|error| (error.code(), Shown::new(&error)))
            }
            Command::Sandbox(arguments) => commands::sandbox::run(&arguments)
                .map_err(|error| (error.code(), Shown::new(&error))),
            Command::Weights(arguments) => commands::weights::run(&arguments)
                .map_err(|error| (error.code(), Shown::new(&error))),
            Command::Tournament(arguments) => commands::tournament::run(&arguments)
                .map_err(|error| (error.code(), Shown::new(&error))),
            Command::Chain(arguments) => {
                commands::chain::run(&arguments).map_err(|error| (error.code(), Shown::new(&error)))
            }
            Command::Doctor(arguments) => Ok(commands::doctor::run(&arguments)),
        };
    match result {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Wrong) => ExitCode::from(1),
        Ok(Exit::SomeFailed) => ExitCode::from(3),
        Ok(Exit::Program(code)) => ExitCode::from(code),
        Ok(Exit::Failed) => ExitCode::FAILURE,
        Err((code, shown)) => {
            show(shown);
            ExitCode::from(code)
        }
    }
}

fn code_of(error: &EvalError) -> u8 {
    match error {
        EvalError::Interrupted => INTERRUPTED,
        EvalError::Output(error) if error.is_usage() => 2,
        EvalError::Usage(_) => 2,
        _ => 1,
    }
}

/// An error and its causes, with the advice taken out of the messages.
#[derive(Debug, Serialize)]
pub struct Shown {
    event: &'static str,
    /// What happened, outermost first.
    reasons: Vec<String>,
    /// What to do.
    help: Option<String>,
}

impl Shown {
    /// Reads an error's chain. A line that starts with `help: ` is advice.
    pub fn new(error: &dyn std::error::Error) -> Self {
        let (mut reasons, mut help) = (Vec::new(), Vec::new());
        let mut next = Some(error);
        while let Some(error) = next {
            let text = printable_lines(&error.to_string());
            let (advice, message): (Vec<&str>, Vec<&str>) = text
                .lines()
                .partition(|line| line.trim_start().starts_with("help: "));
            let message = message.join("\n");
            // A wrapper that repeats its cause says nothing of its own.
            if reasons.last() != Some(&message) {
                reasons.push(message);
            }
            help.extend(
                advice
                    .iter()
                    .map(|line| line.trim_start().trim_start_matches("help: ").to_owned()),
            );
            next = error.source();
        }
        Self {
            event: "error",
            reasons,
            help: (!help.is_empty()).then(|| help.join("\n")),
        }
    }

    /// As one text: the reasons on a line, then a line `help: ...` for each piece of advice.
    pub fn text(&self) -> String {
        let mut text = self.reasons.join(": ");
        for advice in self.help.iter().flat_map(|help| help.lines()) {
            text.push_str("\nhelp: ");
            text.push_str(advice);
        }
        text
    }
}

fn show(shown: Shown) {
    let mut stderr = std::io::stderr();
    // Piped, this is the last of the JSON lines. Nobody is left to tell if stderr is gone.
    let _ = if stderr.is_terminal() {
        writeln!(stderr, "{:?}", miette::Report::new(Link::chain(shown)))
    } else {
        let line = serde_json::to_string(&shown).unwrap_or_else(|_| shown.reasons.join(": "));
        writeln!(stderr, "{line}")
    };
}

/// One level of a shown error.
#[derive(Debug)]
struct Link {
    message: String,
    cause: Option<Box<Link>>,
    help: Option<String>,
}

impl Link {
    fn chain(shown: Shown) -> Self {
        let mut chain = None;
        for message in shown.reasons.into_iter().rev() {
            chain = Some(Box::new(Link {
                message,
                cause: chain,
                help: None,
            }));
        }
        let chain = chain.map_or_else(
            || Link {
                message: String::new(),
                cause: None,
                help: None,
            },
            |link| *link,
        );
        Link {
            help: shown.help,
            ..chain
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Link {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl miette::Diagnostic for Link {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer\nhelp: do this")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner \u{1b}[31m\nhelp: or that")]
    struct Inner;

    #[test]
    fn advice_leaves_the_messages_and_escapes_stay_out() {
        let shown = Shown::new(&Outer(Inner));
        assert_eq!(shown.reasons, ["outer", "inner \\u{1b}[31m"]);
        assert_eq!(shown.help.as_deref(), Some("do this\nor that"));
        assert_eq!(
            shown.text(),
            "outer: inner \\u{1b}[31m\nhelp: do this\nhelp: or that"
        );
        let text = format!("{:?}", miette::Report::new(Link::chain(shown)));
        assert!(
            text.contains("outer") && text.contains("inner") && text.contains("do this"),
            "{text}"
        );
    }
}

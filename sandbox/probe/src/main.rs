//! A hostile program, for tests of sandboxes: it tries what submissions may try, and says how far it came.
//!
//! ```text
//! gradus-probe all-static [NAME=VALUE]…    every question that has one answer, a line of JSON each
//! gradus-probe NAME [NAME=VALUE]…          one question, or one load
//! gradus-probe list                        their names
//! ```
//! | module | is about |
//! |---|---|
//! | [`questions`] | what is refused or allowed, asked once: system calls, files, processes, network |
//! | [`loads`] | what exhausts something, or outlives something: bombs, floods, daemons |
//! | [`verdict`] | answers, as JSON |
//! | [`call`] | system calls by number, each question in a process of its own |
//! | [`arguments`] | what a test tells about the host: where its secrets lie, where it listens |
//!
//! It is static, so that it runs on a root with no other file, and it does nothing to a host that lets it through: calls are made
//! with arguments that cannot work, files are opened and not written to, signals are number 0.

mod arguments;
mod call;
mod loads;
mod questions;
mod verdict;

use std::process::ExitCode;

use arguments::Arguments;

fn main() -> ExitCode {
    // Before anything here opens one.
    let descriptors = questions::descriptors_at_start();
    let mut words = std::env::args().skip(1);
    let Some(name) = words.next() else {
        eprintln!("gradus-probe: no attack is named; `gradus-probe list` lists them");
        return ExitCode::from(2);
    };
    let arguments = Arguments::new(words, descriptors);
    if name == "list" {
        let names = questions::ALL.iter().map(|question| question.name);
        for name in names.chain(loads::ALL.iter().map(|load| load.0)) {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    if name == "all-static" {
        for question in questions::ALL {
            println!("{}", question.ask(&arguments).json(question.name));
        }
        return ExitCode::SUCCESS;
    }
    if let Some(question) = questions::ALL.iter().find(|question| question.name == name) {
        println!("{}", question.ask(&arguments).json(question.name));
        return ExitCode::SUCCESS;
    }
    match loads::ALL.iter().find(|load| load.0 == name) {
        Some((_, load)) => load(&arguments),
        None => {
            eprintln!("gradus-probe: {name:?} is no attack; `gradus-probe list` lists them");
            ExitCode::from(2)
        }
    }
}

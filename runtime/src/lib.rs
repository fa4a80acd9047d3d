//! The gradus command's parts: from arguments to an evaluation, and from an evaluation to what people read.
//!
//! | module | is about |
//! |---|---|
//! | [`cli`] | the arguments |
//! | [`commands`] | what each subcommand does |
//! | [`device_arg`] | `--device` |
//! | [`checker`] | commands that judge a submission's source, and their verdicts |
//! | [`candidates`] | `NAME=PATH` to directories, local or from the hub |
//! | [`example`] | the task that is embedded in the binary |
//! | [`progress`] | a bar for people, JSON lines for programs |
//! | [`interrupt`] | Ctrl-C |
//! | [`compare`] | an evaluation to places, duels and bounds |
//! | [`table`] | the ranked table on the terminal |
//! | [`results`] | the JSON files: ours, and the subnet's |
//! | [`report`] | the HTML page |
//! | [`input_file`] | files that arguments name, up to a limit |
//! | [`output_file`] | whole files or none |
//! | [`hub`] | models from the hub, in the cache that all programs share |
//! | [`host`] | what this machine has |
//! | [`bytes`] | `2GiB` |
//! | [`printable`] | text of unknown origin on a terminal |
//! | [`chain`] | nodes that agree, and a subnet that they agree on |
//! | [`device`] | GPUs: what is there, how it does, whose it is |
//! | [`exit`] | exit codes, and how errors are shown |
#![forbid(unsafe_code)]

pub mod bytes;
pub mod candidates;
pub mod chain;
pub mod checker;
pub mod cli;
pub mod commands;
pub mod compare;
pub mod device;
pub mod device_arg;
pub mod example;
pub mod exit;
pub mod host;
pub mod hub;
pub mod input_file;
pub mod interrupt;
pub mod output_file;
pub mod printable;
pub mod progress;
pub mod report;
pub mod results;
pub mod table;
#[cfg(test)]
mod testing;

pub use exit::main_with;

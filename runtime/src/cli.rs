//! The arguments.

pub mod bench;
pub mod chain;
pub mod sandbox;
pub mod tournament;
pub mod weights;

use crate::bytes::ByteSize;
use crate::candidates::CandidateArg;
use crate::device_arg::DeviceArg;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Evaluates fine-tuned language models as the Gradients subnet does.
#[derive(Debug, Parser)]
#[command(name = "gradus", version, long_version = crate::commands::doctor::long_version(), about, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What the arguments say.
    ///
    /// # Errors
    /// What does not fit, or the text that was asked for, to be printed.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        // Descriptions of commands that are not asked for would take a job as long as its mounts do. Whatever does not fit is read again,
        // so that it is answered the same.
        if arguments.get(1).is_some_and(|name| name == "sandbox")
            && arguments.iter().any(|argument| argument == "run")
            && let Ok(OneJob::Sandbox { state, command }) = OneJob::try_parse_from(&arguments)
        {
            let OneJobCommand::Run(run) = command;
            let command = sandbox::SandboxCommand::Run(run);
            return Ok(Cli {
                command: Command::Sandbox(Box::new(sandbox::SandboxArgs { state, command })),
            });
        }
        Cli::try_parse_from(arguments)
    }
}

/// [`Cli`] with the command alone that is started thousands of times.
#[derive(Debug, Parser)]
#[command(name = "gradus", disable_help_subcommand = true)]
enum OneJob {
    /// As [`Command::Sandbox`].
    Sandbox {
        /// As [`sandbox::SandboxArgs::state`].
        #[arg(long, global = true)]
        state: Option<PathBuf>,

        /// As [`sandbox::SandboxArgs::command`].
        #[command(subcommand)]
        command: OneJobCommand,
    },
}

/// As [`sandbox::SandboxCommand`].
#[derive(Debug, Subcommand)]
enum OneJobCommand {
    /// As there.
    Run(Box<sandbox::RunArgs>),
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Score candidates on a task, and rank them.
    Eval(Box<EvalArgs>),
    /// Time kernels and models against the limits of this machine.
    Bench(Box<bench::BenchArgs>),
    /// Run programs that reach nothing they were not given.
    Sandbox(Box<sandbox::SandboxArgs>),
    /// Play tournaments by the rules: events in, a champion out, all of it recomputable.
    Tournament(Box<tournament::TournamentArgs>),
    /// From finished tournaments to weights on chain, and what they earn.
    Weights(Box<weights::WeightsArgs>),
    /// What the chain's nodes agree on: networks, a subnet, its neurons, and whether weights would land.
    Chain(Box<chain::ChainArgs>),
    /// Say what this machine can and cannot do.
    Doctor(DoctorArgs),
}

/// Arguments of `gradus eval`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub struct EvalArgs {
    /// Task file, JSON or TOML. Without it: the example that is embedded in this program.
    pub task: Option<PathBuf>,

    /// A model to score: a directory with an adapter or a whole checkpoint, or a hub id. Without NAME it is called
    /// as its last path component. Repeat for each.
    #[arg(short, long = "candidate", value_name = "[NAME=]PATH")]
    pub candidates: Vec<CandidateArg>,

    /// Use this directory or hub id instead of the task's base model.
    #[arg(long, value_name = "PATH")]
    pub base: Option<String>,

    /// Take the tokenizer from this directory instead of the base model's.
    #[arg(long, value_name = "DIR")]
    pub tokenizer: Option<PathBuf>,

    /// Write the evaluation and its comparison to this file; with --explain, the plan.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the result file that the subnet's own evaluator writes.
    #[arg(long, value_name = "FILE")]
    pub god_json: Option<PathBuf>,

    /// Write a self-contained HTML page with plots.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,

    /// What computes: cpu, auto (all GPUs that can be used, else the CPU), cuda:0 or cuda:0,1. GPUs compute in bf16 with
    /// f32 sums, a numeric contract of their own: scores of the two are not compared bit by bit.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: DeviceArg,

    /// Threads that compute [default: all that this process may use]. Changes no bit of any score.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub threads: Option<u16>,

    /// Memory to plan with, such as 2GiB or 1500MB [default: 60 % of what is available]. Changes no bit of any score.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<ByteSize>,

    /// Instruction set [default: the best that is here]. Changes no bit of any score.
    #[arg(long, value_name = "SET", value_parser = PossibleValuesParser::new(crate::commands::eval::ISA_NAMES))]
    pub isa: Option<String>,

    /// Print what would be done, with what memory, and exit.
    #[arg(long, conflicts_with_all = ["god_json", "report"])]
    pub explain: bool,

    /// Never use the network: hub ids must be in the cache already.
    #[arg(long)]
    pub offline: bool,

    /// Show no progress.
    #[arg(short, long)]
    pub quiet: bool,
}

/// Arguments of `gradus doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Print JSON.
    #[arg(long)]
    pub json: bool,

    /// Let a GPU be leased again that was not given back clean; by UUID.
    #[arg(long, value_name = "UUID")]
    pub clear_quarantine: Option<String>,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    every candidate has a score
  1    the command failed: nothing was scored
  2    the arguments do not fit
  3    the command finished, but some candidate has no score
  130  interrupted

Examples:
  gradus eval
  gradus eval task.json -c mine=out/lora -c theirs=out/full --report report.html";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}

//! `gradus-bench-kernels`: each kernel family over its shapes, checked against its reference, then timed between
//! two measurements of what this machine can do.

use clap::Parser;
use gradus_benches::kernels::{self, Entry};
use gradus_benches::measure::{Budget, measure};
use gradus_benches::report::{LEGEND, Row, Run, cpu_model, header};
use gradus_kernels::{Cpu, Isa};
use std::path::PathBuf;
use std::process::ExitCode;

/// Time the kernels against this machine's rooflines.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Only families and shapes whose "family shape" contains this.
    #[arg(long)]
    only: Option<String>,
    /// Threads of the kernels that use several (0: one per core).
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Instruction set: avx512, avx2 or portable; the best there is if not given.
    #[arg(long)]
    isa: Option<String>,
    /// Samples of each shape, if there is time.
    #[arg(long, default_value_t = 30)]
    samples: usize,
    /// CPU seconds for each shape's samples; three are taken in any case.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Leave out shapes above this many billion operations in a run.
    #[arg(long, default_value_t = f64::INFINITY)]
    max_gflop: f64,
    /// Write everything that was measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Print what would be measured.
    #[arg(long)]
    list: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("gradus-bench-kernels: {message}");
            ExitCode::from(2)
        }
    }
}

fn find_isa(name: Option<&str>) -> Result<Isa, String> {
    let available = Isa::available();
    match name {
        None => Ok(Isa::detect()),
        Some(name) => available
            .iter()
            .copied()
            .find(|isa| isa.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = available.iter().map(|isa| isa.name()).collect();
                format!(
                    "this machine does not have {name}\nhelp: it has {}",
                    names.join(", ")
                )
            }),
    }
}

/// Measures; false if a kernel disagreed with its reference.
fn run(args: &Args) -> Result<bool, String> {
    let isa = find_isa(args.isa.as_deref())?;
    let cpu = Cpu::with_isa(args.threads, isa).map_err(|e| e.to_string())?;
    let chosen = |entry: &Entry| {
        let name = format!("{} {}", entry.family, entry.shape);
        args.only
            .as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
            && entry.gflop <= args.max_gflop
    };
    let entries: Vec<Entry> = kernels::all().into_iter().filter(chosen).collect();
    if entries.is_empty() {
        return Err(
            "nothing to measure\nhelp: --list without --only prints every family and shape"
                .to_owned(),
        );
    }
    if args.list {
        entries
            .iter()
            .for_each(|e| println!("{} {}", e.family, e.shape));
        return Ok(true);
    }
    let mut run = Run {
        schema: 1,
        cpu_model: cpu_model(),
        isa: isa.name(),
        threads: cpu.threads(),
        rows: Vec::new(),
    };
    println!(
        "{}, {}, {} threads\n{}",
        run.cpu_model,
        run.isa,
        run.threads,
        header()
    );
    let budget = Budget {
        samples: args.samples,
        seconds: args.seconds,
    };
    let mut agree = true;
    for Entry {
        family,
        shape,
        build,
        ..
    } in entries
    {
        let mut bench = build(&cpu);
        match measure(&cpu, bench.as_mut(), budget) {
            Ok(measurement) => {
                let row = Row {
                    family,
                    shape,
                    measurement,
                };
                println!("{}", row.line());
                run.rows.push(row);
            }
            Err(difference) => {
                agree = false;
                println!("{family:<14} {shape:<34} DISAGREES WITH ITS REFERENCE: {difference}");
            }
        }
    }
    println!("{LEGEND}");
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&run).map_err(|e| e.to_string())?;
        std::fs::write(path, json + "\n")
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    }
    Ok(agree)
}

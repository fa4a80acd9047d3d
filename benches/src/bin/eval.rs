//! `gradus-bench-eval DIR`: mean next-token loss over the rows of `DIR/ids.u32`, and what it took; one JSON line, in the
//! form of the peers' scripts in `benches/peers`.

use clap::Parser;
use gradus_benches::clock::time;
use gradus_evaluators::token_losses;
use gradus_kernels::Cpu;
use std::path::PathBuf;
use std::process::ExitCode;

/// Times the text evaluator on a checkpoint and token ids, as written by benches/peers/make_model.py.
#[derive(Parser)]
struct Args {
    /// Directory with the checkpoint, ids.u32 (little-endian) and ids.json ({"n": rows, "seq": tokens a row}).
    dir: PathBuf,
    /// Compute threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Rows to take; all if absent.
    #[arg(long)]
    rows: Option<usize>,
    /// Runs; the one with the least CPU time is reported. Every run reads and packs the weights anew.
    #[arg(long, default_value_t = 1)]
    repeat: usize,
    /// Memory limit, MiB.
    #[arg(long, default_value_t = 4096)]
    memory_mib: u64,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("gradus-bench-eval: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<String, Box<dyn std::error::Error>> {
    let meta: serde_json::Value =
        serde_json::from_slice(&std::fs::read(args.dir.join("ids.json"))?)?;
    let seq = meta["seq"].as_u64().ok_or("ids.json has no seq")? as usize;
    let ids: Vec<u32> = std::fs::read(args.dir.join("ids.u32"))?
        .chunks_exact(4)
        .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect();
    let rows: Vec<Vec<u32>> = ids
        .chunks_exact(seq)
        .take(args.rows.unwrap_or(usize::MAX))
        .map(<[u32]>::to_vec)
        .collect();
    let tokens: usize = rows.iter().map(Vec::len).sum();
    let cpu = Cpu::new(args.threads)?;
    let (mut best, mut wall, mut nll) = (f64::INFINITY, f64::INFINITY, f64::NAN);
    for _ in 0..args.repeat.max(1) {
        let mut losses = Ok(Vec::new());
        let (cpu_s, wall_s) =
            time(|| losses = token_losses(&cpu, &args.dir, &rows, args.memory_mib << 20));
        let losses = losses?;
        let scored: usize = losses.iter().map(Vec::len).sum();
        nll = losses.iter().flatten().sum::<f64>() / scored as f64;
        (best, wall) = (best.min(cpu_s), wall.min(wall_s));
    }
    Ok(serde_json::json!({
        "peer": format!("gradus {}", env!("CARGO_PKG_VERSION")),
        "dtype": "f32",
        "isa": cpu.isa().name(),
        "threads": args.threads,
        "tokens": tokens,
        "wall": wall,
        "cpu": best,
        "tokens_per_cpu_s": tokens as f64 / best,
        "nll": nll,
    })
    .to_string())
}

//! `gradus doctor`: what this machine can and cannot do, before it matters.

mod gpus;

use crate::bytes::ByteSize;
use crate::cli::DoctorArgs;
use crate::device::StateDir;
use crate::exit::Exit;
use crate::host::{Cpu, Gpu, Memory, default_memory, free_space};
use crate::hub::cache_dir;
use crate::printable::printable_lines;
use gpus::Gpus;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::LazyLock;

/// What `--version` says at length: the scores of two builds are equal bit for bit if their numerics are.
pub fn long_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let (version, arch, os) = (
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH,
            std::env::consts::OS,
        );
        format!(
            "{version}\nnumerics {}\nbuilt for {arch} {os}",
            gradus_evaluators::NUMERICS
        )
    });
    &TEXT
}

#[derive(Serialize)]
struct Report {
    version: &'static str,
    numerics: &'static str,
    os: &'static str,
    cpu: Cpu,
    memory: Memory,
    memory_planned: u64,
    model_cache: Option<PathBuf>,
    model_cache_free: Option<u64>,
    temporary: PathBuf,
    temporary_free: Option<u64>,
    cuda: Gpu,
    gpus: Gpus,
    checks: Vec<Check>,
}

/// One thing that works, works badly, or does not.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Check {
    what: &'static str,
    state: State,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ready,
    Limited,
    Absent,
}

/// Looks around and prints. Looking never fails: what is missing is what it is for. Clearing a quarantine can.
pub fn run(arguments: &DoctorArgs) -> Exit {
    if let Some(uuid) = &arguments.clear_quarantine
        && let Err(message) = clear_quarantine(uuid)
    {
        // A reader that went away is no failure.
        let _ = writeln!(std::io::stderr(), "{}", printable_lines(&message));
        return Exit::Failed;
    }
    let report = look();
    let mut stdout = std::io::stdout().lock();
    // A reader that went away is no failure.
    let _ = if arguments.json {
        let text = serde_json::to_string_pretty(&report).expect("the report has text keys");
        writeln!(stdout, "{text}")
    } else {
        let colour = stdout.is_terminal()
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        stdout.write_all(text(&report, colour).as_bytes())
    };
    Exit::Done
}

fn clear_quarantine(uuid: &str) -> Result<(), String> {
    let state = StateDir::from_environment()
        .ok_or("no directory for GPU state\nhelp: set HOME or GRADUS_STATE_DIR")?;
    match state.clear(uuid) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{uuid} is not in quarantine\nhelp: `gradus doctor` names the GPUs that are; {} has the records",
            state.path().display()
        )),
        Err(error) => Err(format!("{error}: {}", error.source)),
    }
}

fn look() -> Report {
    let (cpu, memory, cuda, gpus) = (Cpu::read(), Memory::read(), Gpu::read(), Gpus::read());
    let model_cache = cache_dir();
    let temporary = std::env::temp_dir();
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        numerics: gradus_evaluators::NUMERICS,
        os: std::env::consts::OS,
        memory_planned: default_memory(&memory),
        model_cache_free: model_cache.as_deref().and_then(free_space),
        model_cache,
        temporary_free: free_space(&temporary),
        temporary,
        cpu,
        memory,
        cuda,
        gpus,
        checks: Vec::new(),
    };
    report.checks = checks(&report);
    report
}

fn checks(report: &Report) -> Vec<Check> {
    const GIB: u64 = 1 << 30;
    let cpu = &report.cpu;
    let text = match cpu.isa {
        "portable" => (
            State::Limited,
            "no vector extension that the kernels know: scores are the same, but it is several times slower; AVX2 \
             with FMA and F16C, or AVX-512, would help"
                .to_owned(),
        ),
        isa => (State::Ready, format!("kernels use {isa}, {} threads", cpu.threads)),
    };
    let memory = match report.memory.available {
        Some(available) if available < GIB => (
            State::Limited,
            format!(
                "{} available: only small models fit; --memory bounds what is used",
                ByteSize(available)
            ),
        ),
        Some(_) => (
            State::Ready,
            format!(
                "plans with {} unless --memory says otherwise; layers stream, so models may be larger",
                ByteSize(report.memory_planned)
            ),
        ),
        None => (
            State::Limited,
            format!(
                "this system does not say how much there is; plans with {}",
                ByteSize(report.memory_planned)
            ),
        ),
    };
    let cache = match (&report.model_cache, report.model_cache_free) {
        (None, _) => (
            State::Absent,
            "no place to keep models; set HOME or HF_HOME".to_owned(),
        ),
        (Some(path), Some(free)) if free < 5 * GIB => (
            State::Limited,
            format!(
                "{} free in {}; HF_HOME names another place",
                ByteSize(free),
                path.display()
            ),
        ),
        (Some(path), Some(free)) => (
            State::Ready,
            format!("{} free in {}", ByteSize(free), path.display()),
        ),
        (Some(path), None) => (State::Ready, path.display().to_string()),
    };
    let temporary = match report.temporary_free {
        Some(free) if free < 64 << 20 => (
            State::Limited,
            format!(
                "{} free in {}; the example unpacks there, TMPDIR names another place",
                ByteSize(free),
                report.temporary.display()
            ),
        ),
        _ => (
            State::Ready,
            format!("unpacks to {}", report.temporary.display()),
        ),
    };
    [
        ("text evaluation", text),
        ("memory", memory),
        ("models from the hub", cache),
        ("embedded example", temporary),
        ("GPU evaluation", gpus::check(&report.gpus, &report.cuda)),
        (
            "Python",
            (State::Ready, "not needed, for anything".to_owned()),
        ),
    ]
    .map(|(what, (state, detail))| Check {
        what,
        state,
        detail,
    })
    .into()
}

fn text(report: &Report, colour: bool) -> String {
    let cpu = &report.cpu;
    let unknown = || "unknown".to_owned();
    let size = |bytes: Option<u64>| bytes.map_or_else(unknown, |bytes| ByteSize(bytes).to_string());
    let count = |count: Option<usize>| count.map_or_else(unknown, |count| count.to_string());
    let limit = report
        .memory
        .limit
        .map(|limit| format!(", limited to {}", ByteSize(limit)))
        .unwrap_or_default();
    let mut lines = vec![
        format!(
            "gradus {}, numerics {}, {} {}",
            report.version, report.numerics, cpu.arch, report.os
        ),
        format!(
            "  processor   {}",
            cpu.model.clone().unwrap_or_else(unknown)
        ),
        format!(
            "  cores       {} physical, {} logical, {} usable",
            count(cpu.cores),
            count(cpu.logical),
            cpu.threads
        ),
        format!(
            "  extensions  {}",
            if cpu.features.is_empty() {
                "none known".to_owned()
            } else {
                cpu.features.join(" ")
            }
        ),
        format!("  kernels     {} (of {})", cpu.isa, cpu.isas.join(", ")),
        format!(
            "  memory      {} installed{limit}, {} available",
            size(report.memory.total),
            size(report.memory.available)
        ),
    ];
    lines.extend(gpus::lines(&report.gpus));
    lines.push(String::new());
    for check in &report.checks {
        let (mark, code) = match check.state {
            State::Ready => ("✓", "32"),
            State::Limited => ("!", "33"),
            State::Absent => ("✗", "2"),
        };
        let mark = if colour {
            format!("\u{1b}[{code}m{mark}\u{1b}[0m")
        } else {
            mark.to_owned()
        };
        lines.push(format!("{mark} {:<20} {}", check.what, check.detail));
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_for_what_it_is_for() {
        let mut report = look();
        report.cpu.isa = "portable";
        report.memory.available = Some(1 << 20);
        report.model_cache_free = Some(1 << 20);
        let checks = checks(&report);
        let state = |what: &str| {
            checks
                .iter()
                .find(|check| check.what == what)
                .unwrap()
                .state
        };
        assert_eq!(state("text evaluation"), State::Limited);
        assert_eq!(state("memory"), State::Limited);
        assert_eq!(state("models from the hub"), State::Limited);
        report.checks = checks;
        let text = text(&report, false);
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

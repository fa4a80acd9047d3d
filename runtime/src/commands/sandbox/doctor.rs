//! `gradus sandbox doctor`.

use super::gpus::Gpus;
use super::{CommandError, print};
use crate::cli::sandbox::DoctorArgs;
use crate::exit::Exit;
use crate::printable::printable;
use gradus_sandbox::doctor::{State, is_production, look};
use gradus_sandbox::gpu;
use gradus_sandbox::sandbox::Sandbox;
use std::fmt::Write;

/// Says what is here; with `--require production` also whether it is enough.
pub(super) fn run(
    sandbox: &Sandbox,
    gpus: &Gpus<'_>,
    arguments: &DoctorArgs,
) -> Result<Exit, CommandError> {
    let mut findings = look(sandbox);
    findings.extend(gpu::doctor::look(gpus.root, &gpus.nvml, Some(&gpus.holds)));
    if arguments.json {
        print(&(serde_json::to_string_pretty(&findings).expect("plain data") + "\n"))?;
    } else {
        let width = findings
            .iter()
            .map(|finding| finding.what.len())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        for finding in &findings {
            let mark = match finding.state {
                State::Ready => "✓",
                State::Limited => "!",
                State::Absent => "✗",
            };
            let _ = writeln!(
                text,
                "{mark} {:width$}  {}",
                finding.what,
                printable(&finding.detail)
            );
        }
        print(&text)?;
    }
    Ok(match arguments.require {
        Some(_) if !is_production(&findings) => Exit::Failed,
        _ => Exit::Done,
    })
}

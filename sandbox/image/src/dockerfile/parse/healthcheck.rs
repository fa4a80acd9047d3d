//! `HEALTHCHECK` as written.

use parse_dockerfile as grammar;

use super::command;
use super::flags::Flags;
use crate::dockerfile::error::{At, DockerfileError, shown};
use crate::dockerfile::instruction::{Command, HealthcheckCommand};
use crate::dockerfile::values;

pub(super) fn healthcheck(
    check: &grammar::HealthcheckInstruction<'_>,
    at: At<'_>,
) -> Result<Option<HealthcheckCommand>, DockerfileError> {
    const DURATIONS: [&str; 5] = [
        "interval",
        "timeout",
        "start-period",
        "start-interval",
        "retries",
    ];
    let flags = Flags::new(&check.options, at, &DURATIONS)?;
    let arguments = match &check.arguments {
        grammar::HealthcheckArguments::Cmd { arguments, .. } => arguments,
        _ if check.options.is_empty() => return Ok(None),
        _ => return Err(at.syntax("NONE alone", "flags before it", "remove the flags")),
    };
    let command = command(arguments, at)?;
    if matches!(&command, Command::Shell(text) if text.is_empty()) {
        return Err(at.syntax("a command", "nothing", "write one behind HEALTHCHECK CMD"));
    }
    let duration = |name: &str| {
        let found = flags.text(name).map(|text| values::duration_ns(&text));
        found
            .transpose()
            .map(Option::unwrap_or_default)
            .map_err(|found| {
                at.syntax(
                    format!("a duration for --{name}"),
                    found,
                    "write for example 30s",
                )
            })
    };
    let retries = flags.text("retries").unwrap_or("0".to_owned());
    Ok(Some(HealthcheckCommand {
        command,
        interval_ns: duration("interval")?,
        timeout_ns: duration("timeout")?,
        start_period_ns: duration("start-period")?,
        start_interval_ns: duration("start-interval")?,
        retries: retries
            .parse::<u32>()
            .ok()
            .filter(|n| *n <= i32::MAX as u32)
            .ok_or_else(|| {
                at.syntax(
                    "a number for --retries",
                    shown(&retries),
                    "write for example 3",
                )
            })?,
    }))
}

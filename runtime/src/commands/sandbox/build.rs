//! `gradus sandbox build`.

use super::build_egress::BuildEgress;
use super::images::{name_of, store};
use super::registries::{Registries, authorities};
use super::{CommandError, print};
use crate::bytes::ByteSize;
use crate::cli::sandbox::BuildArgs;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output_file::OutputFile;
use crate::printable::printable;
use gradus_builder::{
    BuildLimits, Built, EPOCH_S, Event, Network, Request, Secret, StoreOnly, build,
};
use gradus_image::context;
use gradus_image::dockerfile::{DockerfileError, TEXT_BYTES_MAX};
use gradus_sandbox::logs::Lines;
use gradus_sandbox::sandbox::Sandbox;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Large files that are printed; the JSON has all.
const LARGE_SHOWN: usize = 10;

pub(super) fn run(sandbox: &Sandbox, arguments: &BuildArgs) -> Result<Exit, CommandError> {
    let file = match &arguments.file {
        Some(file) => file.clone(),
        None => arguments.context.join("Dockerfile"),
    };
    let names = arguments.tags.iter().map(|tag| name_of(tag));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let mut args = BTreeMap::new();
    for given in &arguments.args {
        let (name, value) = given.split_once('=').ok_or_else(|| {
            CommandError::Usage(format!("--build-arg {given:?}: NAME=VALUE is expected"))
        })?;
        args.insert(name.to_owned(), value.to_owned());
    }
    // Before anything runs: a result that cannot be written is known too late otherwise.
    let result = arguments
        .json
        .as_deref()
        .map(OutputFile::checked)
        .transpose()?;
    let dockerfile = read(&file)?;
    let secrets: Vec<Secret> = arguments
        .secrets
        .iter()
        .map(|secret| Secret {
            id: secret.id.clone(),
            path: secret.path.clone(),
        })
        .collect();
    let registries = arguments
        .pull
        .then(|| Registries::new(&arguments.registries))
        .transpose()?;
    let egress = BuildEgress::new(&arguments.egress, authorities()?)?;
    let request = Request {
        dockerfile: &dockerfile,
        context: &arguments.context,
        target: arguments.target.clone(),
        args,
        secrets: &secrets,
        cache_scope: arguments.cache_scope.clone(),
        no_cache: arguments.no_cache,
        names,
        limits: limits(arguments),
        network: egress
            .as_ref()
            .map_or(Network::None, |egress| Network::Egress(egress)),
        bases: match &registries {
            Some(registries) => registries,
            None => &StoreOnly,
        },
        epoch_s: epoch(arguments)?,
    };
    let store = store(sandbox)?;
    let interrupt = Interrupt::listen();
    let mut teller = Teller {
        quiet: arguments.quiet,
        lines: Lines::new(),
    };
    let cancelled = || interrupt.requested();
    let built = build(sandbox, &store, &request, &cancelled, &mut |event| {
        teller.tell(event);
    })?;
    if let Some(file) = &result {
        let text = serde_json::to_string_pretty(&built).expect("plain data");
        file.write(text.as_bytes())?;
    }
    if !arguments.quiet {
        teller.end(&built, arguments.large);
    }
    print(&format!("{}\n", built.image))?;
    Ok(Exit::Done)
}

/// The Dockerfile: a file, and not one that never ends.
fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let failed = |source| CommandError::Io {
        what: path.display().to_string(),
        source,
    };
    // A pipe would block here.
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = File::options()
        .read(true)
        .custom_flags(nonblock)
        .open(path)
        .map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(failed(io::Error::other("a file is expected")));
    }
    if meta.len() > TEXT_BYTES_MAX as u64 {
        let bytes = meta.len() as usize;
        return Err(CommandError::Build(
            DockerfileError::TooLarge { bytes }.into(),
        ));
    }
    let mut bytes = Vec::new();
    file.take(TEXT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    Ok(bytes)
}

fn epoch(arguments: &BuildArgs) -> Result<u64, CommandError> {
    if let Some(epoch) = arguments.epoch {
        return Ok(epoch);
    }
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().map_err(|_| {
            CommandError::Usage(format!(
                "SOURCE_DATE_EPOCH {text:?}: seconds since 1970 are expected"
            ))
        }),
        Err(_) => Ok(EPOCH_S),
    }
}

fn limits(arguments: &BuildArgs) -> BuildLimits {
    BuildLimits {
        time: Some(arguments.time),
        memory_bytes: arguments.memory.0,
        pids: arguments.pids,
        cpu_millis: arguments.cpus,
        disk_bytes: arguments.disk.0,
        disk_inodes: arguments.inodes,
        image_bytes: arguments.image_size.0,
        context: context::Limits {
            bytes: arguments.context_size.0,
            ..context::Limits::default()
        },
        large_bytes: arguments.large.0,
        ..BuildLimits::default()
    }
}

/// Says on standard error what happens. What commands print is framed and escaped: it is theirs, and they are hostile.
struct Teller {
    quiet: bool,
    lines: Lines,
}

impl Teller {
    fn tell(&mut self, event: Event<'_>) {
        if self.quiet {
            return;
        }
        let mut text = String::new();
        match event {
            Event::Remark {
                line: 0,
                text: said,
            } => text = format!("note: {}\n", printable(said)),
            Event::Remark { line, text: said } => {
                text = format!("note: line {line}: {}\n", printable(said));
            }
            Event::Step {
                number,
                total,
                text: said,
                ..
            } => {
                let first: String = said
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(200)
                    .collect();
                text = format!("[{number}/{total}] {}\n", printable(&first));
            }
            Event::Output(record) => self.lines.push(record, &mut text),
            Event::Done {
                cached,
                took,
                bytes,
            } => {
                self.lines.finish(&mut text);
                let layer = bytes.map_or(String::new(), |bytes| format!(", {}", ByteSize(bytes)));
                let known = if cached { "cached, " } else { "" };
                text += &format!("  {known}{:.3} s{layer}\n", took.as_secs_f64());
            }
        }
        // A reader that went away does not end the build.
        let _ = io::stderr().write_all(text.as_bytes());
    }

    fn end(&mut self, built: &Built, large: ByteSize) {
        let mut text = format!(
            "built in {:.3} s: {} unpacked\n",
            built.took_ms as f64 / 1000.0,
            ByteSize(built.bytes)
        );
        if !built.large.is_empty() {
            text += &format!("{} files of {large} and more:\n", built.large.len());
        }
        for large in built.large.iter().take(LARGE_SHOWN) {
            text += &format!(
                "  {:>10}  line {}  {}\n",
                ByteSize(large.bytes).to_string(),
                large.line,
                printable(&large.path)
            );
        }
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

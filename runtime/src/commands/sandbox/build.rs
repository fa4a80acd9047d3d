//! `gradus sandbox build`.

use super::build_egress::BuildEgress;
use super::images::store;
use super::registries::{Registries, authorities};
use super::tell::Teller;
use super::{CommandError, NamedPath, print};
use crate::bytes::ByteSize;
use crate::cli::sandbox::{BuildArgs, Given};
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::output_file::{OutputFile, apart};
use crate::printable::printable;
use gradus_builder::{
    BuildLimits, Built, EPOCH_S, Event, Large, Network, Request, Secret, StoreOnly, build,
};
use gradus_image::context;
use gradus_image::dockerfile::{DockerfileError, TEXT_BYTES_MAX};
use gradus_sandbox::logs::Lines;
use gradus_sandbox::sandbox::Sandbox;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Large files that are printed; the JSON has all.
const LARGE_SHOWN: usize = 10;

pub(super) fn run(sandbox: &Sandbox, arguments: &BuildArgs) -> Result<Exit, CommandError> {
    let teller = Teller::unless(arguments.quiet);
    let file = match &arguments.file {
        Some(file) => file.clone(),
        None => arguments.context.join("Dockerfile"),
    };
    let args = arguments.args.iter();
    let args = args.filter_map(|given| given.split_once('='));
    let args = args.map(|(name, value)| (name.to_owned(), value.to_owned()));
    // Before anything runs: a result that cannot be written is known too late otherwise.
    let result = arguments
        .json
        .as_deref()
        .map(OutputFile::checked)
        .transpose()?;
    let given = arguments.secrets.iter().map(|given| &*given.path);
    let inputs: Vec<&Path> = given.chain([&*file]).collect();
    apart(&result.iter().collect::<Vec<_>>(), &inputs)?;
    let dockerfile = read(&file)?;
    let secrets = secrets(arguments)?;
    let registries = arguments
        .pull
        .then(|| Registries::new(&arguments.registries))
        .transpose()?;
    let egress = BuildEgress::new(&arguments.egress, authorities()?, teller)?;
    let request = Request {
        dockerfile: &dockerfile,
        context: &arguments.context,
        target: arguments.target.clone(),
        args: args.collect(),
        secrets: &secrets,
        cache_scope: arguments.cache_scope.clone(),
        no_cache: arguments.no_cache,
        names: arguments.tags.clone(),
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
    let mut steps = Steps {
        teller,
        lines: Lines::new(),
    };
    let cancelled = || interrupt.requested();
    let built = build(sandbox, &store, &request, &cancelled, &mut |event| {
        steps.tell(event);
    })?;
    if let Some(file) = &result {
        let text = serde_json::to_string_pretty(&built).expect("plain data");
        file.write(text.as_bytes())?;
    }
    steps.end(&built, arguments.large);
    print(&format!("{}\n", built.image))?;
    Ok(Exit::Done)
}

/// The Dockerfile: a file, and not one that never ends.
fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let failed = || {
        NamedPath::of(
            "--file",
            path,
            "it names a Dockerfile; without it, that is Dockerfile in CONTEXT",
        )
    };
    let (file, bytes) = open(path).map_err(failed())?;
    if bytes > TEXT_BYTES_MAX as u64 {
        let bytes = bytes as usize;
        return Err(CommandError::Build(
            DockerfileError::TooLarge { bytes }.into(),
        ));
    }
    let mut bytes = Vec::new();
    file.take(TEXT_BYTES_MAX as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed())?;
    Ok(bytes)
}

/// Files for commands. One that is not there is told before anything is built, and whether or not a command asks for it.
fn secrets(arguments: &BuildArgs) -> Result<Vec<Secret>, CommandError> {
    let mut secrets = Vec::new();
    for Given { id, path } in &arguments.secrets {
        open(path).map_err(NamedPath::of(
            "--secret",
            path,
            "src= names a file that can be read",
        ))?;
        secrets.push(Secret {
            id: id.clone(),
            path: path.clone(),
        });
    }
    Ok(secrets)
}

/// A file and its length; none of what never ends, and a pipe does not block.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let nonblock = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = File::options()
        .read(true)
        .custom_flags(nonblock)
        .open(path)?;
    let meta = file.metadata()?;
    match meta.is_file() {
        true => Ok((file, meta.len())),
        false => Err(io::Error::other("a file is expected")),
    }
}

fn epoch(arguments: &BuildArgs) -> Result<u64, CommandError> {
    if let Some(epoch) = arguments.epoch {
        return Ok(epoch);
    }
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().map_err(|_| CommandError::Epoch(text.clone())),
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

/// What happens, for programs.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Said<'a> {
    Remark {
        line: usize,
        text: &'a str,
    },
    Step {
        number: usize,
        total: usize,
        line: usize,
        text: &'a str,
    },
    /// a line that a command has printed, as it is shown to people
    Output {
        text: &'a str,
    },
    Done {
        cached: bool,
        took_s: f64,
        layer_bytes: Option<u64>,
    },
    Built {
        took_s: f64,
        bytes: u64,
        large: &'a [Large],
    },
}

/// Says what happens. What commands print is framed and escaped: it is theirs, and they are hostile.
struct Steps {
    teller: Teller,
    lines: Lines,
}

impl Steps {
    fn tell(&mut self, event: Event<'_>) {
        match event {
            Event::Remark { line, text } => {
                self.teller
                    .tell(&Said::Remark { line, text }, || match line {
                        0 => format!("note: {}", printable(text)),
                        line => format!("note: line {line}: {}", printable(text)),
                    });
            }
            Event::Step {
                number,
                total,
                line,
                text,
            } => {
                let first = text.lines().next().unwrap_or_default();
                let text: &str = &first.chars().take(200).collect::<String>();
                let said = Said::Step {
                    number,
                    total,
                    line,
                    text,
                };
                self.teller
                    .tell(&said, || format!("[{number}/{total}] {}", printable(text)));
            }
            Event::Output(record) => {
                let mut text = String::new();
                self.lines.push(record, &mut text);
                self.output(&text);
            }
            Event::Done {
                cached,
                took,
                bytes,
            } => {
                let mut text = String::new();
                self.lines.finish(&mut text);
                self.output(&text);
                let took_s = took.as_millis() as f64 / 1000.0;
                let said = Said::Done {
                    cached,
                    took_s,
                    layer_bytes: bytes,
                };
                self.teller.tell(&said, || {
                    let layer =
                        bytes.map_or(String::new(), |bytes| format!(", {}", ByteSize(bytes)));
                    let known = if cached { "cached, " } else { "" };
                    format!("  {known}{took_s:.3} s{layer}")
                });
            }
        }
    }

    /// Lines that commands have printed.
    fn output(&self, lines: &str) {
        for text in lines.lines() {
            self.teller.tell(&Said::Output { text }, || text.to_owned());
        }
    }

    fn end(&self, built: &Built, large: ByteSize) {
        let took_s = built.took_ms as f64 / 1000.0;
        let said = Said::Built {
            took_s,
            bytes: built.bytes,
            large: &built.large,
        };
        self.teller.tell(&said, || {
            let bytes = ByteSize(built.bytes);
            let mut text = format!("built in {took_s:.3} s: {bytes} unpacked");
            if !built.large.is_empty() {
                text += &format!("\n{} files of {large} and more:", built.large.len());
            }
            for large in built.large.iter().take(LARGE_SHOWN) {
                text += &format!(
                    "\n  {:>10}  {:.1} bits in a byte  line {}  {}",
                    ByteSize(large.bytes).to_string(),
                    f64::from(large.entropy_millibits) / 1000.0,
                    large.line,
                    printable(&large.path)
                );
            }
            text
        });
    }
}

//! Logical lines to instructions.
//!
//! Each line is read by `parse-dockerfile`: keywords, flags, JSON arrays, `FROM ... AS`. What it says is then checked, so
//! that an instruction, flag or form that is not supported is refused by line.

mod copy;
mod flags;
mod healthcheck;

use parse_dockerfile::{self as grammar, Instruction as Raw, UnescapedString};

use super::error::{At, DockerfileError, shown};
use super::instruction::{Build, Command, Instruction, Kind, Run, Stage};
use super::lines::{self, BLANKS, Line};
use super::{STAGES_MAX, mount, words};
use copy::copy_line;
use flags::Flags;
use healthcheck::healthcheck;

/// `<<` while the grammar reads a line: here-documents were taken out before, and a control character is in no Dockerfile.
const MARK: &str = "\u{1}\u{1}";

/// Parses a Dockerfile.
///
/// # Errors
/// What [`DockerfileError`] says.
pub fn parse(bytes: &[u8]) -> Result<Build, DockerfileError> {
    let read = lines::read(bytes)?;
    let mut build = Build {
        escape: read.escape,
        notes: read.notes,
        args: Vec::new(),
        stages: Vec::new(),
    };
    for line in read.lines {
        let at = At {
            line: line.line,
            text: &line.text,
        };
        let before = build.notes.len();
        let one = instruction(&line, build.escape, at, &mut build.notes)?;
        debug_assert!(build.notes.len() - before <= 1);
        let kind = match one {
            One::From(stage) => {
                add_stage(&mut build.stages, stage)?;
                continue;
            }
            One::Kind(kind) => kind,
        };
        let is_arg = matches!(kind, Kind::Arg(_));
        let instruction = Instruction {
            line: line.line,
            text: line.text.clone(),
            kind,
        };
        match build.stages.last_mut() {
            Some(stage) => stage.instructions.push(instruction),
            None if is_arg => build.args.push(instruction),
            None => {
                return Err(at.syntax(
                    "FROM, or ARG before it",
                    shown(line.text.split(BLANKS).next().unwrap_or_default()),
                    "begin with FROM and an image, or FROM scratch",
                ));
            }
        }
    }
    if build.stages.is_empty() {
        let found = match build.args.is_empty() {
            true => "no instruction",
            false => "only ARG",
        };
        return Err(DockerfileError::NoStage { found });
    }
    Ok(build)
}

fn add_stage(stages: &mut Vec<Stage>, stage: Stage) -> Result<(), DockerfileError> {
    if stages.len() == STAGES_MAX {
        return Err(DockerfileError::TooMany {
            line: stage.line,
            what: "stages",
            limit: STAGES_MAX,
        });
    }
    let same = |other: &&Stage| other.name.is_some() && other.name == stage.name;
    if let Some(first) = stages.iter().find(same) {
        return Err(DockerfileError::DuplicateStage {
            line: stage.line,
            first: first.line,
            name: stage.name.unwrap_or_default(),
        });
    }
    stages.push(stage);
    Ok(())
}

enum One {
    From(Stage),
    Kind(Kind),
}

fn instruction(
    line: &Line,
    escape: char,
    at: At<'_>,
    notes: &mut Vec<(usize, String)>,
) -> Result<One, DockerfileError> {
    let word = line.text.split(BLANKS).next().unwrap_or_default();
    let keyword = word.to_ascii_uppercase();
    let takes_flags = ["FROM", "RUN", "COPY", "ADD", "HEALTHCHECK"];
    let rest = line.text[word.len()..].trim_start_matches(BLANKS);
    match keyword.as_str() {
        "ONBUILD" => {
            return Err(at.unsupported(
                "ONBUILD",
                super::error::SUPPORTED,
                "write the instruction where it is needed: no other build starts from this image",
            ));
        }
        // The grammar wants at least one argument; Docker takes none to remove what the base image has.
        "ENTRYPOINT" if serde_json::from_str::<[String; 0]>(rest).is_ok() => {
            return Ok(One::Kind(Kind::Entrypoint(Command::Exec(Vec::new()))));
        }
        known if !super::error::SUPPORTED.split(", ").any(|k| k == known) => {
            return Err(DockerfileError::UnknownInstruction {
                line: line.line,
                text: shown(&line.text),
                word: shown(word),
            });
        }
        known if rest.starts_with("--") && !takes_flags.contains(&known) => {
            return Err(at.unsupported(
                format!("a flag of {known}"),
                "flags of FROM, RUN, COPY, ADD, HEALTHCHECK",
                "remove it; in a command, use the form [\"program\", \"--flag\"]",
            ));
        }
        _ => {}
    }
    let arguments = lines::arguments(&line.text);
    let json = lines::is_json(arguments);
    if !json && arguments.starts_with('[') && !matches!(keyword.as_str(), "ENV" | "LABEL" | "ARG") {
        if serde_json::from_str::<Vec<serde_json::Value>>(arguments).is_ok() {
            return Err(at.syntax(
                "an array of strings",
                "an array with something else",
                "put every element into double quotes",
            ));
        }
        if arguments.ends_with(']') && arguments.contains(['"', '\'']) {
            notes.push((
                line.line,
                format!("{keyword} looks like an array, but is no JSON: it is read as plain text"),
            ));
        }
    }
    // The directive makes the grammar's escape character ours, the FROM lets any instruction follow.
    let masked = match json {
        true => line.text.clone(),
        false => line.text.replace("<<", MARK),
    };
    let whole = format!("# escape={escape}\nFROM scratch\n{masked}");
    let refused = |e: &grammar::Error| {
        at.syntax(
            format!("{keyword} as the reference describes it"),
            format!("something else: {e:#}"),
            "correct the line",
        )
    };
    let mut parsed = grammar::parse_iter(&whole)
        .map_err(|e| refused(&e))?
        .skip(1);
    let raw = match parsed.next() {
        Some(raw) => raw.map_err(|e| refused(&e))?,
        None => return Err(at.syntax("an instruction", "nothing", "correct the line")),
    };
    typed(raw, line, escape, at)
}

fn unmask(text: &str) -> String {
    text.replace(MARK, "<<")
}

fn texts(values: &[UnescapedString<'_>]) -> Vec<String> {
    values.iter().map(|v| unmask(&v.value)).collect()
}

fn command(raw: &grammar::Command<'_>, at: At<'_>) -> Result<Command, DockerfileError> {
    match raw {
        grammar::Command::Exec(array) => Ok(Command::Exec(texts(&array.value))),
        grammar::Command::Shell(text) => Ok(Command::Shell(unmask(text.value))),
        _ => Err(at.syntax(
            "a command",
            "another form",
            "write it as text or as a JSON array",
        )),
    }
}

fn typed(raw: Raw<'_>, line: &Line, escape: char, at: At<'_>) -> Result<One, DockerfileError> {
    let pairs = |text: &str, name: &str| words::pairs(text, escape, at, name);
    Ok(One::Kind(match raw {
        Raw::From(from) => return from_line(&from, line, at).map(One::From),
        Raw::Arg(arg) => Kind::Arg(
            words::split(&arg.arguments.value, escape)
                .iter()
                .map(|word| match word.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (word.clone(), None),
                })
                .map(|(name, value)| match name.is_empty() {
                    true => Err(at.syntax("a name", "none", "write ARG name or ARG name=value")),
                    false => Ok((name, value)),
                })
                .collect::<Result<_, _>>()?,
        ),
        Raw::Env(env) => Kind::Env(pairs(&env.arguments.value, "ENV")?),
        Raw::Label(label) => Kind::Label(pairs(&label.arguments.value, "LABEL")?),
        Raw::Run(run) => run_line(&run, line, at)?,
        Raw::Copy(copy) => {
            let flags = Flags::new(&copy.options, at, &["from", "chown", "chmod", "link"])?;
            copy_line(false, &flags, &copy.src, &copy.dest, line, at)?
        }
        Raw::Add(add) => {
            let flags = Flags::new(&add.options, at, &["checksum", "chown", "chmod", "link"])?;
            copy_line(true, &flags, &add.src, &add.dest, line, at)?
        }
        Raw::Workdir(dir) => Kind::Workdir(dir.arguments.value.into_owned()),
        Raw::User(user) => Kind::User(user.arguments.value.into_owned()),
        Raw::Shell(shell) => Kind::Shell(texts(&shell.arguments)),
        Raw::Expose(expose) => Kind::Expose(texts(&expose.arguments)),
        Raw::Volume(volume) => Kind::Volume(match &volume.arguments {
            grammar::JsonOrStringArray::Json(array) => texts(&array.value),
            grammar::JsonOrStringArray::String(array) => texts(array),
        }),
        Raw::Healthcheck(check) => Kind::Healthcheck(healthcheck(&check, at)?),
        Raw::Stopsignal(signal) => Kind::StopSignal(signal.arguments.value.into_owned()),
        Raw::Entrypoint(entry) => Kind::Entrypoint(command(&entry.arguments, at)?),
        Raw::Cmd(cmd) => match command(&cmd.arguments, at)? {
            Command::Shell(text) if text.is_empty() => Kind::Cmd(Command::Exec(Vec::new())),
            command => Kind::Cmd(command),
        },
        Raw::Maintainer(name) => Kind::Maintainer(name.name.value.into_owned()),
        _ => {
            return Err(at.unsupported(
                "this instruction",
                super::error::SUPPORTED,
                "use one of these",
            ));
        }
    }))
}

fn from_line(
    from: &grammar::FromInstruction<'_>,
    line: &Line,
    at: At<'_>,
) -> Result<Stage, DockerfileError> {
    let flags = Flags::new(&from.options, at, &["platform"])?;
    let name = from
        .as_
        .as_ref()
        .map(|(_, name)| name.value.to_ascii_lowercase());
    if let Some(name) = &name {
        let good = |(i, c): (usize, char)| {
            c.is_ascii_lowercase() || i > 0 && (c.is_ascii_digit() || "-_.".contains(c))
        };
        if name.is_empty() || !name.char_indices().all(good) {
            return Err(at.syntax(
                "a stage's name of letters, digits, - _ . that begins with a letter",
                shown(name),
                "choose another name",
            ));
        }
    }
    Ok(Stage {
        line: line.line,
        text: line.text.clone(),
        name,
        base: from.image.value.clone().into_owned(),
        platform: flags.text("platform"),
        instructions: Vec::new(),
    })
}

fn run_line(
    run: &grammar::RunInstruction<'_>,
    line: &Line,
    at: At<'_>,
) -> Result<Kind, DockerfileError> {
    let flags = Flags::new(&run.options, at, &["mount", "network", "security"])?;
    if flags.text("security").is_some() {
        return Err(at.unsupported(
            "--security",
            "--mount, --network=none, --network=default",
            "remove it: commands run in the sandbox and get no more rights",
        ));
    }
    let no_network = match flags.text("network").as_deref() {
        None | Some("default") => false,
        Some("none") => true,
        Some(other) => {
            return Err(at.unsupported(
                format!("--network={}", shown(other)),
                "--network=none, --network=default",
                "use one of these: the host's network is out of reach",
            ));
        }
    };
    let mounts: Vec<_> = flags
        .all("mount")
        .map(|text| mount::fields(text, at))
        .collect::<Result<_, _>>()?;
    for fields in &mounts {
        let variable =
            |(_, v): &(String, Option<String>)| v.as_deref().is_some_and(|v| v.contains('$'));
        if !fields.iter().any(variable) {
            mount::typed(fields, "/", at)?;
        }
    }
    let command = command(&run.arguments, at)?;
    let empty = match &command {
        Command::Exec(array) => array.is_empty(),
        Command::Shell(text) => text.is_empty(),
    };
    if empty {
        return Err(at.syntax("a command", "nothing", "write one behind RUN"));
    }
    Ok(Kind::Run(Run {
        command,
        here_docs: line.here_docs.clone(),
        mounts,
        no_network,
    }))
}

//! Flags before an instruction's arguments.

use parse_dockerfile::Flag;

use crate::dockerfile::error::{At, DockerfileError, shown};

/// Flags that an instruction has, each known to it.
pub(super) struct Flags<'a>(Vec<(&'a str, Option<&'a str>)>);

/// Flags of Docker that have their own reason for being refused.
const REFUSED: [(&str, &str); 6] = [
    ("parents", "name the destination's directories yourself"),
    ("exclude", "put the pattern into .dockerignore"),
    (
        "keep-git-dir",
        "a commit is fetched without its history: leave it out",
    ),
    ("unpack", "unpack with RUN"),
    ("device", "there are no devices while building"),
    ("ssh", "there are no keys while building"),
];

impl<'a> Flags<'a> {
    pub(super) fn new(
        raw: &'a [Flag<'a>],
        at: At<'_>,
        known: &[&str],
    ) -> Result<Self, DockerfileError> {
        let mut flags: Vec<(&str, Option<&str>)> = Vec::new();
        for flag in raw {
            let (name, value) = (&*flag.name.value, flag.value.as_ref().map(|v| &*v.value));
            if !known.contains(&name) {
                let reason = REFUSED.iter().find(|(n, _)| *n == name);
                return Err(at.unsupported(
                    format!("--{}", shown(name)),
                    known
                        .iter()
                        .map(|k| format!("--{k}"))
                        .collect::<Vec<_>>()
                        .join(", "),
                    reason.map_or("remove it, or correct its name", |(_, help)| help),
                ));
            }
            if name != "mount" && flags.iter().any(|(n, _)| *n == name) {
                return Err(at.syntax(format!("--{name} once"), "it twice", "remove one of them"));
            }
            if value.is_none() && name != "link" {
                return Err(at.syntax(
                    format!("--{name}=value"),
                    format!("--{name}"),
                    "write the value behind =, without a blank",
                ));
            }
            if value.is_some_and(|v| v.contains(['"', '\'', '\\', '`'])) {
                return Err(at.unsupported(
                    format!("a quote or an escape character in --{name}"),
                    "values without blanks, as they are",
                    "write the value without quotes",
                ));
            }
            flags.push((name, value));
        }
        Ok(Flags(flags))
    }

    /// The value, if the flag is there and has one.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.all(name).next().map(str::to_owned)
    }

    /// All values.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| *n == name)
            .filter_map(|(_, v)| *v)
    }

    /// A flag that is there or not.
    pub(super) fn truth(&self, name: &str, at: At<'_>) -> Result<bool, DockerfileError> {
        match self.0.iter().find(|(n, _)| *n == name) {
            None => Ok(false),
            Some((_, None | Some("true"))) => Ok(true),
            Some((_, Some("false"))) => Ok(false),
            Some((_, Some(other))) => Err(at.syntax(
                format!("--{name}, --{name}=true or --{name}=false"),
                shown(other),
                "use one of these",
            )),
        }
    }
}

//! `RUN --mount`: what is there while a command runs, and not in the image.

use super::error::{At, DockerfileError};
use super::values;

/// What is mounted while a command runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where, absolute.
    pub target: String,
    /// What.
    pub kind: MountKind,
    /// Without writing.
    pub read_only: bool,
}

/// What a mount shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MountKind {
    /// Files of the context, of a stage or of an image; writes are dropped.
    Bind {
        /// Stage or image; the context if none.
        from: Option<String>,
        /// Path in it.
        source: String,
    },
    /// A directory kept between builds.
    Cache {
        /// Which; the target's path if not said.
        id: String,
        /// Who else may use it meanwhile.
        sharing: Sharing,
        /// Stage or image that it begins with.
        from: Option<String>,
        /// Path in that.
        source: String,
        /// Permissions of a new one.
        mode: u32,
        /// Owner of a new one.
        uid: u32,
        /// Group of a new one.
        gid: u32,
    },
    /// An empty directory in memory.
    Tmpfs {
        /// Most bytes, if said.
        size_bytes: Option<u64>,
    },
    /// A file that the operator gives.
    Secret {
        /// Which.
        id: String,
        /// The build fails without it.
        required: bool,
        /// Variable that gets it instead of a file.
        env: Option<String>,
        /// Permissions.
        mode: u32,
        /// Owner.
        uid: u32,
        /// Group.
        gid: u32,
    },
}

/// Who may use a cache at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// All.
    Shared,
    /// Each their own.
    Private,
    /// One after the other.
    Locked,
}

/// Keys and values as written, between commas.
pub(super) type Fields = Vec<(String, Option<String>)>;

const HELP: &str = "write --mount=type=cache|bind|tmpfs|secret,target=/path and the options that belong to the type";

pub(super) fn fields(text: &str, at: At<'_>) -> Result<Fields, DockerfileError> {
    if text.is_empty() {
        return Err(at.syntax("a mount's keys and values", "nothing", HELP));
    }
    let fields: Fields = text
        .split(',')
        .map(|field| match field.split_once('=') {
            Some((key, value)) => (key.to_ascii_lowercase(), Some(value.to_owned())),
            None => (field.to_ascii_lowercase(), None),
        })
        .collect();
    for (key, value) in &fields {
        let variable = value.as_deref().unwrap_or_default().contains('$');
        if variable && (key == "from" || key == "type") {
            return Err(at.unsupported(
                format!("a variable in a mount's {key}"),
                "variables in a mount's other values",
                "write a stage FROM the variable's image, and mount from that stage",
            ));
        }
    }
    Ok(fields)
}

/// The mount that fields describe, after variables were put in.
pub(super) fn typed(fields: &Fields, workdir: &str, at: At<'_>) -> Result<Mount, DockerfileError> {
    let wrong = |expected: &str, found: String| at.syntax(expected, found, HELP);
    let get = |names: &[&str]| {
        let found = fields
            .iter()
            .rev()
            .find(|(key, _)| names.contains(&key.as_str()));
        found.map(|(key, value)| (key, value.as_deref()))
    };
    let text = |names: &[&str]| match get(names) {
        Some((key, None)) => Err(wrong("a value", format!("{key} alone"))),
        Some((_, value)) => Ok(value.map(str::to_owned).filter(|v| !v.is_empty())),
        None => Ok(None),
    };
    let truth = |names: &[&str]| match get(names) {
        None => Ok(None),
        Some((_, None)) => Ok(Some(true)),
        Some((_, Some(v))) => match v.to_ascii_lowercase().as_str() {
            "1" | "t" | "true" => Ok(Some(true)),
            "0" | "f" | "false" => Ok(Some(false)),
            _ => Err(wrong("true or false", v.to_owned())),
        },
    };
    let number = |name: &str| match text(&[name])? {
        Some(v) => v.parse::<u32>().map(Some).map_err(|_| wrong("a number", v)),
        None => Ok(None),
    };
    let kind = text(&["type"])?
        .unwrap_or("bind".to_owned())
        .to_ascii_lowercase();
    let known: &[&str] = match kind.as_str() {
        "bind" => &["from", "source", "src"],
        "cache" => &[
            "id", "sharing", "from", "source", "src", "mode", "uid", "gid",
        ],
        "tmpfs" => &["size"],
        "secret" => &[
            "id", "required", "env", "mode", "uid", "gid", "source", "src",
        ],
        other => {
            return Err(at.unsupported(
                format!("a mount of type {other}"),
                "cache, bind, tmpfs, secret",
                "fetch what needs credentials before the build",
            ));
        }
    };
    let common = [
        "type",
        "target",
        "dst",
        "destination",
        "readonly",
        "ro",
        "readwrite",
        "rw",
    ];
    for (key, _) in fields {
        if !common.contains(&key.as_str()) && !known.contains(&key.as_str()) {
            return Err(at.unsupported(
                format!("{key:?} of a mount of type {kind}"),
                format!("{}, target, readonly, readwrite", known.join(", ")),
                "remove it, or correct the type",
            ));
        }
    }
    let target = text(&["target", "dst", "destination"])?;
    let from = text(&["from"])?;
    let source = text(&["source", "src"])?;
    let mode = text(&["mode"])?
        .map(|m| values::mode(&m).map_err(|found| wrong("octal permissions", found)))
        .transpose()?;
    let (uid, gid) = (number("uid")?.unwrap_or(0), number("gid")?.unwrap_or(0));
    let writes = matches!(kind.as_str(), "cache" | "tmpfs");
    let read_only = match (truth(&["readonly", "ro"])?, truth(&["readwrite", "rw"])?) {
        (Some(ro), _) => ro,
        (None, Some(rw)) => !rw,
        (None, None) => !writes,
    };
    let inside = |source: Option<String>| values::absolute("/", &source.unwrap_or_default());
    let needed = |target: Option<String>| {
        let target = target.ok_or_else(|| wrong("a target", "none".to_owned()))?;
        match values::absolute(workdir, &target) {
            root if root == "/" => Err(wrong("a target below the root", target)),
            path => Ok(path),
        }
    };
    let (kind, target) = match kind.as_str() {
        "bind" => (
            MountKind::Bind {
                from,
                source: inside(source),
            },
            needed(target)?,
        ),
        "cache" => {
            let target = needed(target)?;
            let kind = MountKind::Cache {
                id: text(&["id"])?.unwrap_or(target.clone()),
                sharing: match text(&["sharing"])?.as_deref() {
                    None | Some("shared") => Sharing::Shared,
                    Some("private") => Sharing::Private,
                    Some("locked") => Sharing::Locked,
                    Some(v) => return Err(wrong("shared, private or locked", v.to_owned())),
                },
                from,
                source: inside(source),
                mode: mode.unwrap_or(0o755),
                uid,
                gid,
            };
            (kind, target)
        }
        "tmpfs" => {
            let size = text(&["size"])?.map(|s| values::size_bytes(&s));
            let size_bytes = size.transpose().map_err(|found| wrong("a size", found))?;
            (MountKind::Tmpfs { size_bytes }, needed(target)?)
        }
        _ => {
            let last = target.as_deref().and_then(|t| t.rsplit('/').next());
            let id = text(&["id"])?.or(source).or(last.map(str::to_owned));
            let id = id.ok_or_else(|| wrong("an id or a target", "neither".to_owned()))?;
            let place = match target {
                Some(target) => needed(Some(target))?,
                None => format!("/run/secrets/{id}"),
            };
            let kind = MountKind::Secret {
                id,
                required: truth(&["required"])?.unwrap_or(false),
                env: text(&["env"])?,
                mode: mode.unwrap_or(0o400),
                uid,
                gid,
            };
            (kind, place)
        }
    };
    Ok(Mount {
        target,
        kind,
        read_only,
    })
}

//! `COPY` and `ADD` with variables put in.

mod remote;

use super::{At, DockerfileError, Reference, State, Style, present, shown, values};
use crate::context::glob::Glob;
use crate::dockerfile::ImageRef;
use crate::dockerfile::instruction::{Copy, Source};

/// Files to copy in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyStep {
    /// `ADD`: local archives are unpacked. `COPY` takes them as files.
    pub unpack: bool,
    /// Where paths lie.
    pub from: CopyFrom,
    /// What is copied.
    pub sources: Vec<CopySource>,
    /// Where to, absolute.
    pub destination: String,
    /// The destination is a directory even if it is not there yet.
    pub into_directory: bool,
    /// Owner, by name or number in the image; root if none.
    pub chown: Option<String>,
    /// Permissions of all files; those of the source if none.
    pub chmod: Option<u32>,
    /// The result does not depend on the layers below.
    pub link: bool,
    /// What a URL has to give.
    pub checksum: Option<String>,
}

/// Where files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyFrom {
    /// The build's context.
    Context,
    /// A stage, by number.
    Stage(usize),
    /// An image.
    Image(ImageRef),
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopySource {
    /// A path, relative to where files come from, with wildcards.
    Path(String),
    /// A file of the network, by `ADD`.
    Url {
        /// Its address: http or https, without a user.
        url: String,
        /// What it is called in a directory; none where the address has no name.
        name: Option<String>,
    },
    /// A commit's files, by `ADD`.
    Repository {
        /// The repository's address, of https.
        url: String,
        /// The commit's whole id, in lower case.
        commit: String,
        /// The directory of it that is meant, relative; empty for all.
        directory: String,
    },
    /// A file written in the Dockerfile.
    File {
        /// Its name.
        name: String,
        /// What is in it.
        content: String,
    },
}

/// What `--from` or a mount's `from` says; the context if nothing.
pub(super) fn from(
    state: &State<'_>,
    name: Option<&str>,
    at: At<'_>,
) -> Result<CopyFrom, DockerfileError> {
    let Some(name) = name else {
        return Ok(CopyFrom::Context);
    };
    Ok(match state.plan.build.reference(name, at)? {
        Reference::Stage(index) => CopyFrom::Stage(index),
        Reference::Image(image) => CopyFrom::Image(image),
    })
}

pub(super) fn resolve(
    state: &mut State<'_>,
    copy: &Copy,
    at: At<'_>,
) -> Result<CopyStep, DockerfileError> {
    let from = from(state, copy.from.as_deref(), at)?;
    let mut sources = Vec::new();
    for source in &copy.sources {
        sources.push(match source {
            Source::HereDoc(doc) => {
                if doc.name.contains('/') || doc.name.starts_with('.') {
                    let help = "write for example <<EOF";
                    return Err(at.syntax("a word that can name a file", shown(&doc.name), help));
                }
                let content = match doc.expand {
                    true => state.put_in_style(&doc.text(), Style::here_doc(), at)?,
                    false => doc.text(),
                };
                CopySource::File {
                    name: doc.name.clone(),
                    content,
                }
            }
            Source::Path(path) => {
                let path = present(state.put_in(path, at)?, "a path", at)?;
                path_or_url(path, copy.add, at)?
            }
        });
    }
    let checksum = match &copy.checksum {
        Some(text) => Some(state.put_in(text, at)?),
        None => None,
    };
    if let Some(checksum) = &checksum {
        if !values::is_digest(checksum) {
            return Err(at.syntax(
                "sha256: and 64 digits",
                shown(checksum),
                "correct --checksum",
            ));
        }
        if !matches!(sources.as_slice(), [CopySource::Url { .. }]) {
            return Err(at.syntax(
                "--checksum with the URL of one file",
                "other sources",
                "write one ADD for each URL",
            ));
        }
    }
    let written = present(state.put_in(&copy.destination, at)?, "a destination", at)?;
    let into_directory = written.ends_with('/')
        || written == "."
        || written == ".."
        || written.ends_with("/.")
        || written.ends_with("/..");
    if sources.len() > 1 && !into_directory {
        return Err(at.syntax(
            "a directory as destination of more than one source",
            shown(&written),
            "end the destination with /",
        ));
    }
    if into_directory
        && let Some(url) = sources.iter().find_map(|source| match source {
            CopySource::Url { url, name: None } => Some(url),
            _ => None,
        })
    {
        return Err(at.syntax(
            "a URL that ends in a file's name, since the destination is a directory",
            shown(url),
            "write the file's name at the destination's end",
        ));
    }
    let chown = match &copy.chown {
        Some(text) => Some(present(state.put_in(text, at)?, "an owner", at)?),
        None => None,
    };
    if let Some(chown) = chown.as_deref().filter(|c| !values::is_owner(c)) {
        return Err(at.syntax("user or user:group", shown(chown), "correct --chown"));
    }
    let chmod = match &copy.chmod {
        Some(text) => {
            let mode = values::mode(&state.put_in(text, at)?);
            Some(mode.map_err(|found| {
                at.syntax(
                    "permissions in octal",
                    found,
                    "write for example --chmod=755",
                )
            })?)
        }
        None => None,
    };
    Ok(CopyStep {
        unpack: copy.add,
        from,
        sources,
        destination: values::absolute(state.config.directory(), &written),
        into_directory,
        chown,
        chmod,
        link: copy.link,
        checksum,
    })
}

fn path_or_url(path: String, add: bool, at: At<'_>) -> Result<CopySource, DockerfileError> {
    if let Some(source) = remote::source(&path, add, at)? {
        return Ok(source);
    }
    let mut depth = 0i64;
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => depth -= 1,
            _ => depth += 1,
        }
        if depth < 0 {
            return Err(at.syntax(
                "a path within the context, stage or image",
                shown(&path),
                "copy the file into the context; .. does not lead out of it",
            ));
        }
    }
    for part in path.split('/') {
        Glob::new(part).map_err(|e| {
            at.syntax(
                "a path with wildcards * ? [a-z]",
                shown(&path),
                e.to_string(),
            )
        })?;
    }
    // Relative to where files come from, `.` and `..` taken out; an empty one is all of it.
    Ok(CopySource::Path(
        values::absolute("/", &path)[1..].to_owned(),
    ))
}

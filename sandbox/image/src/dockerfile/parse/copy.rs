//! `COPY` and `ADD` as written.

use parse_dockerfile::{self as grammar, UnescapedString};

use super::flags::Flags;
use super::unmask;
use crate::dockerfile::error::{At, DockerfileError, shown};
use crate::dockerfile::instruction::{Copy, HereDoc, Kind, Source};
use crate::dockerfile::lines::{self, Line};
use crate::dockerfile::values;

pub(super) fn copy_line(
    add: bool,
    flags: &Flags<'_>,
    raw: &[grammar::Source<'_>],
    destination: &UnescapedString<'_>,
    line: &Line,
    at: At<'_>,
) -> Result<Kind, DockerfileError> {
    let mut docs = line.here_docs.iter();
    let mut sources = Vec::new();
    for source in raw {
        let text = match source {
            grammar::Source::Path(path) => unmask(&path.value),
            _ => return Err(at.syntax("a path", "a here-document", "correct the line")),
        };
        let is_doc = |doc: &&HereDoc| lines::announced(&text).is_some_and(|a| a.name == doc.name);
        sources.push(match docs.as_slice().first().filter(is_doc) {
            Some(doc) => {
                docs.next();
                Source::HereDoc(doc.clone())
            }
            None => Source::Path(text),
        });
    }
    let destination = unmask(&destination.value);
    if docs.next().is_some() {
        return Err(at.syntax(
            "a path as destination",
            shown(&destination),
            "write the destination last",
        ));
    }
    let checksum = flags.text("checksum");
    if let Some(checksum) = checksum
        .as_deref()
        .filter(|c| !c.contains('$') && !values::is_digest(c))
    {
        return Err(at.syntax(
            "sha256: and 64 digits",
            shown(checksum),
            "correct --checksum",
        ));
    }
    let from = flags.text("from");
    if from
        .as_deref()
        .is_some_and(|f| f.contains('$') || f.is_empty())
    {
        return Err(at.unsupported(
            "a variable in --from",
            "--from with a stage's name or number, or an image",
            "write a stage FROM the variable's image, and copy from that stage",
        ));
    }
    Ok(Kind::Copy(Copy {
        add,
        from,
        sources,
        destination,
        chown: flags.text("chown"),
        chmod: flags.text("chmod"),
        link: flags.truth("link", at)?,
        checksum,
    }))
}

//! Bytes to logical lines: directives, continuations, comments, here-documents.
//!
//! Done here and not by the parser that reads each line: that one knows here-documents only at a command's start, and takes
//! a doubled escape character at a line's end for a continuation. A here-document that is missed turns its content into
//! instructions.

use std::collections::BTreeSet;

use super::error::{At, DockerfileError, shown};
use super::expand::{Budget, Style, Variables, expand_words};
use super::instruction::HereDoc;
use super::{HERE_DOCS_MAX, INSTRUCTIONS_MAX, TEXT_BYTES_MAX};

/// Blanks within a line.
pub(super) const BLANKS: [char; 5] = ['\t', '\x0b', '\x0c', '\r', ' '];

/// A Dockerfile as logical lines.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) escape: char,
    pub(super) notes: Vec<(usize, String)>,
    pub(super) lines: Vec<Line>,
}

/// One instruction: its text on one line, and the here-documents that follow it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) line: usize,
    pub(super) text: String,
    pub(super) here_docs: Vec<HereDoc>,
}

pub(super) fn read(bytes: &[u8]) -> Result<Lines, DockerfileError> {
    let text = checked(bytes)?;
    let mut rows = Rows {
        rows: text.split_inclusive('\n').enumerate(),
        done: 0,
    };
    let (escape, mut notes, directives) = directives(text)?;
    for _ in 0..directives {
        rows.next();
    }
    let mut lines: Vec<Line> = Vec::new();
    while let Some(row) = rows.next() {
        let number = rows.done;
        let row = row.trim_start();
        if row.is_empty() || row.starts_with('#') {
            continue;
        }
        let joined = join(row, escape, &mut rows, &mut notes);
        let text = joined.trim().to_owned();
        if text.is_empty() {
            continue;
        }
        if lines.len() == INSTRUCTIONS_MAX {
            return Err(DockerfileError::TooMany {
                line: number,
                what: "instructions",
                limit: INSTRUCTIONS_MAX,
            });
        }
        let at = At {
            line: number,
            text: &text,
        };
        let here_docs = here_docs(at, escape, &mut rows)?;
        lines.push(Line {
            line: number,
            text,
            here_docs,
        });
    }
    Ok(Lines {
        escape,
        notes,
        lines,
    })
}

/// The text, if it is one.
fn checked(bytes: &[u8]) -> Result<&str, DockerfileError> {
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(DockerfileError::TooLarge { bytes: bytes.len() });
    }
    let line_of = |at: usize| 1 + bytes[..at].iter().filter(|b| **b == b'\n').count();
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| DockerfileError::NotText {
        line: line_of(e.valid_up_to()),
        found: format!(
            "the byte 0x{:02x}, which is not UTF-8",
            bytes[e.valid_up_to()]
        ),
    })?;
    let control = |b: &u8| *b < 0x20 && !b"\t\n\x0b\x0c\r".contains(b);
    match bytes.iter().position(control) {
        Some(at) => Err(DockerfileError::NotText {
            line: line_of(at),
            found: match bytes[at] {
                0 => "a NUL byte".to_owned(),
                b => format!("the control character 0x{b:02x}"),
            },
        }),
        None => Ok(text),
    }
}

struct Rows<'a> {
    rows: std::iter::Enumerate<std::str::SplitInclusive<'a, char>>,
    /// Number of the row given last.
    done: usize,
}

impl<'a> Iterator for Rows<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let (at, row) = self.rows.next()?;
        self.done = at + 1;
        Some(row)
    }
}

type Notes = Vec<(usize, String)>;

/// The escape character, notes, and how many rows are directives. They come first; anything else ends them.
fn directives(text: &str) -> Result<(char, Notes, usize), DockerfileError> {
    let (mut escape, mut notes, mut seen) = ('\\', Vec::new(), BTreeSet::new());
    for (at, row) in text.lines().enumerate() {
        let line = at + 1;
        let directive = row.trim().strip_prefix('#').and_then(|r| r.split_once('='));
        let Some((name, value)) = directive else {
            return Ok((escape, notes, at));
        };
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if !matches!(name.as_str(), "syntax" | "escape" | "check") || value.is_empty() {
            return Ok((escape, notes, at));
        }
        let at = At { line, text: row };
        if !seen.insert(name.clone()) {
            return Err(at.syntax(
                format!("the directive {name} once"),
                "it a second time",
                "remove one of them",
            ));
        }
        match (name.as_str(), value) {
            ("escape", "\\") => {}
            ("escape", "`") => escape = '`',
            ("escape", found) => {
                return Err(at.syntax("escape=\\ or escape=`", shown(found), "use one of the two"));
            }
            (name, value) => notes.push((
                line,
                format!(
                    "the directive {name}={} is ignored: there is one front end",
                    shown(value)
                ),
            )),
        }
    }
    Ok((escape, notes, text.lines().count()))
}

/// A row without its line end, and whether the next one continues it: the escape character is last, blanks apart, and does
/// not stand behind another.
fn continued(row: &str, escape: char) -> (&str, bool) {
    let row = row.trim_end_matches(['\r', '\n']);
    let bare = row.trim_end_matches([' ', '\t']);
    match bare.strip_suffix(escape) {
        Some(before) if !before.ends_with(escape) => (before, true),
        _ => (row, false),
    }
}

/// A row and those that continue it. Comments and empty rows in between are left out; blanks at the start of rows stay.
fn join(row: &str, escape: char, rows: &mut Rows<'_>, notes: &mut Notes) -> String {
    let (first, mut more) = continued(row, escape);
    let mut joined = first.to_owned();
    let mut empty = None;
    while more {
        let Some(row) = rows.next() else { break };
        let start = row.trim_start();
        if start.starts_with('#') {
            continue;
        }
        if start.is_empty() {
            empty = empty.or(Some(rows.done));
            continue;
        }
        let (text, goes_on) = continued(row, escape);
        joined.push_str(text);
        more = goes_on;
    }
    if let Some(line) = empty {
        notes.push((
            line,
            "an empty line within an instruction is skipped".to_owned(),
        ));
    }
    joined
}

/// The here-documents that a logical line announces, read from the rows that follow.
fn here_docs(
    at: At<'_>,
    escape: char,
    rows: &mut Rows<'_>,
) -> Result<Vec<HereDoc>, DockerfileError> {
    let keyword = at.text.split(BLANKS).next().unwrap_or_default();
    let takes = ["RUN", "COPY", "ADD"];
    if !at.text.contains("<<")
        || !takes.iter().any(|k| keyword.eq_ignore_ascii_case(k))
        || is_json(arguments(at.text))
    {
        return Ok(Vec::new());
    }
    let style = Style {
        keep_quotes: true,
        keep_escapes: true,
        keep_unset: true,
        ..Style::arguments(escape)
    };
    let words = expand_words(at.text, &Variables::new(), style, &mut Budget::default())
        .map_err(|e| at.expand(e))?;
    let mut found = Vec::new();
    for mut doc in words.iter().filter_map(|word| announced(word)) {
        if found.len() == HERE_DOCS_MAX {
            return Err(DockerfileError::TooMany {
                line: at.line,
                what: "here-documents in one instruction",
                limit: HERE_DOCS_MAX,
            });
        }
        loop {
            let Some(row) = rows.next() else {
                return Err(at.syntax(
                    format!("a line {} that ends the here-document", shown(&doc.name)),
                    "the end of the file",
                    "write the word alone on a line, without blanks around it",
                ));
            };
            let mut end = row.trim_end_matches(['\r', '\n']);
            if doc.chomp {
                end = end.trim_start_matches('\t');
            }
            if end == doc.name {
                break;
            }
            doc.content.push_str(row);
        }
        found.push(doc);
    }
    Ok(found)
}

/// What a word like `<<EOF`, `<<-"EOF"` or `3<<EOF` announces.
pub(super) fn announced(word: &str) -> Option<HereDoc> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let rest = rest.strip_prefix("<<")?;
    let (chomp, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if rest.is_empty() || rest.contains('<') {
        return None;
    }
    let style = Style {
        keep_unset: true,
        ..Style::arguments('\\')
    };
    let mut words = expand_words(rest, &Variables::new(), style, &mut Budget::default()).ok()?;
    let name = words.pop().filter(|_| words.is_empty())?;
    Some(HereDoc {
        expand: name == rest,
        name,
        chomp,
        content: String::new(),
    })
}

/// What follows the keyword and the flags.
pub(super) fn arguments(text: &str) -> &str {
    let after = |text: &'_ str| text.find(BLANKS).unwrap_or(text.len());
    let mut rest = text[after(text)..].trim_start_matches(BLANKS);
    while rest.starts_with("--") {
        rest = rest[after(rest)..].trim_start_matches(BLANKS);
    }
    rest
}

/// Whether arguments are a JSON array of strings.
pub(super) fn is_json(arguments: &str) -> bool {
    arguments.starts_with('[') && serde_json::from_str::<Vec<String>>(arguments).is_ok()
}

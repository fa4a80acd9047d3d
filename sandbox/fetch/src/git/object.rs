//! Commits and trees as they are stored. Read strictly: what git itself would not write is refused.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::id::{Algorithm, ObjectId};
use super::name;

/// Why an object is not what its kind says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ParseObjectError {
    reason: String,
}

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// a directory
    Tree,
    /// a file
    File,
    /// a file that can be run
    Executable,
    /// a symbolic link
    Link,
    /// a commit of another repository
    Submodule,
}

/// One entry of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// what it is
    pub mode: Mode,
    /// its name, checked
    pub name: &'a [u8],
    /// its object
    pub id: ObjectId,
}

impl Mode {
    /// As it stands in a tree.
    pub fn text(self) -> &'static [u8] {
        match self {
            Mode::Tree => b"40000",
            Mode::File => b"100644",
            Mode::Executable => b"100755",
            Mode::Link => b"120000",
            Mode::Submodule => b"160000",
        }
    }

    fn parse(text: &[u8]) -> Option<Mode> {
        let all = [
            Mode::Tree,
            Mode::File,
            Mode::Executable,
            Mode::Link,
            Mode::Submodule,
        ];
        all.into_iter().find(|mode| mode.text() == text)
    }
}

/// The entries of a tree, in their order, with names that may be written.
///
/// # Errors
/// Where it is cut off, a mode is none of ours, a name is refused, two names are one to a system that ignores case, or the order is wrong.
pub fn parse_tree(
    algorithm: Algorithm,
    content: &[u8],
) -> Result<Vec<Entry<'_>>, ParseObjectError> {
    let fail = |reason: String| ParseObjectError { reason };
    let mut out: Vec<Entry<'_>> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut rest = content;
    while !rest.is_empty() {
        // Six digits and a blank at most.
        let blank = rest.iter().take(7).position(|b| *b == b' ');
        let blank = blank.ok_or_else(|| fail("it has an entry without a mode".to_owned()))?;
        let mode = Mode::parse(&rest[..blank]).ok_or_else(|| {
            fail(format!(
                "it has an entry of mode {}, which is not 40000, 100644, 100755, 120000 or 160000",
                name::shown(&rest[..blank])
            ))
        })?;
        rest = &rest[blank + 1..];
        let nul = rest
            .iter()
            .take(name::NAME_BYTES_MAX + 1)
            .position(|b| *b == 0);
        let nul = nul.ok_or_else(|| {
            fail("it has a name without an end, or longer than 255 bytes".to_owned())
        })?;
        let name = &rest[..nul];
        if let Some(fault) = name::fault_of(name) {
            return Err(fail(format!("its entry {:?} {fault}", name::shown(name))));
        }
        rest = &rest[nul + 1..];
        let (id, after) = rest
            .split_at_checked(algorithm.len())
            .ok_or_else(|| fail("it is cut off".to_owned()))?;
        rest = after;
        let entry = Entry {
            mode,
            name,
            id: ObjectId::from_bytes(algorithm, id).expect("as long as ids of this kind are"),
        };
        if out
            .last()
            .is_some_and(|last| order(last, &entry) != Ordering::Less)
        {
            return Err(fail(format!(
                "its entry {:?} is out of order",
                name::shown(name)
            )));
        }
        if !seen.insert(name::folded(name)) {
            return Err(fail(format!(
                "it has two entries that are {:?} to a system which ignores case",
                name::shown(name)
            )));
        }
        out.push(entry);
    }
    Ok(out)
}

/// Git's order: a directory's name counts as if a slash was behind it.
pub fn order(a: &Entry<'_>, b: &Entry<'_>) -> Ordering {
    let key = |e: &Entry<'_>| {
        let slash: &'static [u8] = if e.mode == Mode::Tree { b"/" } else { b"" };
        (e.name.to_vec(), slash)
    };
    let ((a_name, a_end), (b_name, b_end)) = (key(a), key(b));
    let a_all = a_name.iter().chain(a_end);
    a_all.cmp(b_name.iter().chain(b_end))
}

/// A tree's content, from entries in any order.
pub fn write_tree(entries: &mut [Entry<'_>]) -> Vec<u8> {
    entries.sort_by(order);
    let mut out = Vec::new();
    for entry in entries.iter() {
        out.extend_from_slice(entry.mode.text());
        out.push(b' ');
        out.extend_from_slice(entry.name);
        out.push(0);
        out.extend_from_slice(entry.id.as_bytes());
    }
    out
}

/// The tree of a commit.
///
/// # Errors
/// Where the head of the commit is not what git writes: a tree, parents, author, committer.
pub fn parse_commit(algorithm: Algorithm, content: &[u8]) -> Result<ObjectId, ParseObjectError> {
    let fail = |reason: &str| ParseObjectError {
        reason: reason.to_owned(),
    };
    let id = |text: &[u8]| {
        let text = std::str::from_utf8(text).ok()?;
        let id: ObjectId = text.parse().ok()?;
        (id.algorithm() == algorithm && id.to_string() == text).then_some(id)
    };
    let mut lines = content.split(|b| *b == b'\n');
    let tree = lines
        .next()
        .and_then(|line| line.strip_prefix(b"tree "))
        .and_then(id)
        .ok_or_else(|| fail("it does not begin with a tree"))?;
    let mut line = lines.next().unwrap_or_default();
    while let Some(parent) = line.strip_prefix(b"parent ") {
        id(parent).ok_or_else(|| fail("a parent of it is no id"))?;
        line = lines.next().unwrap_or_default();
    }
    if !line.starts_with(b"author ") || !lines.next().unwrap_or_default().starts_with(b"committer ")
    {
        return Err(fail("it has no author, or no committer behind that"));
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(byte: u8) -> ObjectId {
        ObjectId::from_bytes(Algorithm::Sha1, &[byte; 20]).unwrap()
    }

    fn entry(mode: Mode, name: &str) -> Entry<'_> {
        Entry {
            mode,
            name: name.as_bytes(),
            id: id(7),
        }
    }

    #[test]
    fn a_tree_reads_back_as_it_was_written_in_gits_order() {
        let mut entries = [
            entry(Mode::Tree, "a"),
            entry(Mode::File, "a.b"),
            entry(Mode::Executable, "a-b"),
            entry(Mode::Link, "z"),
            entry(Mode::Submodule, "m"),
        ];
        let content = write_tree(&mut entries);
        let read = parse_tree(Algorithm::Sha1, &content).unwrap();
        let names: Vec<_> = read.iter().map(|e| name::shown(e.name)).collect();
        // `a` is a directory, and sorts as `a/`: behind `a-b` and `a.b`.
        assert_eq!(names, ["a-b", "a.b", "a", "m", "z"]);
        assert_eq!(read, entries);
    }

    #[test]
    fn trees_that_git_would_not_write_are_refused() {
        let raw = |mode: &str, name: &str| {
            [mode.as_bytes(), b" ", name.as_bytes(), b"\0", &[1; 20]].concat()
        };
        for (content, reason) in [
            (raw("100664", "a"), "mode 100664"),
            (raw("0", "a"), "mode 0"),
            (raw("040000", "a"), "mode 040000"),
            (raw("100644", ".."), "leads out"),
            (raw("100644", "a/b"), "slash"),
            (raw("40000", ".GIT"), "git's own"),
            (
                [raw("100644", "b"), raw("100644", "a")].concat(),
                "out of order",
            ),
            (
                [raw("100644", "a"), raw("100644", "a")].concat(),
                "out of order",
            ),
            (
                [raw("100644", "a"), raw("100644", "a.x"), raw("40000", "a")].concat(),
                "ignores case",
            ),
            (
                [raw("100644", "A"), raw("100644", "a")].concat(),
                "ignores case",
            ),
            (raw("100644", "a")[..20].to_vec(), "cut off"),
            (b"100644 abc".to_vec(), "without an end"),
            (b"1006441 abc".to_vec(), "without a mode"),
            (raw("100644", &"a".repeat(256)), "longer than 255"),
        ] {
            let error = parse_tree(Algorithm::Sha1, &content)
                .unwrap_err()
                .to_string();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }

    #[test]
    fn a_commit_leads_to_its_tree() {
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let good = format!(
            "tree {tree}\nparent {tree}\nparent {tree}\nauthor a <b> 1 +0000\ncommitter a <b> 1 +0000\n\nx\n"
        );
        assert_eq!(
            parse_commit(Algorithm::Sha1, good.as_bytes())
                .unwrap()
                .to_string(),
            tree
        );
        for wrong in [
            String::new(),
            good.replace("tree ", "tee "),
            good.replace("author", "x"),
            good.replace("committer", "x"),
            good.replace("parent 4b", "parent 4B"),
            good.replace("tree 4b", "tree 4"),
        ] {
            assert!(
                parse_commit(Algorithm::Sha1, wrong.as_bytes()).is_err(),
                "{wrong}"
            );
        }
        assert!(parse_commit(Algorithm::Sha256, good.as_bytes()).is_err());
    }
}

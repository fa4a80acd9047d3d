//! Names of entries: what they mean beneath a layer's root.

use super::caps::{NAME_BYTES_MAX, PATH_BYTES_MAX};

/// A path beneath the root: components joined by one slash, none of them empty, `.` or `..`. Empty for the root itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct InnerPath(Vec<u8>);

impl InnerPath {
    /// A leading slash and `.` are taken away, as the image specification's tools do. `..` is refused even where it would stay
    /// inside: no tool writes it.
    pub(crate) fn new(name: &[u8]) -> Result<InnerPath, &'static str> {
        if name.contains(&0) {
            return Err("has a NUL in its name");
        }
        let mut out = Vec::with_capacity(name.len());
        for part in name.split(|&b| b == b'/') {
            match part {
                b"" | b"." => continue,
                b".." => return Err("has .. in its name"),
                _ if part.len() > NAME_BYTES_MAX => {
                    return Err("has a component of more than 255 bytes");
                }
                _ => {}
            }
            if !out.is_empty() {
                out.push(b'/');
            }
            out.extend_from_slice(part);
            if out.len() > PATH_BYTES_MAX {
                return Err("has a path of more than 4095 bytes");
            }
        }
        Ok(InnerPath(out))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Parent and last component; `None` for the root.
    pub(crate) fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.0.is_empty() {
            return None;
        }
        Some(match self.0.iter().rposition(|&b| b == b'/') {
            Some(cut) => (&self.0[..cut], &self.0[cut + 1..]),
            None => (&[], &self.0),
        })
    }
}

/// What a whiteout's name stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Whiteout<'a> {
    /// Hides this name of the layers beneath.
    Name(&'a [u8]),
    /// Hides all that the layers beneath have in this directory.
    Opaque,
}

/// What starts a whiteout's name. A file cannot be called so.
pub(crate) const WHITEOUT: &[u8] = b".wh.";
/// The name of the mark that makes its directory opaque.
pub(crate) const OPAQUE: &[u8] = b".wh..wh..opq";

/// The whiteout that a last component is, if it is one.
pub(crate) fn whiteout(name: &[u8]) -> Option<Result<Whiteout<'_>, &'static str>> {
    if name == OPAQUE {
        return Some(Ok(Whiteout::Opaque));
    }
    let hidden = name.strip_prefix(WHITEOUT)?;
    Some(match hidden {
        b"" => Err("is a whiteout of nothing"),
        b"." | b".." => Err("is a whiteout of a directory by . or .."),
        _ if hidden.starts_with(WHITEOUT) => {
            Err("is a whiteout of a whiteout, or belongs to the retired aufs driver")
        }
        _ => Ok(Whiteout::Name(hidden)),
    })
}

#[cfg(test)]
mod tests;

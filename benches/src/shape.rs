//! What is measured: a kernel family at one shape, as people write it: `linear:512x2048x2048`.
//!
//! ```text
//! FAMILY:DIMxDIM...[,OPTION[=VALUE]]...      linear:512x2048x2048
//!                                            attention:9x3x64,lengths=4*512+37,window=512
//!                                            kl:512x49152x576,shared
//! ```
//!
//! Sizes of a family come in a fixed order; options may be left out. [`FAMILIES`] lists both. The text of a [`Shape`] is
//! canonical: two results are of the same work where the texts are equal.

mod defaults;
mod families;
mod file;

pub use defaults::{defaults, tiny};
pub use families::FAMILIES;
pub use file::{ReadShapesError, read_shapes};

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A kernel family: what its shapes are made of.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Sizes, in the order in which they are written.
    pub dims: &'static [&'static str],
    /// Options.
    pub options: &'static [Setting],
    /// What it computes.
    pub about: &'static str,
}

/// An option of a family.
#[derive(Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
}

/// What an option may be.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number above zero.
    Count,
    /// Lengths of packed rows: `4*512+37`.
    Lengths,
    /// One of these words.
    Word(&'static [&'static str]),
    /// There or not, without a value.
    Flag,
}

/// The family called `name`.
#[must_use]
pub fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().find(|family| family.name == name)
}

/// A family at one shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    family: &'static Family,
    dims: Vec<usize>,
    options: BTreeMap<&'static str, String>,
}

/// Why a text is no shape.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ShapeError {
    /// No such family.
    #[error("there is no kernel family {name:?}\nhelp: families are {}", names())]
    Family {
        /// As written.
        name: String,
    },
    /// Too few or too many sizes.
    #[error("{family} takes {} sizes ({}), found {found:?}\nhelp: for example {}", expected.len(), expected.join(", "), example(family, expected))]
    Dims {
        /// The family.
        family: &'static str,
        /// Names of its sizes.
        expected: &'static [&'static str],
        /// As written.
        found: String,
    },
    /// A size that is no number, or zero, or too large.
    #[error("{family}: {name} is {found:?}, expected a whole number from 1 to {MOST}")]
    Size {
        /// The family.
        family: &'static str,
        /// The size or option.
        name: &'static str,
        /// As written.
        found: String,
    },
    /// An option that the family does not have.
    #[error("{family} has no option {name:?}\nhelp: it has {}", or_none(known))]
    Option {
        /// The family.
        family: &'static str,
        /// As written.
        name: String,
        /// Those it has.
        known: Vec<&'static str>,
    },
    /// A word that the option does not know.
    #[error("{family}: {name} is {found:?}, expected one of {}", known.join(", "))]
    Word {
        /// The family.
        family: &'static str,
        /// The option.
        name: &'static str,
        /// As written.
        found: String,
        /// Those it knows.
        known: &'static [&'static str],
    },
    /// A value of an option that has none.
    #[error("{family}: {name} is there or not, found {found:?} behind it")]
    Flag {
        /// The family.
        family: &'static str,
        /// The option.
        name: &'static str,
        /// As written.
        found: String,
    },
    /// Sizes that do not go together.
    #[error("{shape}: {reason}")]
    Together {
        /// The shape.
        shape: String,
        /// Why.
        reason: String,
    },
}

/// The largest size that is taken: products of two still fit their type.
const MOST: usize = 1 << 31;

fn names() -> String {
    FAMILIES
        .iter()
        .map(|f| f.name)
        .collect::<Vec<_>>()
        .join(", ")
}

fn example(family: &str, dims: &[&str]) -> String {
    let sizes = ["512", "2048", "896", "16"];
    format!("{family}:{}", sizes[..dims.len().min(4)].join("x"))
}

fn or_none(known: &[&str]) -> String {
    if known.is_empty() {
        "none".to_owned()
    } else {
        known.join(", ")
    }
}

impl Shape {
    /// A family's shape from named sizes and options, all as text.
    ///
    /// # Errors
    /// As [`ShapeError`] says.
    pub fn new<'a>(
        family: &'static Family,
        dims: &[&str],
        options: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Result<Self, ShapeError> {
        if dims.len() != family.dims.len() {
            return Err(ShapeError::Dims {
                family: family.name,
                expected: family.dims,
                found: dims.join("x"),
            });
        }
        let named = family.dims.iter().zip(dims);
        let dims = named
            .map(|(name, text)| size(family, name, text))
            .collect::<Result<_, _>>()?;
        let mut shape = Self {
            family,
            dims,
            options: BTreeMap::new(),
        };
        for (name, value) in options {
            let Some(setting) = family.options.iter().find(|s| s.name == name) else {
                return Err(ShapeError::Option {
                    family: family.name,
                    name: name.to_owned(),
                    known: family.options.iter().map(|s| s.name).collect(),
                });
            };
            check(family, setting, &value)?;
            match (&setting.kind, &value[..]) {
                // As files say it.
                (Kind::Flag, "false") => {}
                (Kind::Flag, _) => _ = shape.options.insert(setting.name, String::new()),
                _ => _ = shape.options.insert(setting.name, value),
            }
        }
        shape.go_together()?;
        Ok(shape)
    }

    fn go_together(&self) -> Result<(), ShapeError> {
        let refuse = |reason: String| {
            Err(ShapeError::Together {
                shape: self.to_string(),
                reason,
            })
        };
        match self.family.name {
            "linear" if self.word("gate").is_some() && !self.dim("out").is_multiple_of(2) => {
                refuse(
                    "out must be even: half of it is gates, half what they are multiplied with"
                        .to_owned(),
                )
            }
            "attention" if !self.dim("heads").is_multiple_of(self.dim("kv_heads")) => {
                refuse("heads must be a multiple of kv_heads".to_owned())
            }
            "attention" | "rope" if !self.dim("head_dim").is_multiple_of(2) => {
                refuse("head_dim must be even".to_owned())
            }
            "rms_norm" if !self.dim("cols").is_multiple_of(self.group()) => {
                refuse("cols must be a multiple of group".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// Kernel family.
    #[must_use]
    pub fn family(&self) -> &'static str {
        self.family.name
    }

    /// What stands behind the colon.
    #[must_use]
    pub fn sizes(&self) -> String {
        let dims: Vec<String> = self.dims.iter().map(ToString::to_string).collect();
        let mut text = dims.join("x");
        for (name, value) in &self.options {
            text.push_str(&match &value[..] {
                "" => format!(",{name}"),
                value => format!(",{name}={value}"),
            });
        }
        text
    }

    /// A size.
    ///
    /// # Panics
    /// If the family has none of that name.
    #[must_use]
    pub fn dim(&self, name: &str) -> usize {
        let at = self.family.dims.iter().position(|dim| *dim == name);
        self.dims[at.unwrap_or_else(|| panic!("{} has no size {name}", self.family.name))]
    }

    /// A number, if it was given.
    #[must_use]
    pub fn count(&self, name: &str) -> Option<usize> {
        self.options.get(name)?.parse().ok()
    }

    /// A word, if it was given.
    #[must_use]
    pub fn word(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// Whether an option without a value is there.
    #[must_use]
    pub fn flag(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }

    /// Lengths of packed rows.
    #[must_use]
    pub fn lengths(&self) -> Vec<usize> {
        let text = self.options.get("lengths").map_or("4*512", String::as_str);
        lengths(text).expect("checked when it was read")
    }

    /// Values that are normalised together.
    #[must_use]
    pub fn group(&self) -> usize {
        self.count("group").unwrap_or_else(|| self.dim("cols"))
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.family.name, self.sizes())
    }
}

impl FromStr for Shape {
    type Err = ShapeError;

    fn from_str(text: &str) -> Result<Self, ShapeError> {
        let (name, rest) = text.split_once(':').unwrap_or((text, ""));
        let family = family(name.trim()).ok_or_else(|| ShapeError::Family {
            name: name.trim().to_owned(),
        })?;
        let mut parts = rest.split(',').map(str::trim);
        let dims: Vec<&str> = parts.next().unwrap_or("").split('x').collect();
        let options = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (name.trim(), value.trim().to_owned())
        });
        Self::new(family, &dims, options)
    }
}

fn size(family: &Family, name: &'static str, text: &str) -> Result<usize, ShapeError> {
    let refuse = || ShapeError::Size {
        family: family.name,
        name,
        found: text.to_owned(),
    };
    let value: usize = text.trim().parse().map_err(|_| refuse())?;
    (1..=MOST)
        .contains(&value)
        .then_some(value)
        .ok_or_else(refuse)
}

fn check(family: &Family, setting: &Setting, value: &str) -> Result<(), ShapeError> {
    match setting.kind {
        Kind::Count => size(family, setting.name, value).map(|_| ()),
        Kind::Lengths => lengths(value).map(|_| ()).ok_or_else(|| ShapeError::Size {
            family: family.name,
            name: setting.name,
            found: value.to_owned(),
        }),
        Kind::Flag if ["", "true", "false"].contains(&value) => Ok(()),
        Kind::Flag => Err(ShapeError::Flag {
            family: family.name,
            name: setting.name,
            found: value.to_owned(),
        }),
        Kind::Word(known) if known.contains(&value) => Ok(()),
        Kind::Word(known) => Err(ShapeError::Word {
            family: family.name,
            name: setting.name,
            found: value.to_owned(),
            known,
        }),
    }
}

/// `4*512+37` as five lengths, at most 65,536 of them.
fn lengths(text: &str) -> Option<Vec<usize>> {
    let mut all = Vec::new();
    for part in text.split('+') {
        let (times, length) = part.split_once('*').unwrap_or(("1", part));
        let (times, length): (usize, usize) =
            (times.trim().parse().ok()?, length.trim().parse().ok()?);
        if times == 0 || length == 0 || length > MOST || times + all.len() > 1 << 16 {
            return None;
        }
        all.extend(std::iter::repeat_n(length, times));
    }
    Some(all)
}

#[cfg(test)]
mod tests;

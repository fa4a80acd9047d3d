//! `NAME=PATH` to candidates: directories here, or models from the hub.

use crate::hub::ModelId;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A candidate as the command line has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateArg {
    /// What results call it.
    pub name: String,
    /// Directory or hub id.
    pub source: String,
}

/// Why a candidate argument does not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CandidateArgError {
    /// Nothing before or after `=`.
    #[error("{0:?} is not a candidate; write NAME=PATH, or a path alone")]
    Empty(String),
    /// The path alone does not give a name.
    #[error("{0:?} has no last component to be named after; write NAME={0}")]
    Nameless(String),
    /// The name would collide with a key of the subnet's result file.
    #[error("a candidate cannot be called {RESERVED}, which is a key of the result file")]
    Reserved,
    /// Two candidates of one name.
    #[error("two candidates are called {0:?}\nhelp: give one of them another name: NAME=PATH")]
    Duplicate(String),
    /// Neither a directory nor a hub id.
    #[error("candidate {name:?}: there is no directory {}, and it is not the id of a model on the hub either", .path)]
    NotThere {
        /// The candidate.
        name: String,
        /// What it says.
        path: String,
    },
}

const RESERVED: &str = "model_params_count";

impl FromStr for CandidateArg {
    type Err = CandidateArgError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, source) = match text.split_once('=') {
            Some((name, source)) => (name.to_owned(), source.to_owned()),
            None => (name_of(text)?, text.to_owned()),
        };
        if name.is_empty() || source.is_empty() {
            return Err(CandidateArgError::Empty(text.to_owned()));
        }
        if name == RESERVED {
            return Err(CandidateArgError::Reserved);
        }
        Ok(Self { name, source })
    }
}

fn name_of(path: &str) -> Result<String, CandidateArgError> {
    if path.is_empty() {
        return Err(CandidateArgError::Empty(path.to_owned()));
    }
    let name = Path::new(path).file_name().and_then(|name| name.to_str());
    name.map(str::to_owned)
        .ok_or_else(|| CandidateArgError::Nameless(path.to_owned()))
}

/// Where a model's files are, before anything is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A directory here.
    Local(PathBuf),
    /// An id on the hub.
    Hub(String),
}

impl Place {
    /// A directory if there is one of that path, relative to `directory`; else a hub id if it reads like one.
    pub fn of(source: &str, directory: &Path) -> Option<Self> {
        let path = directory.join(source);
        if path.is_dir() {
            return Some(Self::Local(path));
        }
        source
            .parse::<ModelId>()
            .is_ok()
            .then(|| Self::Hub(source.to_owned()))
    }
}

/// Finds out where every candidate is.
///
/// # Errors
/// `Duplicate` names, and `NotThere` for a path that is neither here nor an id.
pub fn places(
    candidates: &[CandidateArg],
) -> Result<Vec<(CandidateArg, Place)>, CandidateArgError> {
    let mut names = HashSet::new();
    let mut found = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        if !names.insert(&candidate.name) {
            return Err(CandidateArgError::Duplicate(candidate.name.clone()));
        }
        let place = Place::of(&candidate.source, Path::new("")).ok_or_else(|| {
            CandidateArgError::NotThere {
                name: candidate.name.clone(),
                path: candidate.source.clone(),
            }
        })?;
        found.push((candidate.clone(), place));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arg(text: &str) -> Result<CandidateArg, CandidateArgError> {
        text.parse()
    }

    #[test]
    fn a_name_comes_from_the_argument_or_the_path() {
        let named = |name: &str, source: &str| {
            Ok(CandidateArg {
                name: name.to_owned(),
                source: source.to_owned(),
            })
        };
        assert_eq!(arg("a=out/x"), named("a", "out/x"));
        assert_eq!(arg("a=out/x=y"), named("a", "out/x=y"));
        assert_eq!(arg("out/lora/"), named("lora", "out/lora/"));
        assert_eq!(arg("owner/model"), named("model", "owner/model"));
        assert!(matches!(arg("=x"), Err(CandidateArgError::Empty(_))));
        assert!(matches!(arg("x="), Err(CandidateArgError::Empty(_))));
        assert!(matches!(arg(""), Err(CandidateArgError::Empty(_))));
        assert!(matches!(arg(".."), Err(CandidateArgError::Nameless(_))));
        assert_eq!(
            arg("model_params_count=x"),
            Err(CandidateArgError::Reserved)
        );
    }

    #[test]
    fn a_directory_here_goes_before_the_hub() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(directory.path().join("owner/model")).unwrap();
        let local = Place::of("owner/model", directory.path());
        assert_eq!(
            local,
            Some(Place::Local(directory.path().join("owner/model")))
        );
        let hub = Place::of("owner/other@v1", directory.path());
        assert_eq!(hub, Some(Place::Hub("owner/other@v1".to_owned())));
        for neither in [
            "./owner/other",
            "/no/such",
            "other",
            "a/b/c",
            "../b",
            "nobody/",
            "o wner/x",
        ] {
            assert_eq!(Place::of(neither, directory.path()), None, "{neither}");
        }
    }

    #[test]
    fn two_candidates_of_one_name_are_refused() {
        let one = arg("a=owner/x").unwrap();
        let error = places(&[one.clone(), arg("a=owner/y").unwrap()]).unwrap_err();
        assert_eq!(error, CandidateArgError::Duplicate("a".to_owned()));
        let missing = places(&[arg("a=./no/such").unwrap()]).unwrap_err();
        assert!(matches!(missing, CandidateArgError::NotThere { .. }));
    }
}

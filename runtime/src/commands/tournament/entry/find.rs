//! Facts that the gate asks for, and that trees on disk and the checker can say.

use super::checkout::Checkout;
use super::known::Known;
use super::{EntryError, table};
use crate::checker::Checker;
use gradus_tasks::entry::file::FactEntry;
use gradus_tasks::entry::{
    CheckVerdict, Commit, EntryFile, Need, SourceFact, SourceFile, SourceState, Subject,
    source_digest,
};
use gradus_tasks::rules::{LicenceCheckout, RuleSet};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A run of the checker.
pub(super) struct Check {
    pub(super) subject: Subject,
    pub(super) verdict: CheckVerdict,
    pub(super) output: String,
}

/// Finds out what the gate needs.
pub(super) struct Finder<'a> {
    file: &'a EntryFile,
    rules: &'a RuleSet,
    base: &'a Path,
    entries: HashMap<Subject, &'a FactEntry>,
    pub(super) known: Known,
    pub(super) checks: Vec<Check>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(
        file: &'a EntryFile,
        rules: &'a RuleSet,
        base: &'a Path,
        known: Known,
    ) -> Self {
        let entries = file
            .facts
            .iter()
            .map(|entry| (entry.subject().expect("the file was checked"), entry))
            .collect();
        Self {
            file,
            rules,
            base,
            entries,
            known,
            checks: Vec::new(),
        }
    }

    /// Finds out all of it, or says what cannot be.
    pub(super) fn find(&mut self, needs: &[Need]) -> Result<(), EntryError> {
        let mut open = Vec::new();
        for need in needs {
            if let Err(lacks) = self.one(need)? {
                open.push(format!("{need}: {lacks}"));
            }
        }
        match open.is_empty() {
            true => Ok(()),
            false => Err(EntryError::Needs { needs: open }),
        }
    }

    /// One fact; or what it would take to know it.
    fn one(&mut self, need: &Need) -> Result<Result<(), &'static str>, EntryError> {
        Ok(match need {
            Need::Token(_) => Err("say opens or dropped in token"),
            Need::Obfuscation(subject) => return self.obfuscation(subject),
            Need::Licence(subject) => return self.licence(subject),
            Need::Source(subject) => match self.tree(subject)? {
                None => Err("give source, or name its tree in checkout"),
                Some(tree) => {
                    let fact = self.source(subject, &tree)?;
                    let sources = &mut self.known.facts.sources;
                    sources.insert(subject.clone(), SourceState::Read(fact));
                    Ok(())
                }
            },
        })
    }

    /// The tree of what is submitted, if one is named; it has to be at the commit.
    fn tree(&self, subject: &Subject) -> Result<Option<Checkout>, EntryError> {
        let entry = self.entries.get(subject);
        let Some(path) = entry.and_then(|entry| entry.checkout.as_deref()) else {
            return Ok(None);
        };
        let tree = Checkout::open(self.base.join(path))?;
        match tree.commit()? {
            Some(found) if subject.commit() != "main" && found != subject.commit() => {
                Err(EntryError::TreeCommit {
                    path: tree.root().to_owned(),
                    hotkey: subject.hotkey().to_owned(),
                    found: found.to_owned(),
                    expected: subject.commit().to_owned(),
                })
            }
            _ => Ok(Some(tree)),
        }
    }

    fn source(&self, subject: &Subject, tree: &Checkout) -> Result<SourceFact, EntryError> {
        let duplicates = &self.rules.entry.duplicates;
        let files = tree.sources(duplicates)?;
        let files: Vec<SourceFile<'_>> = files
            .iter()
            .map(|(path, bytes)| SourceFile { path, bytes })
            .collect();
        let commit = match (subject.commit(), tree.commit()?) {
            ("main", Some(found)) => found.to_owned(),
            ("main", None) => {
                return Err(EntryError::NoCommit {
                    path: tree.root().to_owned(),
                    hotkey: subject.hotkey().to_owned(),
                });
            }
            (commit, _) => commit.to_owned(),
        };
        let digest = source_digest(duplicates, &files);
        Ok(SourceFact {
            commit,
            digest: digest.expect("the gate asks where sources are compared"),
        })
    }

    fn obfuscation(&mut self, subject: &Subject) -> Result<Result<(), &'static str>, EntryError> {
        let lacks = "say a verdict in obfuscation, or name its tree in checkout and the program in [obfuscation]";
        let Some(command) = &self.file.obfuscation else {
            return Ok(Err(lacks));
        };
        let Some(tree) = self.tree(subject)? else {
            return Ok(Err(lacks));
        };
        let rules = &self.rules.entry.obfuscation;
        let checker = Checker::new(program(self.base, &command.program), rules);
        let commit = match subject.commit() {
            "main" => Commit::Main,
            sha => Commit::Sha(sha.to_owned()),
        };
        let answers = self.known.candidates.iter();
        let secrets: Vec<&str> = answers
            .filter_map(|one| one.answer.as_ref()?.as_ref().ok()?.github_token.as_ref())
            .map(|token| token.expose())
            .collect();
        let root = tree.root().to_string_lossy();
        let checked = checker.check(&root, &commit, &secrets);
        let checked = checked.map_err(|source| EntryError::Checker {
            hotkey: subject.hotkey().to_owned(),
            source,
        })?;
        let facts = &mut self.known.facts;
        facts
            .obfuscation
            .insert(subject.clone(), checked.verdict.clone());
        self.checks.push(Check {
            subject: subject.clone(),
            verdict: checked.verdict,
            output: table::beginning(&checked.output),
        });
        Ok(Ok(()))
    }

    fn licence(&mut self, subject: &Subject) -> Result<Result<(), &'static str>, EntryError> {
        let rules = &self.rules.entry.licence;
        let tree = match rules.checkout {
            LicenceCheckout::PinnedCommit => self.tree(subject)?,
            LicenceCheckout::DefaultBranch => {
                let entry = self.entries.get(subject);
                match entry.and_then(|entry| entry.default_checkout.as_deref()) {
                    Some(path) => Some(Checkout::open(self.base.join(path))?),
                    None => None,
                }
            }
        };
        let Some(tree) = tree else {
            return Ok(Err(match rules.checkout {
                LicenceCheckout::PinnedCommit => {
                    "give licence, or name its tree in checkout and the validator's own texts in [licence]"
                }
                LicenceCheckout::DefaultBranch => {
                    "give licence, or name the tree of its default branch in default_checkout and the validator's own texts in [licence]"
                }
            }));
        };
        let files = tree.licences(rules)?;
        let Some(said) = self.known.licence(self.rules, &files) else {
            return Ok(Err("name the validator's own texts in [licence]"));
        };
        self.known.facts.licences.insert(subject.clone(), said);
        Ok(Ok(()))
    }
}

/// A program with a directory in its name lies where the file says; another is looked for where programs are.
fn program(base: &Path, named: &Path) -> OsString {
    match named.components().count() {
        1 => named.as_os_str().to_owned(),
        _ => absolute(base.join(named)).into_os_string(),
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

//! Copies of one another: the same commit (T0), or the same source once what changes nothing is gone (T1).
//!
//! A source's digest is SHA-256 over its text files in the order of their paths: path, zero byte, normalised text, zero
//! byte. Normalised: lines split where Python splits them, stripped, empty ones and those that start with `#` left out,
//! runs of white space one space, joined by line feeds; bytes that are not UTF-8 become U+FFFD.

use super::text::{is_space, lines};
use crate::canonical::hex;
use crate::rules::DuplicateRules;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// One file of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFile<'a> {
    /// Its path below the root, with `/` between parts.
    pub path: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What is known of an entrant's source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFact {
    /// The commit that was checked out.
    pub commit: String,
    /// The [`source_digest`] of its tree.
    pub digest: String,
}

/// The digest of a source's files, where the rules compare sources. Directories are no files; links count as the regular
/// files that they lead to, and nothing outside the tree counts.
pub fn source_digest(rules: &DuplicateRules, files: &[SourceFile<'_>]) -> Option<String> {
    let DuplicateRules::Dropped {
        text_probe_bytes,
        excluded_parts,
        excluded_suffixes,
        excluded_names,
    } = rules
    else {
        return None;
    };
    let counts = |file: &SourceFile<'_>| {
        let name = file.path.rsplit('/').next().unwrap_or(file.path);
        let probe = &file.bytes[..file.bytes.len().min(*text_probe_bytes as usize)];
        !file
            .path
            .split('/')
            .any(|part| part == ".." || excluded_parts.iter().any(|known| known == part))
            && !excluded_names.iter().any(|known| known == name)
            && !excluded_suffixes.contains(&suffix(name).to_lowercase())
            && !probe.contains(&0)
    };
    let counted: BTreeMap<&str, &[u8]> = files
        .iter()
        .filter(|file| counts(file))
        .map(|file| (file.path, file.bytes))
        .collect();
    let mut digest = Sha256::new();
    for (path, bytes) in counted {
        digest.update(path.as_bytes());
        digest.update([0]);
        digest.update(normalised(&String::from_utf8_lossy(bytes)).as_bytes());
        digest.update([0]);
    }
    Some(hex(&digest.finalize()))
}

/// The end of a name from its last dot, as Python's `PurePath.suffix`: none for a name that starts or ends with it.
fn suffix(name: &str) -> &str {
    match name.rfind('.') {
        Some(at) if at > 0 && at + 1 < name.len() => &name[at..],
        _ => "",
    }
}

fn normalised(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in lines(text) {
        let line = line.trim_matches(is_space);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !out.is_empty() {
            out.push('\n');
        }
        for (index, word) in (line.split(is_space).filter(|word| !word.is_empty())).enumerate() {
            if index > 0 {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    out
}

/// What makes entrants copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// All have one commit.
    Commit,
    /// All have one normalised source, or each shares commit or source with another.
    Source,
}

/// Entrants that are copies of one another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Who, in the order of hotkeys.
    pub hotkeys: Vec<String>,
    /// Why.
    pub basis: Basis,
    /// Who falls: all but the boss.
    pub dropped: Vec<String>,
}

/// Clusters of copies, by their first hotkey. Entrants whose source could not be had are not in `facts`, and not in a
/// cluster: what is this host's trouble does not fall on them.
pub fn find_duplicates(facts: &BTreeMap<String, SourceFact>, boss: &str) -> Vec<Cluster> {
    let entrants: Vec<(&String, &SourceFact)> = facts.iter().collect();
    let mut cluster_of: Vec<usize> = (0..entrants.len()).collect();
    // Joining two clusters renames the later one; entrants are few enough for that.
    for key in [
        |fact: &SourceFact| fact.commit.clone(),
        |fact: &SourceFact| fact.digest.clone(),
    ] {
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        for (index, (_, fact)) in entrants.iter().enumerate() {
            let key = key(fact);
            if key.is_empty() {
                continue;
            }
            let known = *first.entry(key).or_insert(index);
            let (a, b) = (cluster_of[index], cluster_of[known]);
            for cluster in &mut cluster_of {
                if *cluster == a.max(b) {
                    *cluster = a.min(b);
                }
            }
        }
    }
    let mut clusters: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, cluster) in cluster_of.iter().enumerate() {
        clusters.entry(*cluster).or_default().push(index);
    }
    clusters
        .into_values()
        .filter(|members| members.len() > 1)
        .map(|members| {
            let commit = &entrants[members[0]].1.commit;
            let one_commit = !commit.is_empty()
                && members
                    .iter()
                    .all(|member| entrants[*member].1.commit == *commit);
            let hotkeys: Vec<String> = members
                .iter()
                .map(|member| entrants[*member].0.clone())
                .collect();
            Cluster {
                dropped: (hotkeys.iter().filter(|hotkey| *hotkey != boss).cloned()).collect(),
                hotkeys,
                basis: if one_commit {
                    Basis::Commit
                } else {
                    Basis::Source
                },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;

//! Who may enter a tournament: the section `[entry]` of a rule set.

use super::shape::{Broken, broken, names};
use crate::weights::TournamentType;
use serde::{Deserialize, Serialize};

/// Conditions of entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryRules {
    /// Miners asked at a time.
    pub ping_batch: u32,
    /// A field that is too small is asked again after so many minutes.
    pub wait_minutes: u32,
    /// What becomes of fields of an answer that nobody knows.
    pub extra_fields: ExtraFields,
    /// What a commit may be.
    pub commit: CommitRule,
    /// Whether tokens of private repositories count.
    pub tokens: TokenRule,
    /// Of entrants that share one of these, one stays; in this order.
    pub deduplicate: Vec<Identity>,
    /// Text tournaments.
    pub text: TypeEntry,
    /// Image tournaments.
    pub image: TypeEntry,
    /// Environment tournaments.
    pub environment: TypeEntry,
    /// Data sets that a miner asks for.
    pub datasets: DatasetRules,
    /// Licence and notice.
    pub licence: LicenceRules,
    /// The program that looks for obfuscated code.
    pub obfuscation: ObfuscationRules,
    /// Copies of one another.
    pub duplicates: DuplicateRules,
    /// Reviews by people and models.
    pub review: ReviewRules,
}

/// What becomes of fields of an answer that nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtraFields {
    /// They are skipped.
    Ignored,
    /// The answer is refused.
    Refused,
}

/// What a commit may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitRule {
    /// 40 hexadecimal digits.
    Sha,
    /// The same, or the word `main`.
    ShaOrMain,
}

/// Whether tokens of private repositories count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenRule {
    /// There are none; one that is given is dropped.
    None,
    /// One that opens the repository counts, any other is dropped.
    Verified,
}

/// What one operator has one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// The address that the miner serves from.
    Ip,
    /// The owner of the repository.
    GithubOwner,
    /// The account that owns the hotkey.
    Coldkey,
}

impl Identity {
    /// What it is called in messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ip => "address",
            Self::GithubOwner => "owner of its repository",
            Self::Coldkey => "coldkey",
        }
    }
}

/// Entry of one type of tournament.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum TypeEntry {
    /// There are no such tournaments.
    None {},
    /// Anyone may enter.
    Open {
        /// Entrants without which a tournament does not start.
        field_min: u32,
        /// What an entry costs, rao.
        fee_rao: u64,
    },
}

/// Data sets that a miner asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum DatasetRules {
    /// None can be asked for; the field does not exist.
    None {},
    /// Those beyond the list or the limit are left out, and the entrant stays.
    Dropped {
        /// The most that one entrant gets.
        max: u32,
    },
    /// An entrant that asks beyond the list or the limit is refused.
    Refused {
        /// The most that one entrant gets.
        max: u32,
    },
}

/// Which tree of a repository the licence check reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LicenceCheckout {
    /// The default branch's, whatever was submitted: as the subnet does.
    DefaultBranch,
    /// The submitted commit's.
    PinnedCommit,
}

/// Licence and notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LicenceRules {
    /// Names of the licence; the first that exists is read.
    pub licence_names: Vec<String>,
    /// Names of the notice; the first that exists is read.
    pub notice_names: Vec<String>,
    /// Which tree is read.
    pub checkout: LicenceCheckout,
    /// How long fetching it may take, seconds.
    pub clone_limit_s: u32,
}

/// The program that looks for obfuscated code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObfuscationRules {
    /// Its arguments; `{repo}` and `{commit}` stand for the submission's.
    pub arguments: Vec<String>,
    /// How long it may run, seconds.
    pub limit_s: u32,
}

/// Copies of one another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "snake_case", deny_unknown_fields)]
pub enum DuplicateRules {
    /// Nobody looks.
    None {},
    /// Entrants of one commit or of one normalised source fall, all but the boss.
    Dropped {
        /// A file with a zero byte among so many first ones is not text, and does not count.
        text_probe_bytes: u32,
        /// Files below a directory, or with a name, of these do not count.
        excluded_parts: Vec<String>,
        /// Files whose name ends so, in any case, do not count.
        excluded_suffixes: Vec<String>,
        /// Files of these names do not count.
        excluded_names: Vec<String>,
    },
}

/// Reviews by people and models.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewRules {
    /// Entrants of this round are compared in pairs before it starts; 0 where they are not.
    pub pairwise_before_round: u32,
    /// Whether the boss's challenger is reviewed.
    pub challenger: ChallengerReview,
}

/// Whether the boss's challenger is reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChallengerReview {
    /// No.
    None,
    /// Before a result is final.
    BeforeFinal,
}

impl EntryRules {
    /// Entry of one type of tournament.
    pub fn of(&self, tournament: TournamentType) -> TypeEntry {
        match tournament {
            TournamentType::Text => self.text,
            TournamentType::Image => self.image,
            TournamentType::Environment => self.environment,
        }
    }

    /// Whether one coldkey has one entry.
    pub fn one_per_coldkey(&self) -> bool {
        self.deduplicate.contains(&Identity::Coldkey)
    }

    pub(super) fn broken(&self) -> Option<Broken> {
        for (field, list) in [
            ("entry.licence.licence_names", &self.licence.licence_names),
            ("entry.licence.notice_names", &self.licence.notice_names),
        ] {
            if let Some(found) = names(list) {
                return broken(field, found);
            }
        }
        if let DuplicateRules::Dropped {
            excluded_parts,
            excluded_suffixes,
            excluded_names,
            ..
        } = &self.duplicates
        {
            for (field, list) in [
                ("entry.duplicates.excluded_parts", excluded_parts),
                ("entry.duplicates.excluded_suffixes", excluded_suffixes),
                ("entry.duplicates.excluded_names", excluded_names),
            ] {
                if let Some(found) = names(list) {
                    return broken(field, found);
                }
            }
            if let Some(found) = excluded_suffixes
                .iter()
                .find(|suffix| !suffix.starts_with('.') || suffix.to_lowercase() != **suffix)
            {
                return Some((
                    "entry.duplicates.excluded_suffixes",
                    found.clone(),
                    "a dot and lower-case characters each",
                ));
            }
        }
        let mut seen = Vec::new();
        for identity in &self.deduplicate {
            if seen.contains(identity) {
                return Some((
                    "entry.deduplicate",
                    format!("{identity:?} twice"),
                    "each identity at most once",
                ));
            }
            seen.push(*identity);
        }
        let arguments = &self.obfuscation.arguments;
        if arguments.len() > 16 || !arguments.iter().any(|word| word == "{repo}") {
            return Some((
                "entry.obfuscation.arguments",
                arguments.join(" "),
                "at most 16 words, {repo} among them",
            ));
        }
        None
    }
}

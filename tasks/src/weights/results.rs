//! A tournament as an audit file records it, and who its champion is.

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::fmt;

/// What is competed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TournamentType {
    /// Language models.
    Text,
    /// Diffusion models.
    Image,
    /// Agents in environments.
    Environment,
}

impl TournamentType {
    /// All, in the order in which sums run.
    pub const ALL: [Self; 3] = [Self::Text, Self::Image, Self::Environment];
}

impl fmt::Display for TournamentType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Image => "image",
            Self::Environment => "environment",
        })
    }
}

/// One value for each type of tournament.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerType<T> {
    /// Of text tournaments.
    pub text: T,
    /// Of image tournaments.
    pub image: T,
    /// Of environment tournaments.
    pub environment: T,
}

impl<T> PerType<T> {
    /// The value of one type.
    pub fn get(&self, tournament: TournamentType) -> &T {
        match tournament {
            TournamentType::Text => &self.text,
            TournamentType::Image => &self.image,
            TournamentType::Environment => &self.environment,
        }
    }

    /// Values in the order of types.
    pub fn iter(&self) -> impl Iterator<Item = (TournamentType, &T)> {
        TournamentType::ALL
            .into_iter()
            .map(|tournament| (tournament, self.get(tournament)))
    }

    /// The same for other values.
    ///
    /// # Errors
    /// The first of `f`, in the order of types.
    pub fn try_map<U, E>(
        &self,
        mut f: impl FnMut(TournamentType, &T) -> Result<U, E>,
    ) -> Result<PerType<U>, E> {
        Ok(PerType {
            text: f(TournamentType::Text, &self.text)?,
            image: f(TournamentType::Image, &self.image)?,
            environment: f(TournamentType::Environment, &self.environment)?,
        })
    }
}

/// A finished tournament, under the reference's names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// Which tournament.
    pub tournament_id: String,
    /// Its rounds, first to last.
    pub rounds: Vec<Round>,
    /// Who was champion when it began.
    #[serde(deserialize_with = "Option::deserialize")]
    pub base_winner_hotkey: Option<String>,
    /// Who won; the burn hotkey if the champion defended.
    #[serde(deserialize_with = "Option::deserialize")]
    pub winner_hotkey: Option<String>,
    /// Places from 1 by hotkey, in the record's order; records of rule sets that pay by points have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_positions: Option<Positions>,
}

/// One round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Round {
    /// Which round.
    pub round_id: String,
    /// From 1.
    pub round_number: u32,
    /// `group` or `knockout`.
    pub round_type: String,
    /// The boss round.
    pub is_final_round: bool,
    /// What was scored in it.
    pub tasks: Vec<RoundTask>,
}

/// One task of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoundTask {
    /// Which task.
    pub task_id: String,
    /// Its group, in a group round.
    #[serde(deserialize_with = "Option::deserialize")]
    pub group_id: Option<String>,
    /// Its pair, in a knockout round.
    #[serde(deserialize_with = "Option::deserialize")]
    pub pair_id: Option<String>,
    /// Who won it.
    #[serde(deserialize_with = "Option::deserialize")]
    pub winner: Option<String>,
    /// Scores as the reference wrote them; only `hotkey` is read here.
    pub participant_scores: Vec<Map<String, Value>>,
}

impl Results {
    /// The champion: the winner, or who was champion before if the burn hotkey stands for him.
    pub fn champion<'a>(&'a self, burn_hotkey: &str) -> Option<&'a str> {
        self.winner_hotkey
            .as_deref()
            .filter(|winner| !winner.is_empty())
            .map(|winner| self.resolve(winner, burn_hotkey))
    }

    /// The hotkey itself, or the former champion's if it is the burn hotkey that stands for him.
    pub fn resolve<'a>(&'a self, hotkey: &'a str, burn_hotkey: &str) -> &'a str {
        match self.base_winner_hotkey.as_deref() {
            Some(base) if hotkey == burn_hotkey && !base.is_empty() => base,
            _ => hotkey,
        }
    }
}

/// Final positions in the order of their record, which is the order of sums.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(pub Vec<(String, u32)>);

impl Serialize for Positions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (hotkey, position) in &self.0 {
            map.serialize_entry(hotkey, position)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Positions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Positions;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of hotkeys to positions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Positions, A::Error> {
                let mut seen = HashSet::new();
                let mut positions = Vec::new();
                while let Some((hotkey, position)) = map.next_entry::<String, u32>()? {
                    if !seen.insert(hotkey.clone()) {
                        return Err(de::Error::custom(format_args!("{hotkey} is there twice")));
                    }
                    positions.push((hotkey, position));
                }
                Ok(Positions(positions))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

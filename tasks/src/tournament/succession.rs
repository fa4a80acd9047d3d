//! From a tournament to the next of its type: who defends there, with which wins and which margin.
//!
//! | this one | the next one's champion | wins in a row | margin |
//! |---|---|---|---|
//! | a challenger won | he | 1 | this tournament's |
//! | the champion won under his own hotkey | he | one more | this tournament's |
//! | the boss stayed, for the champion | the champion | one more | the one that he came with |
//! | the boss stayed, for nobody | the burn hotkey | one more | none |
//!
//! So it is on the subnet, by both rule sets: it counts tournaments back from the newest for as long as they are his, and looks
//! up the margin of the newest that has his own hotkey as its winner.

use super::machine::Tournament;
use super::setup::Champion;
use crate::rules::MarginRule;

/// Who defends in a tournament, as it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Defender {
    /// Whose the title is; `None` where it is nobody's.
    pub hotkey: Option<String>,
    /// What the setup says of him, or of the burn hotkey.
    pub named: Option<Champion>,
    /// Whether the tournament's margins shrink with wins: a setup that names nobody says 0 of them then, else nothing.
    pub counts_wins: bool,
}

/// What a tournament says of its champion, and the one before it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    /// The setup's field.
    pub(super) what: &'static str,
    /// What it says.
    pub(super) found: Box<str>,
    /// What the earlier tournament left.
    pub(super) left: Box<str>,
}

impl Tournament {
    /// Who defends in the type's next tournament, as its setup has to name him; `None` before this one is over.
    pub fn leaves(&self) -> Option<Champion> {
        let outcome = self.state.outcome.as_ref()?;
        let before = self.state.setup.champion.as_ref();
        let won = outcome.winner != self.boss();
        let hotkey = match before {
            Some(before) if !won => before.hotkey.clone(),
            _ => outcome.winner.clone(),
        };
        let before = before.filter(|before| before.hotkey == hotkey);
        Some(Champion {
            hotkey,
            consecutive_wins: before.map_or(0, |before| before.consecutive_wins) + 1,
            stored_difference: match won {
                true => outcome.difference,
                false => before.and_then(|before| before.stored_difference),
            },
        })
    }

    /// Who defends in this one.
    pub fn defender(&self) -> Defender {
        Defender {
            hotkey: self.champion().map(|champion| champion.hotkey.clone()),
            named: self.state.setup.champion.clone(),
            counts_wins: matches!(self.rules.boss.margin, MarginRule::Progressive { .. }),
        }
    }
}

impl Defender {
    /// What is said of him otherwise than the tournament before this one left him; whose the title is, is not compared.
    pub(super) fn contradicts(&self, left: &Champion) -> Option<Contradiction> {
        let wins = match &self.named {
            Some(champion) => champion.consecutive_wins,
            None if self.counts_wins => 0,
            None => left.consecutive_wins,
        };
        if wins != left.consecutive_wins {
            return Some(Contradiction {
                what: "consecutive_wins",
                found: wins.to_string().into(),
                left: left.consecutive_wins.to_string().into(),
            });
        }
        let margin = self
            .named
            .as_ref()
            .and_then(|named| named.stored_difference);
        (margin != left.stored_difference).then(|| Contradiction {
            what: "stored_difference",
            found: number(margin),
            left: number(left.stored_difference),
        })
    }
}

fn number(margin: Option<f64>) -> Box<str> {
    margin.map_or("null".into(), |margin| margin.to_string().into())
}

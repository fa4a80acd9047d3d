//! Who meets whom: a round's contestants to groups and pairs.
//!
//! | tournament | contestants | they play |
//! |---|---|---|
//! | text, image | the first round of a small field | one group over several tasks |
//! | text, image | up to `knockout.contestants_max` | pairs; the boss evens the number out, or leaves for it |
//! | text, image | more | groups |
//! | text, image | one, or one and the boss | the boss round |
//! | environment | one and the boss | the final |
//! | environment | more | groups; the boss joins a smallest one |

use super::draw::Draw;
use super::state::RoundKind;
use crate::rules::{BracketRules, EnvironmentGroups, SmallFieldRules};

/// A round's kind and its groups or pairs.
pub(super) type Places = (RoundKind, Vec<Vec<String>>);

/// What drawing a field looks at.
pub(super) struct Field<'a> {
    pub rules: &'a BracketRules,
    pub seed: u64,
    pub round: u32,
    /// The hotkey that plays for the champion.
    pub boss: &'a str,
}

impl Field<'_> {
    /// Whether the round of these winners is the last, and the winners with the boss added or removed, where that makes
    /// their number even.
    ///
    /// The reference decides so before it looks who is still there.
    pub(super) fn even_out(&self, mut winners: Vec<String>, pairs: bool) -> (Vec<String>, bool) {
        let boss = winners.iter().any(|winner| winner == self.boss);
        let last = winners.len() == 1 || (winners.len() == 2 && boss);
        if pairs && winners.len() % 2 == 1 {
            if !boss {
                winners.push(self.boss.to_owned());
            } else if winners.len() > 1 {
                winners.retain(|winner| winner != self.boss);
            }
        }
        (winners, last)
    }

    /// Groups or pairs of a text or image tournament. `last` says that it is the boss round.
    pub(super) fn text_or_image(&self, mut contestants: Vec<String>, last: bool) -> Places {
        let mut draw = Draw::new(self.seed, "places", self.round);
        draw.shuffle(&mut contestants);
        let number = contestants.len();
        if let SmallFieldRules::OneGroup {
            entrants_min,
            entrants_max,
            ..
        } = self.rules.small_field
            && self.round == 1
            && (entrants_min..=entrants_max).contains(&number)
        {
            return (RoundKind::SmallField, vec![contestants]);
        }
        if number > self.rules.knockout.contestants_max {
            let groups = &self.rules.groups;
            let mut count = number.div_ceil(groups.size_expected);
            if number < groups.size_min * count {
                count = (count - 1).max(1);
            }
            return (RoundKind::Group, split(contestants, count));
        }
        if number % 2 == 1 {
            if contestants.iter().any(|contestant| contestant == self.boss) {
                contestants.retain(|contestant| contestant != self.boss);
            } else {
                contestants.push(self.boss.to_owned());
                draw.shuffle(&mut contestants);
            }
        }
        let pairs: Vec<Vec<String>> = contestants.chunks(2).map(<[String]>::to_vec).collect();
        let kind = match pairs.len() {
            _ if last => RoundKind::Boss,
            1 => RoundKind::LastKnockout,
            _ => RoundKind::Knockout,
        };
        (kind, pairs)
    }

    /// Groups of an environment tournament. `last` says that it is the final.
    pub(super) fn environment(
        &self,
        mut contestants: Vec<String>,
        last: bool,
        rules: &EnvironmentGroups,
    ) -> Places {
        Draw::new(self.seed, "places", self.round).shuffle(&mut contestants);
        let boss = contestants.iter().any(|contestant| contestant == self.boss);
        if last {
            if !boss {
                contestants.push(self.boss.to_owned());
            }
            return (RoundKind::EnvironmentFinal, vec![contestants]);
        }
        let number = contestants.len();
        let size_max = if self.round == 1 && number <= rules.small_entrants_max {
            rules.small_size_max
        } else {
            rules.size_max
        };
        let mut count = (number + usize::from(!boss)).div_ceil(size_max);
        while count > 1 && number / count < rules.size_min {
            count -= 1;
        }
        let mut groups = split(contestants, count);
        if !boss && let Some(smallest) = groups.iter_mut().min_by_key(|group| group.len()) {
            smallest.push(self.boss.to_owned());
        }
        (RoundKind::EnvironmentGroup, groups)
    }
}

/// `count` parts in order, the first ones larger by one where it does not divide.
fn split(contestants: Vec<String>, count: usize) -> Vec<Vec<String>> {
    let (size, larger) = (contestants.len() / count, contestants.len() % count);
    let mut rest = contestants.into_iter();
    (0..count)
        .map(|group| {
            rest.by_ref()
                .take(size + usize::from(group < larger))
                .collect()
        })
        .collect()
}

//! Pools and shares over the uids of a metagraph.

use super::error::{EmissionError, weight};
use super::metagraph::Metagraph;
use super::pools::Pools;
use super::results::{PerType, Results, TournamentType};
use super::shares::shares;
use crate::rules::EmissionRules;

/// Weight that reached nobody.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost {
    /// Whose it was.
    pub hotkey: String,
    /// What it was for.
    pub what: LostFor,
    /// How much.
    pub weight: f64,
}

/// What lost weight was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostFor {
    /// A share of a tournament: it is burned instead.
    Tournament(TournamentType),
    /// Taking part: it is nobody's, and the total falls short of 1.
    Participation,
    /// What the burn uid had earned by itself: the burned rest replaces it.
    BurnUid,
    /// The burned rest, where the burn hotkey is not registered: the total falls short of 1.
    Burn,
}

/// Weights of all uids of a metagraph, before they are quantised.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightVector {
    /// By uid; finite, not negative.
    pub weights: Vec<f64>,
    /// What reached nobody, in the order in which it was found.
    pub lost: Vec<Lost>,
    /// Sum of `weights`, from uid 0 on.
    pub total: f64,
}

/// The vector that results and pools give, in the reference's order of operations.
///
/// With `n` participants of weight `p`, everything else is multiplied by `1 - n * p`, which itself is computed first.
/// For each type in order, each share in its order: the champion gets `share * champion pool`, others `share * others
/// pool`; what a pool gives that reaches no uid is undistributed. Then `p` is added to each participant that is
/// registered. The burn uid's weight is last, and is *set* to the scaled burn plus the undistributed of the types; what rounding leaves below 0 is 0.
///
/// A hotkey that is not in `metagraph` gets nothing, and is named in `lost`. The reference does all of this in
/// silence; [`WeightVector::check_total`] is the place to stop.
///
/// # Errors
/// `Number` for a pool or a rest that is negative or not finite, `Participants` if they leave nothing, `UnknownType` for
/// results of a type that the rules do not have, `Position` for a final position of 0.
pub fn weight_vector(
    rules: &EmissionRules,
    pools: &Pools,
    results: &PerType<Option<&Results>>,
    participants: &[String],
    metagraph: &Metagraph,
) -> Result<WeightVector, EmissionError> {
    for (tournament, pool) in pools.types.iter() {
        weight(pool.champion, || {
            format!("the {tournament} champion's pool")
        })?;
        weight(pool.others, || format!("the {tournament} pool"))?;
    }
    weight(pools.burn, || "the burned weight".to_owned())?;
    let each = rules.participation;
    let for_participants = participants.len() as f64 * each;
    let scale = if for_participants > 0.0 {
        1.0 - for_participants
    } else {
        1.0
    };
    if scale <= 0.0 {
        let participants = participants.len();
        return Err(EmissionError::Participants { participants, each });
    }

    let mut weights = vec![0.0; metagraph.hotkeys().len()];
    let mut lost = Vec::new();
    let mut undistributed = 0.0;
    for (tournament, results) in results.iter() {
        let pool = pools.types.get(tournament);
        let (champion_pool, others_pool) = (pool.champion * scale, pool.others * scale);
        let mut distributed = 0.0;
        if let Some(results) = results {
            let Some((_, type_rules)) = rules.types().into_iter().find(|(t, _)| *t == tournament)
            else {
                let what = "a result";
                return Err(EmissionError::UnknownType { tournament, what });
            };
            let champion = results.champion(&rules.burn_hotkey);
            for share in shares(rules, type_rules.base, results)? {
                let pool = if Some(&*share.hotkey) == champion {
                    champion_pool
                } else {
                    others_pool
                };
                let part = share.share * pool;
                if let Some(uid) = metagraph.uid(&share.hotkey) {
                    weights[usize::from(uid)] += part;
                    distributed += part;
                } else if part > 0.0 {
                    lost.push(Lost {
                        hotkey: share.hotkey,
                        what: LostFor::Tournament(tournament),
                        weight: part,
                    });
                }
            }
        }
        undistributed += champion_pool - distributed;
    }
    for hotkey in participants {
        match metagraph.uid(hotkey) {
            Some(uid) => weights[usize::from(uid)] += each,
            None => lost.push(Lost {
                hotkey: hotkey.clone(),
                what: LostFor::Participation,
                weight: each,
            }),
        }
    }
    let burned = pools.burn * scale + undistributed;
    // Rounding can leave a little less than nothing, at which the reference fails to set anything; here it is nothing.
    let burned = if burned < 0.0 && burned > -rules.total_tolerance {
        0.0
    } else {
        weight(burned, || "what is left to burn".to_owned())?
    };
    let burn = |what, weight| Lost {
        hotkey: rules.burn_hotkey.clone(),
        what,
        weight,
    };
    match metagraph.uid(&rules.burn_hotkey) {
        Some(uid) => {
            let before = std::mem::replace(&mut weights[usize::from(uid)], burned);
            if before > 0.0 {
                lost.push(burn(LostFor::BurnUid, before));
            }
        }
        None if burned > 0.0 => lost.push(burn(LostFor::Burn, burned)),
        None => {}
    }
    let total = super::balance::sum(&weights);
    Ok(WeightVector {
        weights,
        lost,
        total,
    })
}

impl WeightVector {
    /// Stops a vector whose parts do not sum to 1 within the rules' tolerance, which the reference only logs. Parts that are
    /// nobody's by the rules count: shares of who took part and is not registered any more, and what the burned rest
    /// replaced, since the chain scales the row by its largest value. What would be burned and cannot does not.
    ///
    /// # Errors
    /// `Total`, with what reached nobody.
    pub fn check_total(&self, rules: &EmissionRules) -> Result<(), EmissionError> {
        let tolerance = rules.total_tolerance;
        if (self.total + self.nobodys() - 1.0).abs() < tolerance {
            return Ok(());
        }
        Err(EmissionError::Total {
            total: self.total,
            tolerance,
            lost: self
                .lost
                .iter()
                .filter(|lost| !matches!(lost.what, LostFor::Tournament(_)))
                .map(|lost| (lost.hotkey.clone(), lost.weight))
                .collect(),
        })
    }

    /// What is nobody's by the rules: it is missing in the total.
    pub fn nobodys(&self) -> f64 {
        let nobodys = |what| matches!(what, LostFor::Participation | LostFor::BurnUid);
        let lost = self.lost.iter().filter(|lost| nobodys(lost.what));
        lost.map(|lost| lost.weight).sum()
    }

    /// Uids that have weight.
    pub fn paid_uids(&self) -> impl Iterator<Item = u16> {
        (0u16..)
            .zip(&self.weights)
            .filter(|(_, weight)| **weight > 0.0)
            .map(|(uid, _)| uid)
    }
}

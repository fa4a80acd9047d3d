//! What an epoch depends on, and what is refused.

use crate::Owner;
use std::fmt;

/// A place in the subnet, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub u16);

impl Uid {
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One validator's weights or bonds, as stored on chain: each uid at most once, in any order; others are 0.
pub type Row = Vec<(Uid, u16)>;

/// Which consensus the subnet runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `Yuma3On` is false: bonds are shares of a miner.
    Yuma2,
    /// `Yuma3On` is true: bonds are a validator's own.
    Yuma3,
}

/// The subnet's settings that an epoch reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hyperparameters {
    /// Which consensus.
    pub version: Version,
    /// Share of stake that makes a majority, of 65,535.
    pub kappa: u16,
    /// How much of the weight outside consensus buys no bonds, of 65,535.
    pub bonds_penalty: u16,
    /// How much of the old bonds is kept, in millionths, at most 1,000,000.
    pub bonds_moving_average_ppm: u32,
    /// Whether liquid alpha is on; refused for Yuma 3, without effect in Yuma 2.
    pub liquid_alpha: bool,
}

/// What an epoch depends on. Vectors have one element for each uid, in order.
///
/// The chain looks at blocks first, and whoever fills this in does the same: a stake below the threshold is 0 (except
/// the owner's); the owner has a permit, whatever is stored; weights for uids registered after the row was set, or after
/// the row's oldest commit that is not yet revealed, are left out; so are bonds in uids registered since the last epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochInput {
    /// Stake weight, rao: alpha and the weighted share of TAO; parts of a rao are dropped. Their sum is below 2⁶³.
    pub stakes_rao: Vec<u64>,
    /// Whether weights were set within the activity cut-off.
    pub active: Vec<bool>,
    /// Whether the uid has a validator's permit in this epoch.
    pub permits: Vec<bool>,
    /// The subnet owner's uid, whose weight for itself counts.
    pub owner: Option<Uid>,
    /// Weights that each uid set.
    pub weights: Vec<Row>,
    /// Bonds that each uid holds; empty rows in a subnet's first epoch.
    pub bonds: Vec<Row>,
    /// Settings.
    pub hyperparameters: Hyperparameters,
    /// What the epoch pays in all, rao of the subnet's token.
    pub emission_rao: u64,
}

impl EpochInput {
    /// The most uids that are simulated: four times what the chain gives a subnet.
    pub const UIDS_MAX: usize = 1024;

    /// Whether the chain could hold this, and whether it can be simulated.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), InputError> {
        let uids = self.stakes_rao.len();
        if uids > Self::UIDS_MAX {
            return Err(InputError::TooManyUids {
                found: uids,
                max: Self::UIDS_MAX,
            });
        }
        for (what, found) in [
            ("active", self.active.len()),
            ("permits", self.permits.len()),
            ("weights", self.weights.len()),
            ("bonds", self.bonds.len()),
        ] {
            if found != uids {
                return Err(InputError::Length { what, found, uids });
            }
        }
        if let Some(uid) = self.owner.filter(|uid| uid.index() >= uids) {
            return Err(InputError::Owner { uid, uids });
        }
        for (what, rows) in [("weights", &self.weights), ("bonds", &self.bonds)] {
            for (row, entries) in (0..).map(Uid).zip(rows) {
                check_row(what, row, entries, uids)?;
            }
        }
        let total_rao: u128 = self.stakes_rao.iter().map(|stake| u128::from(*stake)).sum();
        if total_rao > i64::MAX as u128 {
            return Err(InputError::Stake { total_rao });
        }
        let settings = &self.hyperparameters;
        if settings.bonds_moving_average_ppm > 1_000_000 {
            return Err(InputError::BondsMovingAverage {
                found_ppm: settings.bonds_moving_average_ppm,
            });
        }
        if settings.liquid_alpha && settings.version == Version::Yuma3 {
            return Err(InputError::LiquidAlpha);
        }
        Ok(())
    }
}

fn check_row(what: &'static str, row: Uid, entries: &Row, uids: usize) -> Result<(), InputError> {
    let mut seen = vec![false; uids];
    for (uid, _) in entries {
        let uid = *uid;
        let Some(seen) = seen.get_mut(uid.index()) else {
            return Err(InputError::UnknownUid {
                what,
                row,
                uid,
                uids,
            });
        };
        if std::mem::replace(seen, true) {
            return Err(InputError::Repeated { what, row, uid });
        }
    }
    Ok(())
}

/// An input that is no subnet's, or that is not simulated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// More uids than are simulated.
    #[error("{found} uids, at most {max} are simulated: give one subnet's")]
    TooManyUids {
        /// Number of stakes.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Vectors of different lengths.
    #[error(
        "{what} has {found} elements, but there are {uids} stakes: read all vectors of the subnet at one block"
    )]
    Length {
        /// Which vector.
        what: &'static str,
        /// Its length.
        found: usize,
        /// Number of stakes.
        uids: usize,
    },
    /// The owner is not in the subnet.
    #[error(
        "the owner's uid is {uid}, but there are {uids} uids: give none where the owner is not registered"
    )]
    Owner {
        /// The owner's uid.
        uid: Uid,
        /// Number of stakes.
        uids: usize,
    },
    /// A row names a uid that is not there.
    #[error(
        "{what} of uid {row} name uid {uid}, but there are {uids} uids: read them at one block, and leave out uids that a trim removed"
    )]
    UnknownUid {
        /// Weights or bonds.
        what: &'static str,
        /// Whose row.
        row: Uid,
        /// The uid named.
        uid: Uid,
        /// Number of stakes.
        uids: usize,
    },
    /// A row names a uid twice.
    #[error("{what} of uid {row} name uid {uid} more than once: keep one value, as the chain does")]
    Repeated {
        /// Weights or bonds.
        what: &'static str,
        /// Whose row.
        row: Uid,
        /// The uid named.
        uid: Uid,
    },
    /// More stake than the chain's numbers hold.
    #[error("stakes sum to {total_rao} rao, the chain's numbers end at 2^63 - 1: give them in rao")]
    Stake {
        /// The sum, rao.
        total_rao: u128,
    },
    /// A moving average above 1.
    #[error(
        "bonds_moving_average is {found_ppm} millionths, at most 1000000 is a share: give it as the chain stores it"
    )]
    BondsMovingAverage {
        /// What was given, millionths.
        found_ppm: u32,
    },
    /// Liquid alpha changes Yuma 3's bonds, and is not simulated.
    #[error(
        "liquid alpha is on and Yuma 3's bonds depend on it, which is not simulated: turn it off to see the epoch without it"
    )]
    LiquidAlpha,
}

impl InputError {
    /// Whose fault it is: the input is this host's to correct.
    pub fn owner(&self) -> Owner {
        Owner::Host
    }
}

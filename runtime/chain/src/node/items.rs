//! Storage items that are read, each with the shapes that are known.

/// An item of a pallet's storage.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    /// The pallet.
    pub pallet: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// Every shape that is read alike, as [`Runtime::storage_shape`](super::Runtime::storage_shape) shows it.
    pub shapes: &'static [&'static str],
    /// Whether nothing works without it; others are capabilities.
    pub required: bool,
}

macro_rules! items {
    ($($(#[$doc:meta])* $name:ident = $pallet:literal $item:literal $required:literal [$($shape:literal),+];)*) => {
        $($(#[$doc])* pub const $name: &Item = &Item { pallet: $pallet, name: $item, shapes: &[$($shape),+], required: $required };)*
        /// All of them.
        pub const ALL: &[&Item] = &[$($name),*];
    };
}

items! {
    /// Accounts' nonces and balances.
    ACCOUNT = "System" "Account" true ["[Blake2_128Concat [u8;32]] -> {nonce: u32, consumers: u32, providers: u32, sufficients: u32, data: {free: u64, reserved: u64, frozen: u64, flags: u128}}"];
    /// Milliseconds since 1970, as the block's author had it.
    NOW = "Timestamp" "Now" true ["[] -> u64"];
    /// Whether a subnet exists.
    NETWORKS_ADDED = "SubtensorModule" "NetworksAdded" true ["[Identity u16] -> bool"];
    /// Blocks of an epoch.
    TEMPO = "SubtensorModule" "Tempo" true ["[Identity u16] -> u16"];
    /// Number of neurons.
    SUBNETWORK_N = "SubtensorModule" "SubnetworkN" true ["[Identity u16] -> u16"];
    /// A hotkey's uid; none if it is not registered.
    UIDS = "SubtensorModule" "Uids" true ["[Identity u16, Blake2_128Concat [u8;32]] -> u16?"];
    /// A uid's hotkey.
    KEYS = "SubtensorModule" "Keys" true ["[Identity u16, Identity u16] -> [u8;32]"];
    /// A hotkey's coldkey.
    OWNER = "SubtensorModule" "Owner" true ["[Blake2_128Concat [u8;32]] -> [u8;32]"];
    /// The hotkey of a subnet's owner, which may set weights without permit or stake.
    SUBNET_OWNER_HOTKEY = "SubtensorModule" "SubnetOwnerHotkey" true ["[Identity u16] -> [u8;32]"];
    /// A uid's weights, as they were set last.
    WEIGHTS = "SubtensorModule" "Weights" true ["[Identity u16, Identity u16] -> Vec<(u16, u16)>"];
    /// A uid's bonds.
    BONDS = "SubtensorModule" "Bonds" true ["[Identity u16, Identity u16] -> Vec<(u16, u16)>"];
    /// The block at which each uid's weights were set or committed last.
    LAST_UPDATE = "SubtensorModule" "LastUpdate" true ["[Identity u16] -> Vec<u64>"];
    /// Which uids may set weights.
    VALIDATOR_PERMIT = "SubtensorModule" "ValidatorPermit" true ["[Identity u16] -> Vec<bool>"];
    /// Which uids set weights lately.
    ACTIVE = "SubtensorModule" "Active" true ["[Identity u16] -> Vec<bool>"];
    /// Each uid's share of miners' emission.
    INCENTIVE = "SubtensorModule" "Incentive" true ["[Identity u16] -> Vec<u16>"];
    /// Each uid's share of validators' emission.
    DIVIDENDS = "SubtensorModule" "Dividends" true ["[Identity u16] -> Vec<u16>"];
    /// Each uid's emission of the last epoch, rao.
    EMISSION = "SubtensorModule" "Emission" true ["[Identity u16] -> Vec<u64>"];
    /// Fewest weights of a vector.
    MIN_ALLOWED_WEIGHTS = "SubtensorModule" "MinAllowedWeights" true ["[Identity u16] -> u16"];
    /// The largest share of one weight, of 65,535.
    MAX_WEIGHTS_LIMIT = "SubtensorModule" "MaxWeightsLimit" false ["[Identity u16] -> u16"];
    /// The lowest version key.
    WEIGHTS_VERSION_KEY = "SubtensorModule" "WeightsVersionKey" true ["[Identity u16] -> u64"];
    /// Blocks between two submissions.
    WEIGHTS_SET_RATE_LIMIT = "SubtensorModule" "WeightsSetRateLimit" true ["[Identity u16] -> u64"];
    /// Whether weights are committed first.
    COMMIT_REVEAL_ENABLED = "SubtensorModule" "CommitRevealWeightsEnabled" true ["[Identity u16] -> bool"];
    /// Epochs between a commit and its opening.
    REVEAL_PERIOD_EPOCHS = "SubtensorModule" "RevealPeriodEpochs" true ["[Twox64Concat u16] -> u64"];
    /// The version of timelocked commits.
    COMMIT_REVEAL_VERSION = "SubtensorModule" "CommitRevealWeightsVersion" true ["[] -> u16"];
    /// The least stake of a hotkey that sets weights.
    STAKE_THRESHOLD = "SubtensorModule" "StakeThreshold" true ["[] -> u64"];
    /// Blocks since the last epoch.
    BLOCKS_SINCE_LAST_STEP = "SubtensorModule" "BlocksSinceLastStep" true ["[Identity u16] -> u64"];
    /// The block of the last epoch.
    LAST_EPOCH_BLOCK = "SubtensorModule" "LastEpochBlock" false ["[Identity u16] -> u64"];
    /// The block of an epoch that was asked for; 0 if none was.
    PENDING_EPOCH_AT = "SubtensorModule" "PendingEpochAt" false ["[Identity u16] -> u64"];
    /// How many epochs there were.
    SUBNET_EPOCH_INDEX = "SubtensorModule" "SubnetEpochIndex" false ["[Identity u16] -> u64"];
    /// Blocks without weights after which a validator counts as inactive.
    ACTIVITY_CUTOFF = "SubtensorModule" "ActivityCutoff" false ["[Identity u16] -> u16"];
    /// The same in thousandths of the tempo, which replaces it.
    ACTIVITY_CUTOFF_FACTOR = "SubtensorModule" "ActivityCutoffFactorMilli" false ["[Identity u16] -> u32"];
    /// Number of mechanisms.
    MECHANISM_COUNT = "SubtensorModule" "MechanismCountCurrent" false ["[Twox64Concat u16] -> u8"];
    /// Commits that the chain will open, by the epoch they were made in: account, block, bytes, round.
    TIMELOCKED_COMMITS = "SubtensorModule" "TimelockedWeightCommits" false ["[Twox64Concat u16, Twox64Concat u64] -> Vec<([u8;32], u64, Vec<u8>, u64)>"];
    /// A hotkey's hash commits: hash, and three blocks or epochs.
    WEIGHT_COMMITS = "SubtensorModule" "WeightCommits" false ["[Twox64Concat u16, Twox64Concat [u8;32]] -> Vec<([u8;32], u64, u64, u64)>?"];
    /// The beacon's rounds that the chain has seen.
    PULSES = "Drand" "Pulses" false ["[Blake2_128Concat u64] -> {round: u64, randomness: Vec<u8>, signature: Vec<u8>}?"];
    /// The newest of them.
    LAST_STORED_ROUND = "Drand" "LastStoredRound" false ["[] -> u64"];
    /// Whether Yuma 3 runs instead of Yuma 2.
    YUMA3_ON = "SubtensorModule" "Yuma3On" false ["[Blake2_128Concat u16] -> bool"];
    /// Share of stake that makes a majority, of 65,535.
    KAPPA = "SubtensorModule" "Kappa" false ["[Identity u16] -> u16"];
    /// How much of the weight outside consensus buys no bonds, of 65,535.
    BONDS_PENALTY = "SubtensorModule" "BondsPenalty" false ["[Identity u16] -> u16"];
    /// How much of the old bonds is kept, in millionths.
    BONDS_MOVING_AVERAGE = "SubtensorModule" "BondsMovingAverage" false ["[Identity u16] -> u64"];
    /// Whether bonds' moving average depends on consensus.
    LIQUID_ALPHA_ON = "SubtensorModule" "LiquidAlphaOn" false ["[Blake2_128Concat u16] -> bool"];
    /// What miners have earned since the last epoch, rao.
    PENDING_SERVER_EMISSION = "SubtensorModule" "PendingServerEmission" false ["[Identity u16] -> u64"];
    /// What validators have earned since then by their stake on the subnet, rao.
    PENDING_VALIDATOR_EMISSION = "SubtensorModule" "PendingValidatorEmission" false ["[Identity u16] -> u64"];
    /// What they have earned by their stake on the root, rao.
    PENDING_ROOT_ALPHA_DIVS = "SubtensorModule" "PendingRootAlphaDivs" false ["[Identity u16] -> u64"];
    /// Shares of emission by mechanism, of 65,535; equal ones if none are stored.
    MECHANISM_EMISSION_SPLIT = "SubtensorModule" "MechanismEmissionSplit" false ["[Twox64Concat u16] -> Vec<u16>?"];
    /// The block of the last epoch that paid; 0 before the first.
    LAST_MECHANISM_STEP_BLOCK = "SubtensorModule" "LastMechansimStepBlock" false ["[Identity u16] -> u64"];
    /// The block at which a uid's hotkey took it.
    BLOCK_AT_REGISTRATION = "SubtensorModule" "BlockAtRegistration" false ["[Identity u16, Identity u16] -> u64"];
}

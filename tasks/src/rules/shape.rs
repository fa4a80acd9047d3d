//! What a value of a section must be like beyond its type and range.

/// A field, what it says, and what is allowed.
pub(super) type Broken = (&'static str, String, &'static str);

pub(super) fn broken(field: &'static str, found: String) -> Option<Broken> {
    Some((field, found, "1 to 64 names of files, 1 to 64 bytes each"))
}

/// What is wrong about a list of files' names.
pub(super) fn names(list: &[String]) -> Option<String> {
    if list.is_empty() || list.len() > 64 {
        return Some(format!("{} names", list.len()));
    }
    list.iter()
        .find(|name| name.is_empty() || name.len() > 64 || name.contains(['/', '\0']))
        .cloned()
}

/// Whether a list of bands grows: each bound and each value above the one before.
pub(super) fn grows<T: PartialOrd + Copy>(
    bands: impl IntoIterator<Item = (T, f64)>,
    above: f64,
) -> bool {
    let mut last: Option<(T, f64)> = None;
    for (bound, value) in bands {
        if last.is_some_and(|(known, least)| bound <= known || value <= least) {
            return false;
        }
        last = Some((bound, value));
    }
    last.is_some_and(|(_, value)| above > value)
}

//! Records of a PAX extended header: `LENGTH KEY=VALUE\n`, where the length counts the whole record. A value may hold
//! anything, line ends included, so records are cut by length alone.

/// A key and its value.
pub(crate) type Record<'a> = (&'a [u8], &'a [u8]);

/// Keys and values in their order.
pub(crate) fn records(mut data: &[u8]) -> Result<Vec<Record<'_>>, &'static str> {
    let mut out = Vec::new();
    while !data.is_empty() {
        let space = data
            .iter()
            .take(10)
            .position(|&b| b == b' ')
            .ok_or("a record of an extended header has no length")?;
        let len = number(&data[..space]).ok_or("a record's length is not a number")?;
        let len = usize::try_from(len).map_err(|_| "a record's length is not a number")?;
        if len <= space + 1 || len > data.len() {
            return Err("a record of an extended header is longer than the header");
        }
        let record = data[space + 1..len]
            .strip_suffix(b"\n")
            .ok_or("a record of an extended header does not end its line")?;
        let equals = record
            .iter()
            .position(|&b| b == b'=')
            .ok_or("a record of an extended header has no =")?;
        out.push((&record[..equals], &record[equals + 1..]));
        data = &data[len..];
    }
    Ok(out)
}

/// One record; the length counts its own digits.
pub(crate) fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len != rest + decimal_digits(len) {
        len = rest + decimal_digits(len);
    }
    let mut out = format!("{len} ").into_bytes();
    out.extend_from_slice(key);
    out.push(b'=');
    out.extend_from_slice(value);
    out.push(b'\n');
    out
}

fn decimal_digits(n: usize) -> usize {
    n.to_string().len()
}

/// Decimal digits and nothing else.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 20 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Seconds and nanoseconds of a PAX time. What lies before 1970 or past the year 2500 is brought there: no file system of
/// ours holds it.
pub(crate) fn time(text: &[u8]) -> Option<(i64, u32)> {
    let (text, is_negative) = match text.strip_prefix(b"-") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (whole, fraction) = match text.iter().position(|&b| b == b'.') {
        Some(dot) => (&text[..dot], &text[dot + 1..]),
        None => (text, &[][..]),
    };
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut nanos = 0u32;
    for i in 0..9 {
        nanos = nanos * 10 + fraction.get(i).map_or(0, |c| u32::from(c - b'0'));
    }
    let time = bounded_time(number(whole)?, nanos);
    Some(if is_negative { (0, 0) } else { time })
}

pub(crate) fn bounded_time(seconds: u64, nanos: u32) -> (i64, u32) {
    const YEAR_2500: i64 = 16_725_225_600;
    match i64::try_from(seconds) {
        Ok(seconds) if seconds < YEAR_2500 => (seconds, nanos),
        _ => (YEAR_2500, 0),
    }
}

#[cfg(test)]
mod tests;

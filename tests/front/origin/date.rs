//! Dates as HTTP writes them (RFC 9110, 5.6.7), by way of RFC 3339, which a crate of ours knows.

use std::time::{SystemTime, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // the epoch was a Thursday
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Sun, 06 Nov 1994 08:49:37 GMT`
pub(crate) fn http_date(time: SystemTime) -> String {
    let days = time.duration_since(UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let text = humantime::format_rfc3339_seconds(time).to_string(); // 1994-11-06T08:49:37Z
    let month: usize = text[5..7].parse().unwrap();
    format!(
        "{}, {} {} {} {} GMT",
        DAYS[usize::try_from(days % 7).unwrap()],
        &text[8..10],
        MONTHS[month - 1],
        &text[..4],
        &text[11..19]
    )
}

/// The time that such a text names; nothing where it is anything else.
pub(crate) fn parse_http_date(text: &str) -> Option<SystemTime> {
    let mut words = text.split(", ").nth(1)?.split(' ');
    let (day, month, year, clock) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = MONTHS.iter().position(|m| *m == month)? + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{clock}Z")).ok()
}

//! How long a call may wait: until shortly before its caller gives up.

use std::time::Duration;

use tonic::metadata::MetadataMap;

/// How long one waits who names no deadline: less than kubelet's two minutes.
const WITHOUT: Duration = Duration::from_secs(110);

/// The deadline of a call less a tenth of it, and of that at least 200 ms and at most 5 s, so that the answer arrives
/// while somebody still listens (docs/design/kubelet.md).
pub(super) fn time_left(metadata: &MetadataMap) -> Duration {
    let given = metadata
        .get("grpc-timeout")
        .and_then(|value| value.to_str().ok())
        .and_then(parse);
    let Some(given) = given else { return WITHOUT };
    let margin = (given / 10).clamp(Duration::from_millis(200), Duration::from_secs(5));
    given.saturating_sub(margin)
}

/// `TimeoutValue TimeoutUnit`: at most eight digits and a letter (gRPC over HTTP/2, "Requests").
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Duration {
        let mut metadata = MetadataMap::new();
        metadata.insert("grpc-timeout", text.parse().unwrap());
        time_left(&metadata)
    }

    #[test]
    fn a_call_waits_until_its_deadline_less_a_tenth_within_bounds() {
        assert_eq!(of("2M"), Duration::from_secs(115));
        assert_eq!(of("10S"), Duration::from_secs(9));
        assert_eq!(of("1500m"), Duration::from_millis(1300));
        assert_eq!(of("100000u"), Duration::ZERO);
        assert_eq!(of("99999999H"), Duration::from_secs(99_999_999 * 3600 - 5));
    }

    #[test]
    fn without_a_deadline_or_with_nonsense_it_waits_less_than_kubelet_does() {
        assert_eq!(time_left(&MetadataMap::new()), WITHOUT);
        for bad in ["", "S", "1", "1s", "-1S", "123456789S", "1.5S"] {
            assert_eq!(of(bad), WITHOUT, "{bad}");
        }
    }
}

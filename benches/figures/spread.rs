//! Medians, because a mean believes every outlier.

/// The median of some values, and how far they lie apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let values = sorted(values.into_iter().collect());
        Self {
            median: at(&values, 0.5),
            least: at(&values, 0.0),
            greatest: at(&values, 1.0),
        }
    }

    /// Whether this is the same thing measured twice: its median is at most a tenth from 1.
    pub(crate) fn is_one(&self) -> bool {
        (0.9..=1.1).contains(&self.median)
    }
}

/// The value that a share of all does not exceed.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    at(&sorted(values.to_vec()), share)
}

/// The value between two that is as many times the one as the other is its: no one of them is preferred.
pub(crate) fn between(a: f64, b: f64) -> f64 {
    (a * b).sqrt()
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn at(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    // Between two values for a median of an even number of them.
    let place = share * last as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    match (sorted.get(low), sorted.get(high)) {
        (Some(low), Some(high)) => low + (high - low) * place.fract(),
        _ => f64::NAN,
    }
}

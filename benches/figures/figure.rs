//! A figure: what was measured, against what limit, and whether it holds.

use crate::spread::Spread;

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// How many times the peer's.
    Ratio,
    /// Mebibytes.
    MiB,
    /// Calls of the system, requests, bytes.
    Calls,
    /// Hundredths of a core.
    Percent,
    /// Of the clock on the wall.
    Seconds,
}

/// One row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: Spread,
    pub(crate) unit: Unit,
    /// The most that it may be; without one it is printed for comparison.
    pub(crate) limit: Option<f64>,
    /// The peer against itself.
    pub(crate) same: Option<Spread>,
    /// CPU seconds of ours.
    pub(crate) cpu: Option<f64>,
    /// The 99th percentile of ours and of what it is compared with, in milliseconds.
    pub(crate) p99: Option<(f64, f64)>,
    /// Peak resident memory of ours, in MiB.
    pub(crate) memory: Option<f64>,
}

impl Figure {
    pub(crate) fn ratio(what: impl Into<String>, value: Spread) -> Self {
        Self {
            what: what.into(),
            value,
            unit: Unit::Ratio,
            limit: None,
            same: None,
            cpu: None,
            p99: None,
            memory: None,
        }
    }

    pub(crate) fn at_most(mut self, limit: f64) -> Self {
        self.limit = Some(limit);
        self
    }

    pub(crate) fn has_limit(&self) -> bool {
        self.limit.is_some()
    }

    /// Whether the run is to be counted as failed: what says nothing does not hold either.
    pub(crate) fn fails(&self) -> bool {
        self.has_limit() && (!self.says_something() || self.misses())
    }

    /// Whether the peer was as fast as itself.
    pub(crate) fn says_something(&self) -> bool {
        self.same.is_none_or(|same| same.is_one())
    }

    /// Against a ratio stands the median of the rounds; whatever is counted must hold each time. What is no number
    /// holds nowhere.
    fn misses(&self) -> bool {
        let Some(limit) = self.limit else {
            return false;
        };
        let holds = match self.unit {
            Unit::Ratio => self.value.median <= limit,
            Unit::MiB | Unit::Percent | Unit::Seconds => self.value.greatest < limit,
            Unit::Calls => self.value.greatest <= limit,
        };
        !holds
    }

    fn verdict(&self) -> &'static str {
        if !self.has_limit() {
            "beside"
        } else if !self.says_something() {
            "SAYS NOTHING"
        } else if self.misses() {
            "MISSES"
        } else {
            "holds"
        }
    }

    fn cells(&self) -> [String; 8] {
        let dash = || "–".to_owned();
        let Spread {
            median,
            least,
            greatest,
        } = self.value;
        let (value, limit) = match self.unit {
            Unit::Ratio => (
                format!("{median:.2} [{least:.2}–{greatest:.2}]"),
                self.limit.map(|l| format!("≤ {l:.2}")),
            ),
            Unit::MiB => (
                format!("{median:.1} MiB [{least:.1}–{greatest:.1}]"),
                self.limit.map(|l| format!("< {l:.0} MiB")),
            ),
            Unit::Percent => (
                format!("{median:.3} % [{least:.3}–{greatest:.3}]"),
                self.limit.map(|l| format!("< {l} %")),
            ),
            Unit::Seconds => (
                format!("{median:.1} s [{least:.1}–{greatest:.1}]"),
                self.limit.map(|l| format!("< {l:.0} s")),
            ),
            Unit::Calls => (
                format!("{median:.0}"),
                self.limit.map(|l| format!("≤ {l:.0}")),
            ),
        };
        [
            self.what.clone(),
            value,
            limit.unwrap_or_else(dash),
            self.same.map_or_else(dash, |s| {
                format!("{:.2} [{:.2}–{:.2}]", s.median, s.least, s.greatest)
            }),
            self.cpu.map_or_else(dash, |c| format!("{c:.2} s")),
            self.p99
                .map_or_else(dash, |(ours, bare)| format!("{ours:.2} ms to {bare:.2} ms")),
            self.memory.map_or_else(dash, |m| format!("{m:.1} MiB")),
            self.verdict().to_owned(),
        ]
    }
}

/// All figures, for people.
pub(crate) fn table(figures: &[Figure]) -> String {
    let head = [
        "figure",
        "median [least–greatest]",
        "limit",
        "A/A",
        "CPU",
        "p99 (ours to bare)",
        "memory",
        "verdict",
    ];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(figures.iter().map(Figure::cells));
    columns(&lines)
}

/// Lines of cells, each column as wide as its widest cell.
pub(crate) fn columns<const N: usize>(lines: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for line in lines {
        let cells: Vec<String> = line
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}
